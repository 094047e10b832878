"""What viewers asked while a product was on the table, as numbers of people."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.live.danmaku.labels import INTENTS
from tagcf.live.danmaku.read import DanmakuReader, read_danmaku
from tagcf.live.hosts.subjects import OTHER, subjects_of
from tagcf.live.rooms.segments import RoomSegments
from tagcf.types.live import ACTIONS, LiveEvents

COUNTED = ("ask_price", "ask_link", "ask_detail", "complaint", "request")
SURE = 0.5  # confidence of an intent from which on a line counts


@dataclass(frozen=True, slots=True)
class Asked:
    """People who asked, complained or wished for the same while a product was shown."""

    product_id: str | None
    intent: str
    subject: str  # empty: none that is known
    people: int
    said: str  # one of the lines


def count_questions(
    events: LiveEvents,
    segments: RoomSegments,
    rows: NDArray[np.int64],
    reader: DanmakuReader | None = None,
) -> tuple[Asked, ...]:
    """Count questions in some segments, by product and subject, the most frequent first."""
    talk = np.isin(events.action, [ACTIONS.index("danmaku"), ACTIONS.index("comment")])
    here = np.flatnonzero(talk & np.isin(events.room, np.unique(segments.room[rows])))
    on = segments.at(events.room[here], events.ts[here])
    inside = np.isin(on, rows)
    here, on = here[inside], on[inside]
    texts = pl.Series(events.rows["text"].take(here).to_pylist(), dtype=pl.String)
    readings = read_danmaku(texts, using=reader)
    wanted = np.isin(readings.intent, [INTENTS.index(name) for name in COUNTED])
    kept = np.flatnonzero(wanted & (readings.confidence >= SURE))
    subjects = subjects_of(texts.gather(kept), readings.intent[kept])
    people: dict[tuple[str | None, str, str], set[int]] = defaultdict(set)
    said: dict[tuple[str | None, str, str], str] = {}
    for k, subject in zip(kept.tolist(), subjects, strict=True):
        key = segments.product_id[on[k]], INTENTS[readings.intent[k]], subject
        people[key].add(int(events.user[here[k]]))
        said.setdefault(key, texts[k] or "")
    found = [Asked(*key, len(who), said[key]) for key, who in people.items()]
    return tuple(
        sorted(found, key=lambda one: (-one.people, one.subject == OTHER, one.intent, one.subject))
    )
