"""The least that a joint fit must do where every row is its own item, in Gram passes.

Beside the Gram itself: expand the tags once more, take controls out, sum scores by user and square
them; for leave-one-out, the leverage of every row. What `peers` measures above this is overhead.
Run ``OMP_NUM_THREADS=1 python -m benchmarks.dense_bound``; it prints, and writes nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from benchmarks.dgp import PER_USER, Size, World, make_world
from benchmarks.measure import measure
from benchmarks.own_tasks import _gram
from tagcf.effects.linear.cell_tags import ItemTags
from tagcf.effects.linear.kernels import fill_dense

SIZE = Size(1_000_000, 50, 300, 5, own_items=True)
STEP = 200 * PER_USER  # rows at a time, whole users


@njit(cache=True, nogil=True)
def add_scaled_runs(starts, scale, rows, total):
    """Total (K, c, T) += scale (n, K) ⊗ rows (n, T), summed from each start to the next."""
    for c in range(starts.size):
        stop = starts[c + 1] if c + 1 < starts.size else rows.shape[0]
        for k in range(scale.shape[1]):
            row = total[k, c]
            for r in range(starts[c], stop):
                for t in range(rows.shape[1]):
                    row[t] += scale[r, k] * rows[r, t]


def second_pass(world: World, items: ItemTags, *, leverage: bool) -> np.ndarray:
    """Score every row with made-up coefficients; the work is that of a fit."""
    n_tags, n_out = world.carried.shape[1], world.y.shape[1]
    projection = np.full((world.x.shape[1], n_tags), 0.01, np.float32)
    coef, inverse = np.zeros((n_tags, n_out), np.float32), np.eye(n_tags, dtype=np.float32)
    meat = np.zeros((n_out, n_tags, n_tags))
    for start in range(0, len(world.x), STEP):
        rows = slice(start, start + STEP)
        item, x = world.item[rows], world.x[rows]
        tags = np.zeros((len(item), n_tags), np.float32)
        fill_dense(item, items.indptr, items.tag, items.value, tags)
        residual = world.y[rows] - tags @ coef - x @ projection[:, :n_out]
        tags -= x @ projection
        users = np.arange(0, len(item), PER_USER)
        scores = np.zeros((n_out, len(users), n_tags), np.float32)
        add_scaled_runs(users, residual, tags, scores)
        for k in range(n_out):
            meat[k] += scores[k].T @ scores[k]
        if leverage:
            np.einsum("ct,ct->c", tags @ inverse, tags)
    return meat


def main() -> None:
    """Print both bounds."""
    world = make_world(SIZE)
    items = ItemTags.of(world.carried)
    second_pass(world, items, leverage=False)  # compiles
    gram = measure(lambda: _gram(world), 3).cpu
    plain = measure(lambda: second_pass(world, items, leverage=False), 3).cpu
    left_out = measure(lambda: second_pass(world, items, leverage=True), 3).cpu
    more = (left_out - plain) / gram
    print(f"plain: {1 + plain / gram:.2f} passes; leave one out on top: {more:.2f}")


if __name__ == "__main__":
    main()
