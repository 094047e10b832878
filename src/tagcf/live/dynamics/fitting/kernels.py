"""Compiled: one pass of learning the evidence over a labelled stream."""

from __future__ import annotations

import numpy as np
from numba import njit

from tagcf.live.dynamics.belief.kernels import moved_on
from tagcf.live.dynamics.symbols.kernels import CLASSES, FIRST_OF_PRODUCT, OTHER, SYMBOLS


@njit(cache=True, nogil=True)
def learn(
    start, content, kind, tick, minute, label, indptr, tag, level, lift, ratios, prior, drifting,
    rate, evidence, squares,
):  # fmt: skip
    """One pass over labelled events by user and time; returns the mean log belief in the truth.

    Users' events are start[u] … start[u + 1] − 1; `label` is what they wanted, −1 where unknown.
    The belief before an event counts as given, so that its gradient is that of a logit; steps are
    those of AdaGrad (Duchi et al. 2011). `lift` and `ratios` as in `follow`.
    """
    pace, most = drifting
    unknown = ratios.shape[0] - 1
    belief = np.empty(prior.size)
    logged, counted = 0.0, 0
    for u in range(start.size - 1):
        belief[:] = prior
        before, last = OTHER, -1
        for e in range(start[u], start[u + 1]):
            item = content[e]
            if item < 0:
                continue
            drift = 0.0
            if e > start[u]:
                drift = moved_on(max(tick[e] - tick[e - 1], 0), pace, most)
            same = int(item == last)
            symbol = SYMBOLS[kind[e], before, same]
            before = CLASSES[kind[e], before, same]
            last = item if kind[e] < FIRST_OF_PRODUCT else last
            when = minute[e] if kind[e] == 0 else unknown
            for t in range(prior.size):
                belief[t] = ((1.0 - drift) * belief[t] + drift * prior[t]) * ratios[when, t]
            for j in range(indptr[item], indptr[item + 1]):
                t = tag[j]
                belief[t] *= np.exp(evidence[symbol, level[j]]) * lift[when, t, level[j]]
            belief /= belief.sum()
            if label[e] < 0:
                continue
            logged += np.log(max(belief[label[e]], 1e-12))
            counted += 1
            for j in range(indptr[item], indptr[item + 1]):
                slope = (1.0 if tag[j] == label[e] else 0.0) - belief[tag[j]]
                squares[symbol, level[j]] += slope * slope
                step = rate / np.sqrt(1.0 + squares[symbol, level[j]])
                evidence[symbol, level[j]] += step * slope
    return logged / max(counted, 1)
