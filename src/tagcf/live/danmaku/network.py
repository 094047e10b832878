"""One hidden layer on sentence embeddings, shared by all heads.

What a sentence means bends in its embedding: "is it still there" lies near "it is there". A layer
of rectified units follows such bends where a linear model cannot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.live.danmaku.linear import Weights

BATCH = 128
DECAY = (0.9, 0.999)  # of the running means of slopes and of their squares


@dataclass(frozen=True, slots=True)
class Network:
    """Scores ``relu(vectors · scale @ inner + inner_bias) @ outer + outer_bias``."""

    inner: Weights  # (512, hidden)
    inner_bias: Weights  # (hidden,)
    outer: Weights  # (hidden, K)
    outer_bias: Weights  # (K,)

    def __call__(self, vectors: NDArray[np.floating]) -> Weights:
        """(n, K) scores of (n, 512) unit vectors."""
        hidden = np.maximum(_spread(vectors) @ self.inner + self.inner_bias, 0)
        return np.asarray(hidden @ self.outer + self.outer_bias, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Training:
    """How a network is fitted."""

    hidden: int = 384
    epochs: int = 20
    rate: float = 0.004  # the greatest, reached after 30% of the steps, then down to nothing
    drop: float = 0.4  # of the hidden units, left out of a step
    drop_input: float = 0.1
    smoothing: float = 0.05  # of the labels' mass, given to all labels of the head alike
    shrink: float = 1e-4  # of the weights, per step and rate
    seed: int = 0


def fit_network(
    vectors: NDArray[np.floating],
    labels: NDArray[np.integer],
    widths: tuple[int, ...],
    importance: NDArray[np.floating],
    how: Training | None = None,
) -> Network:
    """Fit by AdamW (Loshchilov and Hutter 2019, algorithm 2) with dropout; same seed, same network.

    Parameters
    ----------
    vectors
        (n, 512) unit vectors.
    labels
        (n, heads) position of the label in each head.
    widths
        Number of labels of every head.
    importance
        (n,) how much a line counts.
    """
    how = Training() if how is None else how
    rng = np.random.default_rng(how.seed)
    rows = _spread(vectors)
    wanted = _smoothed(labels, widths, how.smoothing)
    parts = _start(rows.shape[1], how.hidden, wanted.shape[1], rng)
    means = [np.zeros_like(part) for part in parts]
    squares = [np.zeros_like(part) for part in parts]
    steps = how.epochs * -(-len(rows) // BATCH)
    step = 0
    for _ in range(how.epochs):
        order = rng.permutation(len(rows))
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            slopes = _slopes(
                parts, rows[chosen], wanted[chosen], importance[chosen], widths, how, rng
            )
            step += 1
            _move(parts, slopes, means, squares, _rate(step / steps, how.rate), step, how.shrink)
    return Network(*parts)


def _spread(vectors: NDArray[np.floating]) -> Weights:
    """Unit vectors scaled so that an entry is about one."""
    return np.asarray(vectors * np.sqrt(vectors.shape[1]), dtype=np.float32)


def _smoothed(labels: NDArray[np.integer], widths: tuple[int, ...], share: float) -> Weights:
    """(n, K) chances that are aimed at, of all heads in a row."""
    heads = [
        (1 - share) * np.eye(width, dtype=np.float32)[labels[:, k]] + share / width
        for k, width in enumerate(widths)
    ]
    return np.hstack(heads).astype(np.float32)


def _start(size: int, hidden: int, width: int, rng: np.random.Generator) -> list[Weights]:
    inner, outer = np.sqrt(1 / size), np.sqrt(1 / hidden)
    return [
        rng.uniform(-inner, inner, (size, hidden)).astype(np.float32),
        np.zeros(hidden, np.float32),
        rng.uniform(-outer, outer, (hidden, width)).astype(np.float32),
        np.zeros(width, np.float32),
    ]


def _slopes(
    parts: list[Weights],
    rows: Weights,
    wanted: Weights,
    importance: NDArray[np.floating],
    widths: tuple[int, ...],
    how: Training,
    rng: np.random.Generator,
) -> list[Weights]:
    """Slopes of the mean loss of a batch, with units left out at random."""
    inner, inner_bias, outer, outer_bias = parts
    seen = rows * _kept(rows.shape, how.drop_input, rng)
    sums = seen @ inner + inner_bias
    kept = _kept(sums.shape, how.drop, rng) * (sums > 0)
    hidden = sums * kept
    off = _chances(hidden @ outer + outer_bias, widths) - wanted
    off *= (importance[:, None] / len(rows)).astype(np.float32)
    back = (off @ outer.T) * kept
    return [seen.T @ back, back.sum(axis=0), hidden.T @ off, off.sum(axis=0)]


def _kept(shape: tuple[int, ...], drop: float, rng: np.random.Generator) -> Weights:
    return (rng.random(shape, dtype=np.float32) >= drop).astype(np.float32) / np.float32(1 - drop)


def _chances(scores: NDArray[np.floating], widths: tuple[int, ...]) -> Weights:
    """Softmax of each head's columns."""
    found = np.empty(scores.shape, np.float32)
    first = 0
    for width in widths:
        part = scores[:, first : first + width]
        raised = np.exp(part - part.max(axis=1, keepdims=True))
        found[:, first : first + width] = raised / raised.sum(axis=1, keepdims=True)
        first += width
    return found


def _rate(done: float, greatest: float, rise: float = 0.3) -> float:
    """Rate of learning after a share of the steps: up and down along a cosine."""
    way = done / rise if done < rise else (1 - done) / (1 - rise)
    return float(greatest * (0.02 + 0.98 * (1 - np.cos(np.pi * way)) / 2))


def _move(
    parts: list[Weights],
    slopes: list[Weights],
    means: list[Weights],
    squares: list[Weights],
    rate: float,
    step: int,
    shrink: float,
) -> None:
    """Take one step, in place."""
    first, second = DECAY
    for k, slope in enumerate(slopes):
        means[k] = first * means[k] + (1 - first) * slope
        squares[k] = second * squares[k] + (1 - second) * slope**2
        mean, square = means[k] / (1 - first**step), squares[k] / (1 - second**step)
        parts[k] = ((1 - rate * shrink) * parts[k] - rate * mean / (np.sqrt(square) + 1e-8)).astype(
            np.float32
        )
