"""People as arrays, and back: what was learned from, and the events that came since."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tagcf.recommend.histories import Histories
from tagcf.recommend.linear.fit import Arrays
from tagcf.recommend.people import People


def people_arrays(people: People) -> Arrays:
    """Histories and segments. What was not learned from stays apart: terms are made without it."""
    learned, came = people.learned, list(people.recent.values())
    return {
        "indptr": learned.indptr,
        "item": learned.item,
        "ts": learned.ts,
        "segment_of": people.segment_of,
        "recent_user": np.array(list(people.recent), np.int64),
        "recent_size": np.array([items.size for items, _ in came], np.int64),
        "recent_item": np.concatenate([np.empty(0, np.int32), *(items for items, _ in came)]),
        "recent_ts": np.concatenate([np.empty(0), *(times for _, times in came)]),
    }


def people_of(
    arrays: Arrays,
    ids: Sequence[str],
    segments: tuple[tuple[str, tuple[str, ...]], ...],
    n_items: int,
) -> People:
    """Make people of what `people_arrays` gave, and of names."""
    learned = Histories(arrays["indptr"], arrays["item"], arrays["ts"], n_items)
    people = People.of(ids, learned, segments, arrays["segment_of"])
    ends = np.cumsum(arrays["recent_size"])
    for user, start, end in zip(
        arrays["recent_user"].tolist(), ends - arrays["recent_size"], ends, strict=True
    ):
        people.recent[user] = arrays["recent_item"][start:end], arrays["recent_ts"][start:end]
    return people
