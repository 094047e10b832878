"""The transformer's forward pass in numpy: what serving runs, without torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tagcf.recommend.histories import Histories
from tagcf.recommend.sequence.weights import Array, Block, Weights

TOKENS = 1 << 14  # events of one batch: a few MB of activations
EPSILON = np.float32(1e-6)


def scores(weights: Weights, histories: Histories) -> Array:
    """(U, I) score of every item after each history.

    Events of items that the model doesn't know are passed over; a history without any known
    event gets what other histories begin with.
    """
    known = known_events(weights, histories)
    found: Array = states(weights, known) @ weights.item.T
    found += weights.bias
    found[known.sizes == 0] = weights.first
    return found


def scores_of(weights: Weights, items: NDArray[np.integer]) -> Array:
    """(I,) scores after one history: the fast path of a live request."""
    known = items[(items >= 0) & (items < weights.n_items)][-weights.length :]
    if not known.size:
        return weights.first.copy()
    found: Array = weights.item @ last_states(weights, known[None, :])[0]
    found += weights.bias
    return found


def states(weights: Weights, histories: Histories) -> Array:
    """(U, d) state after the last of each history's (known) events; zeros where there is none."""
    out = np.zeros((len(histories), weights.item.shape[1]), np.float32)
    for users, items in batches(histories, weights.length):
        out[users] = last_states(weights, items)
    return out


def known_events(weights: Weights, histories: Histories) -> Histories:
    """Histories with only the events of items that the model has."""
    known = (histories.item >= 0) & (histories.item < weights.n_items)
    return histories if known.all() else histories.where(known)


def batches(
    histories: Histories, length: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.integer]]]:
    """Users of equal length together, so that nothing is padded: (users, (B, L) items)."""
    sizes = np.minimum(histories.sizes, length)
    order = np.argsort(sizes, kind="stable")
    order = order[np.searchsorted(sizes[order], 1) :]
    for same in np.split(order, np.flatnonzero(np.diff(sizes[order])) + 1):
        if not same.size:
            continue
        size = int(sizes[same[0]])
        step = max(1, TOKENS // size)
        for users in (same[at : at + step] for at in range(0, same.size, step)):
            first = histories.indptr[users + 1] - size
            yield users, histories.item[first[:, None] + np.arange(size)]


def last_states(weights: Weights, items: NDArray[np.integer]) -> Array:
    """(B, d) normalised state at the last of (B, L) events."""
    x = weights.item[items]
    for block in weights.blocks[:-1]:
        x = x + attention(block, x, x)
        x = x + feed_forward(block, x)
    block = weights.blocks[-1]  # of the last layer only the last place is needed
    last = x[:, -1:]
    last = last + attention(block, x, last)
    last = last + feed_forward(block, last)
    return normalised(last[:, 0], weights.norm_out)


def normalised(x: Array, gain: Array) -> Array:
    """Root-mean-square normalisation (Zhang and Sennrich 2019)."""
    scale = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + EPSILON)
    return np.asarray(x / scale * gain, dtype=np.float32)


def attention(block: Block, x: Array, asking: Array) -> Array:
    """Causal attention of the last Q places over (B, L, d) events; (B, Q, d)."""
    batch, length, d = x.shape
    asked = asking.shape[1]
    heads = len(block.recency)
    size = d // heads
    query = normalised(asking, block.norm_attention) @ block.query_key_value[:, :d]
    key_value = normalised(x, block.norm_attention) @ block.query_key_value[:, d:]
    query = query.reshape(batch, asked, heads, size).transpose(0, 2, 1, 3)
    key = key_value[..., :d].reshape(batch, length, heads, size).transpose(0, 2, 3, 1)
    value = key_value[..., d:].reshape(batch, length, heads, size).transpose(0, 2, 1, 3)
    back = np.arange(length - asked, length)[:, None] - np.arange(length)
    logits = query @ key * np.float32(size**-0.5) + block.recency[:, np.maximum(back, 0)]
    logits = np.where(back >= 0, logits, np.float32(-np.inf))
    weight = np.exp(logits - logits.max(-1, keepdims=True))
    weight /= weight.sum(-1, keepdims=True)
    mixed = (weight @ value).transpose(0, 2, 1, 3).reshape(batch, asked, d)
    return np.asarray(mixed @ block.attention_out, dtype=np.float32)


def feed_forward(block: Block, x: Array) -> Array:
    """Gated feed-forward with a SiLU gate (Shazeer 2020, "SwiGLU")."""
    inner = normalised(x, block.norm_forward) @ block.gate_up
    half = inner.shape[-1] // 2
    gate = inner[..., :half]
    with np.errstate(over="ignore"):  # exp(-gate) may reach infinity: the gate is then 0
        opened = gate / (1 + np.exp(-gate)) * inner[..., half:]
    return np.asarray(opened @ block.down, dtype=np.float32)
