"""Compiled: strengths of one user, and scores of content for them."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def read_row(line, cell_of, since, rates, sums):
    """Write a row's sums (T, S) as of `since` seconds after its landmark; their lengths (S,)."""
    n_scales = len(rates)
    lengths = np.zeros(n_scales)
    fading = np.empty(n_scales)
    for s in range(n_scales):
        fading[s] = np.exp2(-since * rates[s])
    for t in range(cell_of.size):
        for s in range(n_scales):
            value = line[cell_of[t] + s] * fading[s]
            sums[t, s] = value
            lengths[s] += value * value
    return np.sqrt(lengths)


@njit(cache=True)
def blend(sums, lengths, mix, strengths):
    """Strengths (T,): over the scales, mix · sum / (length + 1), added to what is there."""
    for t in range(strengths.size):
        for s in range(mix.size):
            strengths[t] += mix[s] * sums[t, s] / (lengths[s] + 1.0)


@njit(cache=True)
def read_user(line, cell_of, since, rates, mix, sums, strengths):
    """Sums (T, S) and strengths (T,) of a user; returns the lengths (S,) of the sums."""
    strengths[:] = 0.0
    lengths = read_row(line, cell_of, since, rates, sums)
    blend(sums, lengths, mix, strengths)
    return lengths


@njit(cache=True)
def mix_scene(line, cell_of, since, rates, most, strengths):
    """Move strengths towards those in a scene: by `most` at most, by less where little is known."""
    sums = np.empty((cell_of.size, 1))
    length = read_row(line, cell_of, since, rates, sums)[0]
    part = most * length / (length + 1.0)
    for t in range(strengths.size):
        strengths[t] += part * (sums[t, 0] / (length + 1.0) - strengths[t])


@njit(cache=True)
def taste_vector(vector, since, rates, mix, out):
    """Embedding interest (d,) of a user: vectors (S, d) blended as strengths are."""
    out[:] = 0.0
    for s in range(mix.size):
        length = 0.0
        for f in range(out.size):
            length += vector[s, f] ** 2
        fading = np.exp2(-since * rates[s])
        part = mix[s] * fading / (np.sqrt(length) * fading + 1.0)
        for f in range(out.size):
            out[f] += part * vector[s, f]


@njit(cache=True)
def score(asked, content, strengths, muted, taste, tag_part, out):
    """Scores (n,) of content: cosine-like with tags and with embeddings.

    Content that carries a muted tag at half strength or more has -inf, unknown content NaN.
    """
    for i in range(asked.size):
        at = asked[i]
        if at < 0 or at >= content.norms.size:
            out[i] = np.nan
            continue
        total, barred = 0.0, False
        for k in range(content.indptr[at], content.indptr[at + 1]):
            tag, strength = content.tags[2 * k], content.strengths[2 * k + 1]
            total += strengths[tag] * strength
            barred |= muted[tag] and strength >= 0.5
        if content.norms[at] > 0.0:
            total /= content.norms[at]
        if taste.size:
            alike = 0.0
            for f in range(taste.size):
                alike += taste[f] * content.embedding[at, f]
            total = tag_part * total + (1.0 - tag_part) * alike
        out[i] = -np.inf if barred else total
