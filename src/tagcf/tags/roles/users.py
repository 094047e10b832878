"""Roles of users: from the roles of what they engaged with, against what was to be expected.

For user u and role r, over the rows of u,

    O_ur = Σ w_i · engaged · r_i          E_ur = Σ w_i · expected · r_i

where r_i is the strength of r on item i and w_i = -log(rate of engagement with i), over its mean:
engaging with what everybody engages with says little. O is taken for a scaled Poisson count with
mean λ_ur E_ur (scale c_r = Σ w²r² e / Σ w r e, Fay and Feuer 1997), and the lifts λ of all users
of a role for draws of a gamma of mean 1 whose shape is fitted to them (DuMouchel 1999). So

    λ_ur | O ~ Gamma(shape + O / c, rate shape + E / c)

Few engagements leave a lift near 1 with a wide interval; users with fewer than `min_events` get no
roles at all: cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse, special

from tagcf.tags.roles.engagement import BLOCK_ROWS, Reading, UserBlock, read_engagement, user_blocks
from tagcf.types import EventLog, Floats, IdMap, Tag, TagMatrix

KEPT = 12  # roles of a user
USERS_AT_ONCE = 10_000  # rows of the dense blocks
SHAPES = (0.05, 1000.0)  # limits of the fitted gamma shapes

RoleVerdict = Literal["more", "no clear difference"]


@dataclass(frozen=True, slots=True)
class RoleOfUser:
    """How much more than others a user engages with what speaks to a role; 1: as others."""

    role: Tag
    lift: float
    low: float
    high: float
    verdict: RoleVerdict


@dataclass(frozen=True, slots=True)
class UserRoles:
    """Lifts of users' roles with intervals: three matrices of one pattern, most certain kept."""

    users: IdMap
    roles: tuple[Tag, ...]
    lift: sparse.csr_array  # (U, R) float32 posterior mean
    low: sparse.csr_array  # (U, R) float32
    high: sparse.csr_array  # (U, R) float32
    events: np.ndarray  # (U,) engagements
    min_events: int
    level: float  # of the intervals

    def of(self, user: str) -> tuple[RoleOfUser, ...] | None:
        """Roles of a user, surest first; ``None``: too few engagements, cannot tell."""
        position = int(self.users.find([user])[0])
        if position < 0 or self.events[position] < self.min_events:
            return None
        at = slice(self.lift.indptr[position], self.lift.indptr[position + 1])
        found = [
            RoleOfUser(
                self.roles[self.lift.indices[k]],
                float(self.lift.data[k]),
                float(self.low.data[k]),
                float(self.high.data[k]),
                "more" if self.low.data[k] > 1 else "no clear difference",
            )
            for k in range(at.start, at.stop)
        ]
        return tuple(sorted(found, key=lambda one: -one.low))


def user_roles(
    log: EventLog,
    roles: TagMatrix,
    outcome: str | None = None,
    positive: float | None = None,
    *,
    min_events: int = 10,
    level: float = 0.9,
    block_rows: int = BLOCK_ROWS,
) -> UserRoles:
    """Infer the roles of users from their engagements.

    Parameters
    ----------
    log, outcome, positive
        As `read_engagement`.
    roles
        Roles of the log's items (`role_matrix`, `encode_roles`), in the log's order of items.
    min_events
        Users with fewer engagements get none.
    level
        Of the intervals, per user and role: among a hundred roles some lie outside by chance.
    """
    reading = read_engagement(log, outcome, positive)
    weight = _surprise(reading)
    strength = roles.strength.astype(np.float64)
    model = _fit(log, reading, weight, strength, block_rows)
    parts = [_NONE]
    parts += [
        _posterior(counts, model, min_events, level)
        for counts in _counts(log, reading, weight, strength, block_rows)
    ]
    rows, cols, lift, low, high = (np.concatenate(column) for column in zip(*parts, strict=True))
    shape = (len(log.users), len(roles.tags))

    def matrix(values: Floats) -> sparse.csr_array:
        return sparse.csr_array((values.astype(np.float32), (rows, cols)), shape=shape)

    return UserRoles(
        log.users,
        roles.tags,
        matrix(lift),
        matrix(low),
        matrix(high),
        np.round(reading.user_engaged).astype(np.int64),
        min_events,
        level,
    )


@dataclass(frozen=True, slots=True)
class _Model:
    """What all users of a role share."""

    scale: Floats  # (R,) c
    shape: Floats  # (R,) of the gamma of lifts


