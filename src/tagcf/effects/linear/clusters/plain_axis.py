"""The plain sandwich along an axis that nests the cells (CR1 without small-sample factors)."""

from __future__ import annotations

import numpy as np

from tagcf.effects.linear.clusters.axis import Axis, Pieces, Squares
from tagcf.effects.linear.clusters.blocks import ClusterBlock, Positions, cluster_blocks
from tagcf.effects.linear.clusters.concentration import (
    Concentration,
    effective_of_moves,
    spread_of,
    sum_runs,
)
from tagcf.effects.linear.kernels import add_products, add_tags, add_vectors, take_group_means
from tagcf.effects.linear.scores import MOST_CLUSTERS, hat_rows, most_clusters
from tagcf.types import Codes, Floats, Mask

MANY_CLUSTERS = 1_000  # of carriers, from which a tag does not rest on few
OWN_SHARE = 0.2  # of a tag's variance that nothing else explains, likewise


def plain_axis(pieces: Pieces, cluster: Codes, axis: int) -> Axis:
    """Sum scores over the clusters (C,) of one axis, and square them.

    Effective clusters are counted by their weight in the estimate, as for CR3, for every tag that
    might rest on few; least squares drives the scores of these to nothing, so that scores would
    count all the others. Of tags that cannot, the scores tell. Beyond `MOST_CLUSTERS` neighbours
    are merged, as in `leave_out.along_axis`.
    """
    n_tags, n_out = pieces.solved.coef.shape
    n_codes = int(cluster.max(initial=-1)) + 1
    width = -(-n_codes // most_clusters(n_tags, n_out))
    one_by_one = n_codes <= MOST_CLUSTERS
    precision = pieces.part.tags.precision
    meat = Squares.empty(n_out, n_tags)
    merged = np.zeros((n_out, -(-n_codes // width), n_tags), precision)
    by_cluster = pieces.scores.nested[axis] if pieces.scores.nested else None
    few = np.flatnonzero(_may_rest_on_few(pieces, cluster))
    concentration = Concentration.empty(few.size)
    for block in cluster_blocks(pieces.sums.weight, cluster, pieces.part.tags.block_cells):
        scores = _scores(pieces, block, by_cluster)
        if few.size:
            _add_concentration(concentration, pieces, block, few)
        for k in range(n_out):
            add_vectors(block.codes // width, scores[k], merged[k])
        if one_by_one:
            meat.add(scores)
    inverse = pieces.solved.inverse
    for k in range(n_out):
        merged[k] = merged[k] @ inverse.astype(precision)
    effective, largest = effective_of_moves(merged)
    if few.size:
        spread = spread_of(pieces.sums, pieces.scores, pieces.share, pieces.part.tags.group)
        effective[:, few], largest[few] = concentration.told(spread)
    if one_by_one:
        cov = inverse @ meat.sum() @ inverse
    else:
        cov = np.stack([one.T @ one for one in merged]).astype(np.float64)
    return Axis(cov, effective, largest, np.ones(len(cluster)), merged)


def _may_rest_on_few(pieces: Pieces, cluster: Codes) -> Mask:
    """(T,) tags that might rest on few clusters: rare ones, and those others nearly explain."""
    used = pieces.sums.weight > 0
    largest = int(np.bincount(cluster[used]).max(initial=1))
    tags, n_cells = pieces.part.tags, int(np.count_nonzero(used))
    if n_cells == len(tags.items) == len(used):
        carriers = tags.items.on_items
    else:
        carriers = tags.summed(used.astype(float)[:, None])[0]
    clusters = np.minimum(carriers, n_cells - carriers) / largest
    return np.asarray((clusters < MANY_CLUSTERS) | (pieces.solved.unique_share < OWN_SHARE))


def _add_concentration(
    total: Concentration, pieces: Pieces, block: ClusterBlock, few: Positions
) -> None:
    """Add the weights of whole clusters in the coefficients of some tags."""
    part, precision = pieces.part, pieces.part.tags.precision
    hat = hat_rows(part.tags, part, block.cells)
    influence = hat @ pieces.solved.inverse[:, few].astype(precision)
    weight, share = pieces.sums.weight[block.cells], pieces.share[block.cells]
    total.add(weight, share, influence, block.starts)


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
    flat = taken.astype(precision, copy=False)
    flat = flat.reshape(flat.shape[0] * flat.shape[1], flat.shape[2])
    scores -= (flat @ projection.astype(precision)).reshape(scores.shape)
    return scores.swapaxes(0, 1)


def _controls(x: Floats, e: Floats, code: Codes, n_clusters: int) -> Floats:
    """(c, K, P) sums of residuals times controls."""
    total = np.zeros((n_clusters, e.shape[1], x.shape[1]), x.dtype)
    add_products(code, e, x, total)
    return total
