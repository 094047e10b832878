"""One logistic over all pairs of text and tag: from a student's clues to a probability.

Few parameters, shared by all tags, so that a tag with three examples borrows from the others how
far its regression, its meaning, its words and its relatives in the tree are to be believed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tagcf.tags.student.evidence import Seen, Vectors
from tagcf.tags.vocabulary import Vocabulary, ancestors

CLUES = (
    "regression",  # deviation from the rate, in standard deviations of the label
    "regression x examples",  # the same, times the log of the tag's examples
    "meaning",
    "words",
    "rate",  # log-odds of the tag's rate, shrunk to the mean rate
    "parent",  # the regression of the tag's parent in the tree
    "children",  # the highest regression among its descendants
)
PRIOR = 1.0  # ridge on the coefficients of clues, each of about unit scale
STEPS = 25


def clues_of(
    deviations: Vectors, examples: Vectors, texts: int, seen: Seen, vocabulary: Vocabulary
) -> Vectors:
    """Return (clues, n, T) of the regression's deviations, the encoders and the tree.

    Parameters
    ----------
    examples
        Number of training texts with the tag: (1, T), or (n, T) where each row leaves itself out.
    texts
        Number of training texts.
    """
    shrunk = (examples + examples.mean() / texts) / (texts + 1)
    spread = np.sqrt(np.maximum(shrunk * (1 - shrunk), 1e-6))
    scaled = np.where(examples > 0, deviations / spread, 0)
    up, down = _relatives(vocabulary)
    parent = np.where(up >= 0, scaled[:, up], 0)
    children = np.zeros_like(scaled)
    for tag, below in down.items():
        children[:, tag] = scaled[:, below].max(axis=1)
    odds = np.broadcast_to(np.log(shrunk / (1 - shrunk)), scaled.shape)
    learned = scaled * np.log1p(examples) / 3
    clues = (scaled, learned, seen.meaning, seen.words, odds, parent, children)
    return np.stack([np.asarray(clue, dtype=np.float32) for clue in clues])


def fit_logistic(clues: Vectors, labels: Vectors) -> NDArray[np.float64]:
    """Coefficients, intercept first, of labels (m,) in 0..1 on clues (k, m), by Newton steps."""
    design = np.vstack([np.ones(clues.shape[1]), clues]).astype(np.float64)
    penalty = np.diag([1e-6, *[PRIOR] * len(clues)])
    coef = np.zeros(len(design))
    coef[0] = np.log(max(labels.mean(), 1e-6) / max(1 - labels.mean(), 1e-6))
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(coef @ design, -30, 30)))
        slope = design @ (chance - labels) + penalty @ coef
        curve = (design * (chance * (1 - chance))) @ design.T + penalty
        step = np.linalg.solve(curve, slope)
        coef = coef - step * min(1.0, 4 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-6:
            break
    return coef


def log_odds(clues: Vectors, coef: NDArray[np.float64]) -> Vectors:
    """Turn clues (k, …) into log-odds."""
    odds = np.tensordot(coef[1:].astype(np.float32), clues, axes=1) + np.float32(coef[0])
    return np.asarray(odds, dtype=np.float32)


def _relatives(vocabulary: Vocabulary) -> tuple[NDArray[np.int64], dict[int, list[int]]]:
    """Position of each tag's parent (-1: none), and of the descendants of those that have any."""
    at = {tag.slug: k for k, tag in enumerate(vocabulary.tags)}
    by_slug = {tag.slug: tag for tag in vocabulary.tags}
    up = np.array([at.get(tag.parent or "", -1) for tag in vocabulary.tags])
    down: dict[int, list[int]] = {}
    for k, tag in enumerate(vocabulary.tags):
        for slug in ancestors(tag, by_slug):
            down.setdefault(at[slug], []).append(k)
    return up, down
