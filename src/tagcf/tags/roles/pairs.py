"""Topic → role and role → topic from behaviour: lifts between different items of the same user.

For a source s (say a topic) and a target r (a role), each user u gives

    a_us   the share of s among what u engaged with that carries no r
    b_us   engagements of u with items that carry r but not s
    e_us   what was to be expected of b_us, given how much u engaged with items without s

Items that carry both are on neither side: that a topic and a role sit on the same items says
nothing of people (`graph.same_item_lifts` measures that, apart). With users weighted by a,

    raw_sr = log (Σ a b + κ π) / (Σ a e + κ) - log π,   π = Σ b / Σ e,

is the log ratio of two rates, the first pulled to everybody's as by κ expected engagements: the
log odds with an informative prior of Monroe, Colaresi and Quinn (2008), "Fightin' Words", section
3.5, with a gamma prior in place of the Dirichlet. In a log of chosen items e is the share of r
among users as active as u, else what u's impressions let expect (`kernels.add_pairs`).

Shares crowd each other out: who likes something else has less of both s and r, so raw lifts are not
0 where tastes are independent, but a sum of a part of s and a part of r (for log-normal tastes,
exactly; the same holds for other compositions, Aitchison 1986). Both parts are taken off: means
over the pairs that a median polish (Tukey 1977) finds unremarkable. This assumes that fewer than
half of the pairs are edges, as SparCC does (Friedman and Alm 2012):

    lift_sr = raw_sr - part_s - part_r.

So a lift says how much more than *usual for this topic and this role* they go together.

Errors are clustered by user: the delete-a-group jackknife over groups of users (Shao and Tu 1995,
section 5.3), with t of groups - 1 degrees of freedom. What crowding leaves beyond rows and columns
makes unremarkable pairs spread wider than their errors; errors are widened by as much (Efron 2004,
"Large-scale simultaneous hypothesis testing: the choice of a null"). Lifts are then shrunk to 0 by
a normal prior whose variance all pairs share, and kept by Benjamini-Hochberg q-values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

from tagcf.tags.roles.engagement import UserBlock
from tagcf.tags.roles.kernels import add_pairs
from tagcf.types import Floats, Mask

GROUPS = 60  # of users, for the jackknife
ACTIVITY = 12  # bins of activity: powers of two
PRIOR = 1.0  # expected engagement, met at everybody's rate
PRIOR_SHARE = 100.0  # engagements at everybody's share, in each bin of activity

Blocks = Callable[[], Iterable[UserBlock]]


@dataclass(frozen=True, slots=True)
class PairSums:
    """Sums over users; G groups, S sources, R targets. See `kernels.add_pairs`."""

    beside: Floats  # (G, S, R) Σ a b
    beside_expected: Floats  # (G, S, R) Σ a e
    total: Floats  # (G, S, R) Σ b
    total_expected: Floats  # (G, S, R) Σ e
    users: np.ndarray  # (S, R) users with a > 0 and b > 0


@dataclass(frozen=True, slots=True)
class Lifts:
    """Every pair of a source and a target; NaN where too few users speak of it."""

    lift: Floats  # (S, R) log ratio
    se: Floats  # (S, R)
    p: Floats  # (S, R)
    q: Floats  # (S, R) Benjamini-Hochberg over all pairs
    shrunk: Floats  # (S, R)
    users: np.ndarray  # (S, R) users who engaged with s, and with r elsewhere


def sum_pairs(
    blocks: Blocks,
    source: sparse.csr_array,
    target: sparse.csr_array,
    *,
    shown: bool,
    groups: int = GROUPS,
) -> PairSums:
    """Sum over all users.

    Parameters
    ----------
    blocks
        Gives the users from the first on, each time it is called.
    source, target
        (I, S) and (I, R), nonzero where an item carries the tag.
    """
    sources, targets = source.shape[1], target.shape[1]
    share = np.zeros((ACTIVITY, targets)) if shown else _usual_share(blocks(), target)
    sums = tuple(np.zeros((groups, sources, targets)) for _ in range(4))
    by_group = (np.zeros((groups, targets)), np.zeros((groups, targets)))
    users = np.zeros((sources, targets), np.int64)
    for block in blocks():
        group = (block.first + np.arange(len(block.begins) - 1)) % groups
        add_pairs(
            block.begins,
            block.item,
            block.engaged,
            block.base,
            _activity(block)[0],
            group,
            np.argsort(group, kind="stable"),
            share,
            (source.indptr, source.indices),
            (target.indptr, target.indices),
            sums,
            by_group,
            users,
        )
    beside, beside_expected, total, total_expected = sums
    total += by_group[0][:, None, :]
    total_expected += by_group[1][:, None, :]
    return PairSums(beside, beside_expected, total, total_expected, users)


def _usual_share(blocks: Iterable[UserBlock], target: sparse.csr_array) -> Floats:
    """(B, R) share of r among the engagements of users in each bin of activity."""
    met, size = np.zeros((ACTIVITY, target.shape[1])), np.zeros((ACTIVITY, 1))
    for block in blocks:
        bins, n = _activity(block)
        size[:, 0] += np.bincount(bins, n, ACTIVITY)
        of_row = np.repeat(bins, np.diff(block.begins)) * target.shape[0] + block.item
        per_item = np.bincount(of_row, block.engaged, ACTIVITY * target.shape[0])
        met += per_item.reshape(ACTIVITY, -1) @ target
    overall = met.sum(axis=0) / size.sum()
    return np.asarray((met + PRIOR_SHARE * overall) / (size + PRIOR_SHARE))


def _activity(block: UserBlock) -> tuple[np.ndarray, Floats]:
    """Bin of activity and engagements of each user."""
    n = np.add.reduceat(np.append(block.engaged, 0.0), block.begins[:-1])
    n[np.diff(block.begins) == 0] = 0.0
    bins = np.clip(np.log2(np.maximum(n, 1.0)).astype(np.int64), 0, ACTIVITY - 1)
    return bins, n


def lifts_of(sums: PairSums, min_users: int = 20) -> Lifts:
    """Lifts with errors, q-values and shrinkage; pairs of fewer than `min_users` users are NaN."""
    parts = (sums.beside, sums.beside_expected, sums.total, sums.total_expected)
    whole = [part.sum(axis=0) for part in parts]
    told = sums.users >= min_users
    raw = _raw_lift(*whole)
    middle = _middle(np.where(told, raw, np.nan))
    lift = _centred(raw, middle)
    groups = len(sums.beside)
    without = np.empty_like(sums.beside)
    for g in range(groups):
        left = [np.maximum(all_ - part[g], 0.0) for all_, part in zip(whole, parts, strict=True)]
        without[g] = _centred(_raw_lift(*left), middle)
    variance = (groups - 1) / groups * ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    told &= variance > 0
    lift, se = np.where(told, lift, np.nan), np.where(told, np.sqrt(variance), np.nan)
    se *= _null_spread(lift / se)
    p = 2 * stats.t.sf(np.abs(lift / se), groups - 1)
    return Lifts(lift, se, p, q_values(p), shrink(lift, se), sums.users)


def _null_spread(z: Floats) -> float:
    """Spread of the middle of z, at least 1: Efron's (2004) empirical null, by the median."""
    known = z[~np.isnan(z)]
    return max(1.0, 1.4826 * float(np.median(np.abs(known)))) if len(known) else 1.0


