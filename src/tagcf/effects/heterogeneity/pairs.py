"""Pairs of tags: what both do together beyond the sum of what each does.

A pair's column is the product of two tags, each minus its mean over items, so that the single
tags keep their average effects. The single tags are all in the model, and pairs are held against
one another (`tagcf.effects.heterogeneity.pair_fits`). Errors and effective clusters are those of
the joint estimator (leave one item or author out, two-way).

Pairs are screened by how many items carry both, one and none of the tags, never by outcomes:
the tests that are left remain valid, and false discovery is controlled over all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tagcf.effects.estimates import FALSE_DISCOVERY_RATE
from tagcf.effects.heterogeneity.answers import PairEffect
from tagcf.effects.heterogeneity.ground import Ground
from tagcf.effects.heterogeneity.pair_fits import Positions, Solved, solve_pairs
from tagcf.effects.multiplicity import ALPHA, false_discovery
from tagcf.effects.refusals import FEWEST_EFFECTIVE, LEAST_UNIQUE
from tagcf.types import Floats, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which pairs are looked at.

    Parameters
    ----------
    min_items
        Items that must carry both tags, the first alone, the second alone, and neither.
    most
        Pairs at most; those with the most items in their smallest cell stay.
    block
        Pairs solved for at once, at most; there are also five items at least for each column.
    """

    min_items: int = 30
    most: int = 2_000
    block: int = 500


@dataclass(frozen=True, slots=True)
class _Counts:
    """Items with both, the first alone, the second alone and neither. (P,) each."""

    both: NDArray[np.intp]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    neither: NDArray[np.intp]

    @property
    def least(self) -> NDArray[np.intp]:
        """Smallest of the four cells."""
        cells = np.stack([self.both, self.first, self.second, self.neither])
        return np.asarray(cells.min(axis=0), dtype=np.intp)


def pair_effects(
    ground: Ground, using: Pairs | None = None, named: Sequence[tuple[str, str]] = ()
) -> tuple[PairEffect, ...]:
    """Estimate interactions of pairs of tags.

    Parameters
    ----------
    named
        Pairs of slugs to look at; all pairs that pass the screening unless given. A named pair
        that does not pass is answered with the reason.
    """
    using = using or Pairs()
    pairs = _named(ground, named) if named else _all_pairs(ground, using)
    found = _left_out(ground, named)
    if not len(pairs):
        return tuple(found)
    counts = _count(ground.task.carried[ground.shown], pairs)
    enough = np.flatnonzero(counts.least >= using.min_items)
    for outcomes in ground.weight_groups():
        solved = solve_pairs(ground, pairs[enough], outcomes, using.block)
        for k, outcome in enumerate(outcomes):
            name = ground.task.log.outcomes[outcome].name
            found += _told(ground, name, pairs[enough], _at(counts, enough), solved[k])
            found += [
                _screened_out(ground, name, pairs[at], counts, int(at), using)
                for at in np.setdiff1d(np.arange(len(pairs)), enough)
            ]
    return tuple(found)


def _all_pairs(ground: Ground, using: Pairs) -> Positions:
    """(P, 2) pairs that the items can tell, best supported first where there are too many."""
    carried = ground.task.carried[ground.shown]
    both = carried.T @ carried
    one = np.diag(both)
    alone = one[:, None] - both
    least = np.minimum.reduce([both, alone, alone.T, len(carried) - alone - one[None, :]])
    least[~ground.columns] = least[:, ~ground.columns] = -1
    first, second = np.nonzero(np.triu(least >= using.min_items, 1))
    best = np.argsort(-least[first, second], kind="stable")[: using.most]
    kept = np.sort(best)  # in the order of the first tag: pairs that share it are neighbours
    return np.stack([first[kept], second[kept]], axis=1)


def _named(ground: Ground, named: Sequence[tuple[str, str]]) -> Positions:
    slugs = ground.task.slugs
    known = [(a, b) for a, b in named if a in slugs and b in slugs and a != b]
    return np.array([(slugs.index(a), slugs.index(b)) for a, b in known], dtype=np.intp)


def _count(carried: Floats, pairs: Positions) -> _Counts:
    one = carried.sum(axis=0)
    first, second = one[pairs[:, 0]], one[pairs[:, 1]]
    both = np.array([carried[:, a] @ carried[:, b] for a, b in pairs])
    cells = [both, first - both, second - both, len(carried) - first - second + both]
    return _Counts(*[np.asarray(cell, dtype=np.intp) for cell in cells])


