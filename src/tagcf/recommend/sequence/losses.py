"""What training minimises: softmax over all items or over shared negatives, and over tags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

IMPOSSIBLE = -1e9


@dataclass(frozen=True, slots=True)
class Negatives:
    """Items drawn by (frequency + 1)^power, the same ones for all targets of a batch."""

    cumulative: NDArray[np.float64]  # (I,)
    log_chance: Tensor  # (I,)

    @staticmethod
    def of(count: NDArray[np.int64], power: float) -> Negatives:
        """Take the frequencies of training."""
        chance = (count + 1.0) ** power
        chance /= chance.sum()
        return Negatives(np.cumsum(chance), torch.from_numpy(np.log(chance).astype(np.float32)))

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw n items with replacement."""
        at = np.searchsorted(self.cumulative, rng.random(n))
        return np.minimum(at, len(self.cumulative) - 1)


def sampled_softmax(
    states: Tensor,
    target: Tensor,
    items: Tensor,
    bias: Tensor,
    negative: Tensor,
    log_chance: Tensor,
    smoothing: float,
) -> Tensor:
    """Cross-entropy against shared negatives, corrected for how often each is drawn.

    The logit of an item drawn with chance q loses log q (Bengio and Senécal 2008), so that the
    loss estimates the full softmax; a negative that is the target itself is passed over.

    Parameters
    ----------
    states
        (N, d).
    target, negative
        (N,) and (S,) positions among the M items of this step.
    items, bias, log_chance
        (M, d), (M,), (M,).
    """
    offset = bias - log_chance
    right = (states * items[target]).sum(-1) + offset[target]
    wrong = torch.addmm(offset[negative], states, items[negative].T)
    row, column = torch.nonzero(negative == target[:, None], as_tuple=True)
    wrong.detach()[row, column] = IMPOSSIBLE  # their gradient is exp of it: zero
    whole = torch.logaddexp(right, wrong.logsumexp(-1))
    hit = whole - right
    if not smoothing:
        return hit.mean()
    return ((1 - smoothing) * hit + smoothing * (whole - wrong.clamp(min=-50).mean(-1))).mean()


def full_softmax(
    states: Tensor, target: Tensor, items: Tensor, bias: Tensor, smoothing: float
) -> Tensor:
    """Cross-entropy over all items; shapes as in `sampled_softmax`."""
    logits = torch.addmm(bias, states, items.T)
    return functional.cross_entropy(logits, target, label_smoothing=smoothing)


def tag_softmax(states: Tensor, mixed: Tensor, tagged: Tensor, tags: Tensor) -> Tensor:
    """Cross-entropy of the target's tags, each by its share of the item.

    Shares sum to 1 and logits are linear in tag vectors, so that the hits' mean logit is that
    of the item's mean tag vector: no (items x tags) table is made.

    Parameters
    ----------
    states
        (N, d).
    mixed
        (N, d) mean tag vector of the target.
    tagged
        (N,) whether it has tags.
    tags
        (T, d).
    """
    loss = (states @ tags.T).logsumexp(-1) - (states * mixed).sum(-1)
    return (loss * tagged).sum() / tagged.sum().clamp(min=1)
