"""Compiled sums over the engagements of users: what goes with what on *different* items."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def add_pairs(
    begins,
    item,
    engaged,
    base,
    activity,
    group,
    order,
    share,
    source,
    target,
    sums,
    by_group,
    users,
):
    """Add a block of users, each with all its rows, to the sums of `pairs.PairSums`.

    Of user u, over engaged rows: n all, A_s those with s, B_r with r, M_sr with both; P likewise
    the sums of `base`, what items let expect of a row. Then

        a_usr = (A_s - M_sr) / (n - B_r)        share of s among items without r
        b_usr = B_r - M_sr                      engagements with r on items without s
        e_usr = (n - A_s) · share of r among items without s, to be expected:
                (P_r - P_sr) / (P - P_s), or share[activity, r] where `base` is empty

    `source` and `target` are (indptr, indices) of the tables of items. `sums` are four of shape
    (G, S, R): Σ a b, Σ a e, and of users who have s, what b and e differ by from those of users
    without it, which stand in the two of `by_group`, (G, R). users[s, r] counts users with a > 0
    and b > 0.
    Users come in `order`, group by group, so that one group's sums stay in the cache.
    Time: rows × (sources × targets of an item) + users × (their sources × targets).
    """
    n_sources, n_targets = users.shape
    shown = len(base) > 0
    own = np.zeros((2, n_sources))  # engaged, base
    met = np.zeros((2, n_targets))
    both = np.zeros((2, n_sources, n_targets))
    sources = np.empty(n_sources, np.int64)
    targets = np.arange(n_targets)
    seen_source = np.zeros(n_sources, np.bool_)
    seen_target = np.zeros(n_targets, np.bool_)
    if not shown:  # every target is expected of every user
        seen_target[:] = True
    for u in order:
        n_own = 0
        n_met = 0 if shown else n_targets
        n, n_base = 0.0, 0.0
        for row in range(begins[u], begins[u + 1]):
            y, p = engaged[row], base[row] if shown else 0.0
            n += y
            n_base += p
            n_own = _add_row(item[row], y, p, source, own, sources, seen_source, n_own)
            n_met = _add_row(item[row], y, p, target, met, targets, seen_target, n_met)
            _add_both(item[row], y, p, source, target, both)
        usual = _usual(met, n_base) if shown else share[activity[u]]
        g = group[u]
        for k in range(n_met):
            r = targets[k]
            by_group[0][g, r] += met[0, r]
            by_group[1][g, r] += n * usual[r]
        for j in range(n_own):
            s = sources[j]
            rest = n - own[0, s]
            for k in range(n_met):
                r = targets[k]
                expected = rest * usual[r]
                if shown:
                    left = met[1, r] - both[1, s, r]
                    expected = rest * left / (n_base - own[1, s]) if left > 1e-9 * n_base else 0.0
                other = met[0, r] - both[0, s, r]
                sums[2][g, s, r] += other - met[0, r]
                sums[3][g, s, r] += expected - n * usual[r]
                if own[0, s] > both[0, s, r]:
                    alone = own[0, s] - both[0, s, r]
                    dose, dosed = _dosed(alone, n - met[0, r], other, rest)
                    sums[0][g, s, r] += dose * other
                    sums[1][g, s, r] += dosed * expected
                    users[s, r] += other > 0
            _forget(s, own, both, seen_source, targets, n_met)
        for k in range(n_met):
            met[:, targets[k]] = 0.0
            seen_target[targets[k]] = not shown


@njit(cache=True)
def _add_row(i, y, p, table, total, listed, seen, n_listed):
    """Add a row to its tags' totals; list those met for the first time."""
    for at in range(table[0][i], table[0][i + 1]):
        tag = table[1][at]
        if not seen[tag]:
            seen[tag] = True
            listed[n_listed] = tag
            n_listed += 1
        total[0, tag] += y
        total[1, tag] += p
    return n_listed


@njit(cache=True)
def _add_both(i, y, p, source, target, both):
    """Add a row to the totals of the pairs that its item carries."""
    for to in range(target[0][i], target[0][i + 1]):
        r = target[1][to]
        for at in range(source[0][i], source[0][i + 1]):
            both[0, source[1][at], r] += y
            both[1, source[1][at], r] += p


@njit(cache=True)
def _usual(met, n_base):
    """(R,) share of each target in what was to be expected."""
    return met[1] / max(n_base, 1e-12)


@njit(cache=True)
def _dosed(alone, without, other, rest):
    """Return the dose a, and what to weight e with.

    e stands for `rest` = b + engagements with neither. Dose and neither are drawn from the same
    `without` engagements, so E[a · neither] falls short of the product of their means by
    (without - 1) / without; this makes up for it.
    """
    dose = alone / without
    neither = without - alone
    if without <= 1.0 or rest <= 0.0:
        return dose, 0.0
    return dose, dose * (other + neither * without / (without - 1.0)) / rest


@njit(cache=True)
def _forget(s, own, both, seen_source, targets, n_met):
    own[:, s] = 0.0
    seen_source[s] = False
    for k in range(n_met):
        both[:, s, targets[k]] = 0.0