def _at(counts: _Counts, chosen: Positions) -> _Counts:
    cells = (counts.both, counts.first, counts.second, counts.neither)
    return _Counts(*[cell[chosen] for cell in cells])


def _told(
    ground: Ground, outcome: str, pairs: Positions, counts: _Counts, solved: Solved
) -> list[PairEffect]:
    reasons = [_reason(solved, at) for at in range(len(pairs))]
    told = np.array([reason is None for reason in reasons], dtype=bool)
    half = stats.t.ppf(1 - ALPHA / 2, solved.df) * solved.se
    low, high, p = solved.estimate - half, solved.estimate + half, solved.p
    q = false_discovery(np.where(told, p, np.nan))
    return [
        PairEffect(
            first=ground.task.slugs[pairs[at, 0]],
            second=ground.task.slugs[pairs[at, 1]],
            outcome=outcome,
            estimate=_number(low[at] + half[at]),
            se=_number(solved.se[at]),
            ci_low=_number(low[at]),
            ci_high=_number(high[at]),
            p=_number(p[at]),
            q=_number(q[at]),
            n_both=int(counts.both[at]),
            n_first_only=int(counts.first[at]),
            n_second_only=int(counts.second[at]),
            effective_items=round(float(solved.effective[at]), 2),
            rung=ground.design.rung,
            verdict=_verdict(reasons[at], q[at], low[at], high[at]),
            reason=reasons[at],
            diagnostics={
                "unique_share": round(float(solved.unique_share[at]), 4),
                "df": round(float(solved.df[at]), 1),
                "pairs_tested": int(told.sum()),
                "rows": ground.design.rows.exposure,
            },
        )
        for at in range(len(pairs))
    ]


def _reason(solved: Solved, at: int) -> Reason | None:
    if solved.why is not None:
        return solved.why
    if not solved.kept[at] or solved.unique_share[at] < LEAST_UNIQUE:
        return Reason("reason.pair_not_its_own")
    if not solved.se[at] > 0:
        return Reason("reason.not_estimated")
    for key, count in (
        ("reason.few_effective", solved.effective[at]),
        ("reason.few_users", solved.crossing[at]),
    ):
        if count < FEWEST_EFFECTIVE:
            return Reason(key, (("n", round(float(count), 1)), ("need", FEWEST_EFFECTIVE)))
    return None


def _screened_out(
    ground: Ground, outcome: str, pair: Positions, counts: _Counts, at: int, using: Pairs
) -> PairEffect:
    facts = (
        ("both", int(counts.both[at])),
        ("first", int(counts.first[at])),
        ("second", int(counts.second[at])),
        ("neither", int(counts.neither[at])),
        ("need", using.min_items),
    )
    first, second = ground.task.slugs[pair[0]], ground.task.slugs[pair[1]]
    cells = int(counts.both[at]), int(counts.first[at]), int(counts.second[at])
    reason = Reason("reason.few_pair_items", facts)
    return _refused(ground, first, second, outcome, cells, reason)


def _left_out(ground: Ground, named: Sequence[tuple[str, str]]) -> list[PairEffect]:
    """Answers for named pairs of which the model does not hold both tags."""
    slugs, reason = ground.task.slugs, Reason("reason.pair_left_out")
    return [
        _refused(ground, a, b, ground.task.log.outcomes[at].name, (0, 0, 0), reason)
        for a, b in named
        if a not in slugs or b not in slugs
        for at in ground.task.logged()
    ]


def _refused(
    ground: Ground,
    first: str,
    second: str,
    outcome: str,
    cells: tuple[int, int, int],
    reason: Reason,
) -> PairEffect:
    return PairEffect(
        first,
        second,
        outcome,
        n_both=cells[0],
        n_first_only=cells[1],
        n_second_only=cells[2],
        effective_items=0.0,
        rung=ground.design.rung,
        verdict="cannot tell",
        reason=reason,
    )


def _verdict(reason: Reason | None, q: float, low: float, high: float) -> Verdict:
    if reason is not None:
        return "cannot tell"
    if q > FALSE_DISCOVERY_RATE or low <= 0 <= high:
        return "no clear effect"
    return "raises" if low > 0 else "lowers"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
