"""Strength shared between parent and child tags: a table of tags in, a table of tags out.

Off by default, and never done before effects are estimated unless somebody asks: whether an item
*carries* a tag is the treatment. Lifted from its children, 萌宠 means "宠物, or 狗狗, or 猫咪"; its
effect is then that of another treatment, and holding the children fixed leaves little of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from tagcf.tags.vocabulary import ancestors
from tagcf.types import Tag, TagMatrix

SOURCE = "tree"


def share_strength(
    matrix: TagMatrix, known: Sequence[Tag] | None = None, *, up: float = 1.0, down: float = 0.0
) -> TagMatrix:
    """Share strength along the tree.

    Up: a child is a kind of its parent, so a parent has at least the strength of each child times
    `up`, a grandparent `up`² and so on (the maximum, no sum: two names of one thing in one title
    are not two pieces of evidence); confidence comes from the child that decides. Down: a child
    that is itself seen, with strength s, under a parent seen for itself with p, becomes
    1 - (1 - s)(1 - down·p); a parent never makes a child that nothing speaks for.

    Parameters
    ----------
    known
        All tags there are (`tree_vocabulary`, `workspace_tags`): parents that no item carries yet
        get their columns after those of `matrix`. Default: the tags of `matrix`.
    up, down
        0..1; ``tree.share_up`` and ``tree.share_down`` of the settings. 0 changes nothing.

    Returns
    -------
    TagMatrix
        What the tree alone gave has the source "tree". The tables of `matrix` are not changed.
    """
    if not up and not down:
        return matrix
    tags, chains = _with_parents(matrix.tags, known or matrix.tags)
    own = matrix.strength.tocoo()
    strength = _supported(matrix, tags, own, down)
    child, parent, far = _steps(chains)
    rows, columns = [own.row], [own.col]
    values, trust = [strength], [matrix.confidence.data]
    codes = [matrix.source.data]
    tree = matrix.sources.index(SOURCE) + 1 if SOURCE in matrix.sources else len(matrix.sources) + 1
    if up and len(child):
        entry, step = _entries_of(own.col, child, len(matrix.tags))
        rows.append(own.row[entry])
        columns.append(parent[step])
        values.append(strength[entry] * up ** far[step])
        trust.append(matrix.confidence.data[entry])
        codes.append(np.full(len(entry), tree, np.int16))
    return _strongest(
        matrix,
        tags,
        tuple(np.concatenate(part) for part in (rows, columns, values, trust, codes)),
        tree,
    )


def _with_parents(
    own: tuple[Tag, ...], known: Sequence[Tag]
) -> tuple[tuple[Tag, ...], list[list[int]]]:
    """Tags with all ancestors that are known, and of each own tag its ancestors, nearest first."""
    by_slug = {tag.slug: tag for tag in known} | {tag.slug: tag for tag in own}
    place = {tag.slug: k for k, tag in enumerate(own)}
    tags = list(own)
    chains = []
    for tag in own:
        chain = ancestors(tag, by_slug)
        for slug in chain:
            if slug not in place:
                place[slug] = len(tags)
                tags.append(by_slug[slug])
        chains.append([place[slug] for slug in chain])
    return tuple(tags), chains


def _steps(chains: list[list[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Child, ancestor and their distance, one entry per pair, by child."""
    pairs = [
        (child, parent, far + 1)
        for child, chain in enumerate(chains)
        for far, parent in enumerate(chain)
    ]
    table = np.array(pairs, np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _entries_of(
    columns: np.ndarray, child: np.ndarray, n_tags: int
) -> tuple[np.ndarray, np.ndarray]:
    """Every entry of the table with every step of its tag: positions in both."""
    count = np.bincount(child, minlength=n_tags)
    begin = np.concatenate([[0], np.cumsum(count)[:-1]])
    entry = np.repeat(np.arange(len(columns)), count[columns])
    nth = np.arange(len(entry)) - np.repeat(
        np.cumsum(count[columns]) - count[columns], count[columns]
    )
    return entry, begin[columns[entry]] + nth


def _supported(
    matrix: TagMatrix, tags: tuple[Tag, ...], own: sparse.coo_array, down: float
) -> np.ndarray:
    """(nnz,) strengths with the support of parents that are seen themselves."""
    if not down:
        return np.asarray(own.data)
    place = {tag.slug: k for k, tag in enumerate(matrix.tags)}
    above = np.array([place.get(tag.parent or "", -1) for tag in tags[: len(matrix.tags)]])
    parent = above[own.col]
    has = parent >= 0
    support = np.zeros(len(own.data), np.float32)
    support[has] = np.asarray(matrix.strength[own.row[has], parent[has]]).ravel()
    return np.asarray(1 - (1 - own.data) * (1 - down * support), np.float32)


def _strongest(
    matrix: TagMatrix, tags: tuple[Tag, ...], entries: tuple[np.ndarray, ...], tree: int
) -> TagMatrix:
    """Keep of each item and tag the strongest entry; of equal ones that which stood there."""
    row, column, value, trust, code = entries
    order = np.lexsort((code == tree, -value, column, row))
    row, column, value, trust, code = (part[order] for part in (row, column, value, trust, code))
    first = np.append(True, (row[1:] != row[:-1]) | (column[1:] != column[:-1]))[: len(row)]
    at = (row[first], column[first])
    shape = (len(matrix.items), len(tags))

    def table(values: np.ndarray, kind: type) -> sparse.csr_array:
        return sparse.csr_array((values[first].astype(kind), at), shape=shape)

    used = SOURCE in matrix.sources or bool((code[first] == tree).any())
    sources = matrix.sources if SOURCE in matrix.sources or not used else (*matrix.sources, SOURCE)
    return TagMatrix(
        items=matrix.items,
        tags=tags,
        strength=table(value, np.float32),
        confidence=table(trust, np.float32),
        source=table(code, np.int16),
        sources=sources,
    )
