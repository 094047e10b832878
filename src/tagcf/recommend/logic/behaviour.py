"""The logic graph of training histories alone: nothing that is held out has a part in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tagcf.recommend.histories import Histories
from tagcf.tags.roles.engagement import UserBlock
from tagcf.tags.roles.pairs import lifts_of, shrink, sum_pairs
from tagcf.types import Codes, Floats

MOST = 200  # topics, and roles: sums of pairs are full tables for each group of users


@dataclass(frozen=True, slots=True)
class LogicEdges:
    """Log lifts between R roles and T topics, at most so many of each source and sign."""

    to_topics: sparse.csr_array  # (R, T) float32
    to_roles: sparse.csr_array  # (T, R) float32

    def __len__(self) -> int:
        """Count the edges of both directions."""
        return int(self.to_topics.nnz + self.to_roles.nnz)


def behavioural_logic(
    train: Histories,
    topics: sparse.csr_array,
    roles: sparse.csr_array | None = None,
    *,
    top: int = 20,
    min_users: int = 20,
) -> LogicEdges:
    """Learn edges from histories, with the lifts of `tagcf.tags.roles.pairs`.

    `build_logic` keeps the edges that are surely more than usual, for people to read. Where tastes
    are everywhere none may be (on ml-100k and LastFM none is), and a score wants the best guess of
    every lift: here lifts are shrunk by how many users speak of them, and the strongest are kept.

    Parameters
    ----------
    topics
        (I, T), nonzero where an item carries the topic.
    roles
        (I, R); None: each topic is also the role of those who like it, and an edge says what
        else they have, on other items.
    top
        Edges of each source, the strongest of either sign.
    min_users
        Pairs that fewer users speak of have no edge.
    """
    role = topics if roles is None else roles
    kept_topics, kept_roles = _frequent(train, topics), _frequent(train, role)
    one = _carried(topics, kept_topics)
    other = _carried(role, kept_roles)
    shape = (role.shape[1], topics.shape[1])
    to_topics = _edges(train, (other, kept_roles), (one, kept_topics), shape, top, min_users)
    if roles is None:
        return LogicEdges(to_topics, to_topics)
    back = (shape[1], shape[0])
    to_roles = _edges(train, (one, kept_topics), (other, kept_roles), back, top, min_users)
    return LogicEdges(to_topics, to_roles)


Side = tuple[sparse.csr_array, Codes]  # which items carry the tags kept; their columns


def _edges(
    train: Histories,
    source: Side,
    target: Side,
    shape: tuple[int, int],
    top: int,
    min_users: int,
) -> sparse.csr_array:
    block = UserBlock(0, train.indptr, train.item, np.ones(train.item.size), np.empty(0))
    if not train.item.size:
        return sparse.csr_array(np.zeros(shape, np.float32))
    sums = sum_pairs(lambda: [block], source[0], target[0], shown=False)
    lifts = lifts_of(sums, min_users)
    # The error of a log ratio of counts, one count a user: lifts_of's own is widened for tests.
    weight = np.nan_to_num(shrink(lifts.lift, 1 / np.sqrt(np.maximum(lifts.users, 1))))
    kept = _strongest(weight, top)
    place = source[1][kept[0]], target[1][kept[1]]
    return sparse.csr_array((weight[kept].astype(np.float32), place), shape=shape)


def _strongest(weight: Floats, top: int) -> tuple[Codes, Codes]:
    """Rows and columns of the `top` largest of each row by size; zeros are left out."""
    column = np.argsort(-np.abs(weight), axis=1, kind="stable")[:, :top]
    row = np.repeat(np.arange(len(weight)), column.shape[1]).reshape(column.shape)
    some = weight[row, column] != 0
    return row[some].astype(np.int32), column[some].astype(np.int32)


def _frequent(train: Histories, table: sparse.csr_array) -> Codes:
    """Columns that most events carry, in their order."""
    count = np.bincount(train.item, minlength=train.n_items).astype(np.float64)
    met = count @ abs(table).sign()
    most = np.argsort(-met, kind="stable")[:MOST]
    return np.sort(most[met[most] > 0]).astype(np.int32)


def _carried(table: sparse.csr_array, columns: Codes) -> sparse.csr_array:
    kept = sparse.csr_array(sparse.csr_array(table)[:, columns])
    kept.eliminate_zeros()
    return sparse.csr_array(
        (np.ones(kept.nnz, np.float32), kept.indices, kept.indptr), shape=kept.shape
    )