def _raw_lift(
    beside: Floats, beside_expected: Floats, total: Floats, total_expected: Floats
) -> Floats:
    usual = np.maximum(total / np.maximum(total_expected, 1e-12), 1e-12)
    rate = (beside + PRIOR * usual) / (beside_expected + PRIOR)
    return np.asarray(np.log(rate / usual))


def _middle(raw: Floats, spread: float = 2.5) -> Mask:
    """(S, R) pairs that look like no edge: near 0 once medians of rows and columns are off.

    Near is within `spread` median absolute deviations, scaled to normal.
    """
    left = polished(raw, np.nanmedian)
    known = ~np.isnan(left)
    if not known.any():
        return known
    near: Mask = known & (np.abs(left) <= spread * 1.4826 * np.nanmedian(np.abs(left)))
    return near


def _centred(raw: Floats, middle: Mask) -> Floats:
    """Take off a part of each row and each column: their means over the pairs in the middle."""
    weight = middle.astype(np.float64)
    in_row, in_column = np.maximum(weight.sum(axis=1), 1), np.maximum(weight.sum(axis=0), 1)
    row, column = np.zeros(len(raw)), np.zeros(raw.shape[1])
    for _ in range(10):
        row = ((raw - column) * weight).sum(axis=1) / in_row
        column = ((raw - row[:, None]) * weight).sum(axis=0) / in_column
    return np.asarray(raw - row[:, None] - column)


def polished(table: Floats, centre: Callable[..., Floats], rounds: int = 4) -> Floats:
    """Take the centres of rows and columns off, by turns (Tukey 1977); NaN are left out."""
    left = table.copy()
    rows, columns = (~np.isnan(table)).any(axis=1), (~np.isnan(table)).any(axis=0)
    for _ in range(rounds):
        left[rows] -= centre(left[rows], axis=1, keepdims=True)
        left[:, columns] -= centre(left[:, columns], axis=0, keepdims=True)
    return left


def q_values(p: Floats) -> Floats:
    """Benjamini and Hochberg (1995) over all that is not NaN."""
    q = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    values = p[known]
    order = np.argsort(values, kind="stable")
    ranked = values[order] * len(values) / np.arange(1, len(values) + 1)
    falling = np.minimum.accumulate(ranked[::-1])[::-1]
    back = np.empty_like(falling)
    back[order] = np.minimum(falling, 1.0)
    q[known] = back
    return q


def shrink(estimate: Floats, se: Floats) -> Floats:
    """Posterior means under a normal prior around 0 whose variance is fitted to all estimates.

    The variance v solves Σ (estimate² - se² - v) / (se² + v)² = 0 by fixed-point steps: the
    maximum of the marginal likelihood (Efron and Morris 1973, for unequal errors).
    """
    known = ~np.isnan(estimate)
    squares, errors = estimate[known] ** 2, se[known] ** 2
    if not len(squares):
        return np.array(estimate)
    variance = max(float(np.mean(squares - errors)), 1e-6)
    for _ in range(200):
        weight = 1 / (errors + variance) ** 2
        new = max(float((weight * (squares - errors)).sum() / weight.sum()), 1e-9)
        if abs(new - variance) < 1e-9 * (1 + variance):
            break
        variance = new
    return np.asarray(estimate * variance / (variance + se**2))
