"""What terms have in an item's score: its tags where they tell it, segments, roles, popularity."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.terms.serving import Serving
from tagcf.types import Fidelity, Floats, Named, ScoreTerm, TagScore, TagShare

NAMED = 3  # tags, and roles
Kind = Literal["segments", "logic", "reach"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def tag_score(serving: Serving, item: int, score: float) -> TagScore | None:
    """Part the score of an item with no or few events by its tags, and put those to the test.

    Its tags are exactly what the score is made of: a weight each, and likeness to the history's
    tags. The test scores the item again without the tags named. None where its own record tells
    all of its score.

    Parameters
    ----------
    score
        What the item has.
    """
    reading = serving.served.reading
    if reading is None:
        return None
    said = float(1 - reading.term.own_share[item]) * serving.own()
    if said == 0:
        return None
    stretched = reading.stretched(np.array([item], np.int32))[0]
    ridge, rows = reading.term.ridge.tags, reading.term.alike.rows
    tag, value, alike = carried(ridge, rows, item)
    worth = stretched * value * reading.by_tag[0, tag]
    near = stretched * float(reading.stretch[0]) * alike * reading.profile[0, tag]
    part = np.asarray(said * (worth + near), np.float64)
    order = [int(one) for one in np.lexsort((tag, -part)) if value[one] > 0]
    count = sum(part[one] > 0 for one in order[:NAMED])
    named, others = order[:count], order[count : 2 * count]

    def without(dropped: list[int]) -> float:
        left = np.sqrt(max(1.0 - float((alike[dropped] ** 2).sum()), 0.0))
        again = np.delete(near, dropped).sum() / left if left > 1e-6 else 0.0
        lost = worth[dropped].sum() + near.sum() - again
        return float(score - said * lost)

    enough = count > 0 and len(others) == count
    names = serving.terms.names.features
    return TagScore(
        share=said,
        tags=tuple(
            _share(names[reading.term.columns[tag[one]]], float(part[one])) for one in named
        ),
        fidelity=Fidelity(float(score), without(named), without(others) if enough else None),
    )


def carried(
    ridge: sparse.csr_array, rows: sparse.csr_array, item: int
) -> tuple[NDArray[np.integer], NDArray[np.float32], NDArray[np.float32]]:
    """(t,) tags of an item, their values in the ridge, whose last is a constant, and in rows."""
    at = slice(ridge.indptr[item], ridge.indptr[item + 1])
    there = ridge.indices[at] < rows.shape[1]
    tag, value = ridge.indices[at][there], ridge.data[at][there]
    at = slice(rows.indptr[item], rows.indptr[item + 1])
    near = np.zeros(rows.shape[1], np.float32)
    near[rows.indices[at]] = rows.data[at]
    return tag, value, near[tag]


def terms_of(serving: Serving, item: int, values: Floats) -> tuple[ScoreTerm, ...]:
    """Name the terms that have a part in an item's score: `values` (3,) as in `KINDS`."""
    names, found = serving.terms.names, []
    for kind, value in zip(KINDS, values.tolist(), strict=True):
        if value == 0.0:
            continue
        because: tuple[Named, ...] = ()
        if kind == "segments" and serving.groups is not None:
            because = tuple(names.levels[one] for one in serving.groups.indices)
        elif kind == "logic":
            because = _roles(serving, item)
        found.append(ScoreTerm(kind, value, because))
    return tuple(found)


def _share(tag: Named, share: float) -> TagShare:
    return TagShare(tag.name, tag.zh, tag.en, share)


def _roles(serving: Serving, item: int) -> tuple[Named, ...]:
    """Roles, or topics, that speak most for an item."""
    share = serving.by_role(np.array([item], np.int32))[0]
    order = np.argsort(-share, kind="stable")[:NAMED]
    return tuple(serving.terms.names.roles[one] for one in order if share[one] > 0)
