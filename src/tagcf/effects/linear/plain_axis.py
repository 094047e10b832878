"""The plain sandwich along an axis that nests the cells (CR1 without small-sample factors)."""

from __future__ import annotations

import numpy as np

from tagcf.effects.linear.axis import Axis, Pieces, Squares
from tagcf.effects.linear.cluster_blocks import ClusterBlock, cluster_blocks
from tagcf.effects.linear.concentration import effective_of_moves, sum_runs
from tagcf.effects.linear.kernels import add_products, add_tags, add_vectors, take_group_means
from tagcf.effects.linear.scores import MOST_CLUSTERS, most_clusters
from tagcf.types import Codes, Floats


def plain_axis(pieces: Pieces, cluster: Codes, axis: int) -> Axis:
    """Sum scores over the clusters (C,) of one axis, and square them.

    Effective clusters are told from the scores themselves. Beyond `MOST_CLUSTERS` neighbours are
    merged, as in `leave_out.along_axis`.
    """
    n_tags, n_out = pieces.solved.coef.shape
    n_codes = int(cluster.max(initial=-1)) + 1
    width = -(-n_codes // most_clusters(n_tags, n_out))
    one_by_one = n_codes <= MOST_CLUSTERS
    precision = pieces.part.tags.precision
    meat = Squares.empty(n_out, n_tags)
    merged = np.zeros((n_out, -(-n_codes // width), n_tags), precision)
    by_cluster = pieces.scores.nested[axis] if pieces.scores.nested else None
    for block in cluster_blocks(pieces.sums.weight, cluster, pieces.part.tags.block_cells):
        scores = _scores(pieces, block, by_cluster)
        for k in range(n_out):
            add_vectors(block.codes // width, scores[k], merged[k])
        if one_by_one:
            meat.add(scores)
    inverse = pieces.solved.inverse
    for k in range(n_out):
        merged[k] = merged[k] @ inverse.astype(precision)
    effective, largest = effective_of_moves(merged)
    if one_by_one:
        cov = inverse @ meat.sum() @ inverse
    else:
        cov = np.stack([one.T @ one for one in merged]).astype(np.float64)
    return Axis(cov, effective, largest, np.ones(len(cluster)), merged)


def _scores(pieces: Pieces, block: ClusterBlock, by_cluster: Floats | None) -> Floats:
    """(K, c, T) scores of whole clusters.

    Means and controls come off the clusters' sums, which are fewer than cells.
    """
    part, items = pieces.part, pieces.part.tags.items
    precision = part.tags.precision
    e = pieces.scores.e[block.cells].astype(precision, copy=False)
    n_clusters = block.starts.size
    code = np.repeat(np.arange(n_clusters, dtype=np.int32), block.sizes)
    item, group = part.tags.item[block.cells], part.tags.group[block.cells]
    scores = np.zeros((n_clusters, e.shape[1], part.tags.shape[1]), precision)
    order, value = np.arange(len(e)), items.value.astype(precision, copy=False)
    add_tags(order, code, item, e, items.indptr, items.tag, value, scores)
    mean, projection = part.tags.group_mean, part.projection
    taken = (
        _controls(part.x_of(block.cells), e, code, n_clusters)
        if by_cluster is None
        else by_cluster[block.codes]
    )
    if len(mean) > 1:
        take_group_means(order, code, group, e, mean, scores)
    else:  # in the same product
        taken = np.concatenate([taken, sum_runs(e, block.starts)[:, :, None]], axis=2)
        projection = np.concatenate([projection, mean])
    flat = taken.astype(precision, copy=False).reshape(-1, taken.shape[2])
    scores -= (flat @ projection.astype(precision)).reshape(scores.shape)
    return scores.swapaxes(0, 1)


def _controls(x: Floats, e: Floats, code: Codes, n_clusters: int) -> Floats:
    """(c, K, P) sums of residuals times controls."""
    total = np.zeros((n_clusters, e.shape[1], x.shape[1]), x.dtype)
    add_products(code, e, x, total)
    return total
