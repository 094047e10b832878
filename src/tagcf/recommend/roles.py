"""Roles as a recommender keeps them: of items for its scores, of users for people to read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from tagcf.errors import EstimationError
from tagcf.recommend.people import People
from tagcf.tags.roles.tables import RoleTables
from tagcf.types import EventLog, Tag, UserRole

TOLD = 3  # roles of a user


@dataclass(frozen=True, slots=True)
class KnownRoles:
    """I items, U users, R roles. Of users, only roles that are surely theirs."""

    roles: tuple[Tag, ...]
    of_items: sparse.csr_array  # (I, R) strength in 0..1
    lift: sparse.csr_array  # (U, R) log lift
    low: sparse.csr_array  # (U, R) its lower limit, above 0; same pattern
    current: bool  # made with the present tag tree

    def of_user(self, user: int) -> tuple[UserRole, ...]:
        """Roles of a user, the surest first; none for those who came later."""
        if not 0 <= user < self.lift.shape[0]:
            return ()
        at = slice(int(self.low.indptr[user]), int(self.low.indptr[user + 1]))
        low, lift = self.low.data[at], self.lift.data[at]
        order = np.argsort(-low, kind="stable")[:TOLD].tolist()
        return tuple(
            _told(self.roles[self.low.indices[at][one]], float(lift[one]), float(low[one]))
            for one in order
        )

    def without(self, user: int) -> KnownRoles:
        """Forget a user's roles."""
        if not 0 <= user < self.lift.shape[0]:
            return self
        kept = np.ones(self.low.shape[0], np.float32)
        kept[user] = 0.0
        tables = (sparse.csr_array(sparse.diags_array(kept) @ one) for one in (self.lift, self.low))
        lift, low = tables
        for one in (lift, low):
            one.eliminate_zeros()
        return replace(self, lift=lift, low=low)


def known_roles(tables: RoleTables, log: EventLog) -> KnownRoles:
    """Keep what is used of role tables.

    Raises
    ------
    EstimationError
        They are of other items or users than the log's; see `load_roles`.
    """
    same = tables.items.ids.equals(log.items.ids) and tables.users.ids.equals(log.users.ids)
    if not same:
        raise EstimationError("recommend.roles_of_others", items=f"{len(log.items):,}")
    told = np.repeat(tables.user_told, np.diff(tables.user_roles_low.indptr))
    sure = told & (tables.user_roles_low.data > 0)
    return KnownRoles(
        tables.roles,
        sparse.csr_array(tables.item_roles),
        _kept(tables.user_roles, sure),
        _kept(tables.user_roles_low, sure),
        tables.current,
    )


def roles_of(known: KnownRoles | None, people: People, user: str | None) -> tuple[UserRole, ...]:
    """Roles of a user by id."""
    return () if known is None or user is None else known.of_user(people.require(user))


def _kept(table: sparse.csr_array, kept: np.ndarray) -> sparse.csr_array:
    before = np.concatenate([[0], np.cumsum(kept)])
    parts = table.data[kept], table.indices[kept], before[table.indptr]
    return sparse.csr_array(parts, shape=table.shape)


def _told(role: Tag, lift: float, low: float) -> UserRole:
    return UserRole(role.slug, role.zh, role.en, lift, low)