@dataclass(frozen=True, slots=True)
class _Counts:
    """A few users: their rows in the log's numbering, O and E dense."""

    first: int
    events: Floats  # (b,)
    observed: Floats  # (b, R)
    expected: Floats  # (b, R)


_NONE = tuple(np.empty(0, kind) for kind in (np.int64, np.int64, float, float, float))


def _surprise(reading: Reading) -> Floats:
    """(I,) -log of the rate of engagement, in a log of chosen items of the share of users."""
    rate = reading.item_rate
    if not reading.shown:
        rate = reading.item_share * reading.user_engaged.sum() / max(len(reading.user_rows), 1)
    bits = -np.log(np.clip(rate, 1e-6, 0.99))
    mean = float(bits @ reading.item_share)
    return np.asarray(bits / mean)


def _counts(
    log: EventLog,
    reading: Reading,
    weight: Floats,
    strength: sparse.csr_array,
    block_rows: int,
) -> Iterator[_Counts]:
    weighted = sparse.diags_array(weight) @ strength
    usual = reading.item_share @ weighted  # (R,) expected per engagement in a log of chosen items
    for block in user_blocks(log, reading, block_rows):
        for start in range(0, len(block.begins) - 1, USERS_AT_ONCE):
            stop = min(start + USERS_AT_ONCE, len(block.begins) - 1)
            engaged, expected = _tables(block, start, stop, strength.shape[0])
            events = np.asarray(engaged.sum(axis=1), np.float64).ravel()
            wanted = (expected @ weighted).toarray() if reading.shown else np.outer(events, usual)
            yield _Counts(block.first + start, events, (engaged @ weighted).toarray(), wanted)


def _tables(
    block: UserBlock, start: int, stop: int, n_items: int
) -> tuple[sparse.csr_array, sparse.csr_array]:
    begins = block.begins[start : stop + 1]
    rows = slice(begins[0], begins[-1])
    shape = (stop - start, n_items)
    index = (block.item[rows], begins - begins[0])
    return (
        sparse.csr_array((block.engaged[rows].astype(float), *index), shape=shape),
        sparse.csr_array((_expected(block, start, stop), *index), shape=shape),
    )


def _expected(block: UserBlock, start: int, stop: int) -> Floats:
    """(n,) base of each row times how freely its user engages, so that each user's sum fits."""
    begins = block.begins[start : stop + 1]
    rows = slice(begins[0], begins[-1])
    if not len(block.base):
        return block.engaged[rows].astype(float)
    user = np.repeat(np.arange(stop - start), np.diff(begins))
    base = block.base[rows].astype(float)
    engaged = np.bincount(user, block.engaged[rows], stop - start)
    freely = engaged / np.maximum(np.bincount(user, base, stop - start), 1e-12)
    return np.asarray(base * freely[user])


def _fit(
    log: EventLog,
    reading: Reading,
    weight: Floats,
    strength: sparse.csr_array,
    block_rows: int,
) -> _Model:
    """Scales from the items, shapes by moments over users: E² / shape is what Poisson leaves."""
    weighted = sparse.diags_array(weight) @ strength
    mean = reading.item_share @ weighted
    square = reading.item_share @ weighted.power(2)
    scale = np.where(mean > 0, square / np.maximum(mean, 1e-12), 1.0)
    wanted = np.zeros(len(scale))
    excess = np.zeros(len(scale))
    for counts in _counts(log, reading, weight, strength, block_rows):
        observed, expected = counts.observed / scale, counts.expected / scale
        wanted += (expected**2).sum(axis=0)
        excess += ((observed - expected) ** 2 - expected).sum(axis=0)
    shape = np.clip(wanted / np.maximum(excess, 1e-9), *SHAPES)
    return _Model(scale, shape)


def _posterior(
    counts: _Counts, model: _Model, min_events: int, level: float
) -> tuple[np.ndarray, ...]:
    """Rows, columns, lift, low, high of the roles kept of these users."""
    told = (counts.events >= min_events)[:, None] & (counts.observed > 0)
    row, role = np.nonzero(told)
    shape = model.shape[role] + counts.observed[row, role] / model.scale[role]
    rate = model.shape[role] + counts.expected[row, role] / model.scale[role]
    low = special.gammaincinv(shape, (1 - level) / 2) / rate
    order = np.lexsort((-low, row))
    begins = np.searchsorted(row, np.arange(len(counts.events)))
    rank = np.arange(len(order)) - begins[row[order]]
    kept = order[rank < KEPT]
    high = special.gammaincinv(shape[kept], (1 + level) / 2) / rate[kept]
    lift = shape[kept] / rate[kept]
    return counts.first + row[kept], role[kept], lift, low[kept], high
