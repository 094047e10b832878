"""Roles of a workspace as sparse matrices, in the order of a log: what a recommender reads.

``tagcf tag --roles`` writes them; `load_roles` reads them. Roles that touch a protected attribute
are left out unless ``[roles] protected`` has them on *now*, whatever was on when they were written.

>>> roles = load_roles(workspace, log.items, log.users)  # doctest: +SKIP
>>> liked = roles.user_roles.maximum(0) @ roles.to_topics.maximum(0)  # (U, T)  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.data.workspace import Workspace
from tagcf.tags.matrix import tags_version
from tagcf.tags.roles.graph import Edges
from tagcf.tags.roles.store import logic_versions, read_item_roles, read_logic, read_user_roles
from tagcf.tags.roles.vocabulary import allowed_roles, names_off
from tagcf.tags.vocabulary import names_of
from tagcf.types import IdMap, Mask, Tag

LEAST = 1e-6  # of a lift, where its logarithm is taken


@dataclass(frozen=True, slots=True)
class RoleTables:
    """Items, users and topics against roles; I items, U users, R roles, T topics. All float32."""

    items: IdMap
    users: IdMap
    roles: tuple[Tag, ...]
    topics: tuple[Tag, ...]
    item_roles: sparse.csr_array  # (I, R) strength in 0..1
    user_roles: sparse.csr_array  # (U, R) log lift: above 0 more than was to be expected, shrunken
    user_roles_low: sparse.csr_array  # (U, R) its lower limit, same pattern; above 0: surely more
    user_told: Mask  # (U,) False: too few engagements, cannot tell
    to_roles: sparse.csr_array  # (T, R) log lift of the logic graph's edges, both signs
    to_topics: sparse.csr_array  # (R, T)
    current: bool  # made with today's tag tree and roles; else run ``tagcf tag --roles`` again


def load_roles(
    workspace: Workspace, items: IdMap | None = None, users: IdMap | None = None
) -> RoleTables:
    """Load what ``tagcf tag --roles`` wrote.

    Parameters
    ----------
    items, users
        Rows of the matrices, as a log has them; ids that were not there when the roles were
        written have empty rows. Default: those that were written.

    Raises
    ------
    OutputError
        Nothing has been written yet, it cannot be read, or another program wrote it.
    """
    graph, of_users = read_logic(workspace), read_user_roles(workspace)
    protected = workspace.settings.roles.protected
    off = names_off(protected)
    every = {role.slug: role for role in (*graph.roles, *of_users.roles)}
    roles = tuple(role for role in every.values() if not names_of(role) & off)
    of_items = read_item_roles(workspace, items, roles)
    people = users or of_users.users
    at = of_users.users.find([str(one) for one in people.ids.to_pylist()])
    column = _columns(of_users.roles, roles)
    topics = np.arange(len(graph.topics))
    side = _columns(graph.roles, roles)
    low = _placed(of_users.low, at, column, len(roles))
    lift = _placed(of_users.lift, at, column, len(roles))
    lift.data, low.data = (np.log(np.maximum(one.data, LEAST)) for one in (lift, low))
    now = {"tags": tags_version(workspace), "roles": allowed_roles(protected).version}
    return RoleTables(
        items=of_items.items,
        users=people,
        roles=roles,
        topics=graph.topics,
        item_roles=of_items.strength,
        user_roles=lift,
        user_roles_low=low,
        user_told=np.append(of_users.events, -1)[at] >= of_users.min_events,
        to_roles=_edges(graph.to_roles, topics, side, (len(graph.topics), len(roles))),
        to_topics=_edges(graph.to_topics, side, topics, (len(roles), len(graph.topics))),
        current=logic_versions(workspace) == now,
    )


def _columns(old: tuple[Tag, ...], new: tuple[Tag, ...]) -> np.ndarray:
    """Position among the new of each old role; -1 where it is left out."""
    place = {role.slug: k for k, role in enumerate(new)}
    return np.array([place.get(role.slug, -1) for role in old], np.int64)


def _placed(
    matrix: sparse.csr_array, rows: np.ndarray, columns: np.ndarray, width: int
) -> sparse.csr_array:
    """Rows (-1: empty) and columns of a matrix in another order."""
    entry = columns[matrix.indices]
    kept = np.concatenate([[0], np.cumsum(entry >= 0)])
    inside = sparse.csr_array(
        (matrix.data[entry >= 0].astype(np.float32), entry[entry >= 0], kept[matrix.indptr]),
        shape=(matrix.shape[0], width),
    )
    length = np.where(rows >= 0, np.diff(inside.indptr)[rows], 0) if len(rows) else rows
    begins = np.concatenate([[0], np.cumsum(length)])
    source = np.repeat(inside.indptr[rows] - begins[:-1], length) + np.arange(begins[-1])
    shape = (len(rows), width)
    return sparse.csr_array((inside.data[source], inside.indices[source], begins), shape=shape)


def _edges(
    edges: Edges, sources: np.ndarray, targets: np.ndarray, shape: tuple[int, int]
) -> sparse.csr_array:
    row, column = sources[edges.source], targets[edges.target]
    kept = (row >= 0) & (column >= 0)
    weight = edges.weight[kept].astype(np.float32)
    return sparse.csr_array((weight, (row[kept], column[kept])), shape=shape)
