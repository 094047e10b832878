"""How far a student agrees with its teacher on texts that it did not learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OFTEN = 10  # held-out texts with a tag before the tag is judged on its own
BINS = 10

Given = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TagAgreement:
    """One tag on the held-out texts."""

    tag: str
    texts: int  # that the teacher gave it
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Micro figures over all tags of the teacher, also those it had given too seldom to teach."""

    texts_trained: int  # of the student that was compared; the one that is kept learned from all
    texts_held: int
    tags_taught: int
    precision: float
    recall: float
    f1: float
    f1_untrained: float  # of the shipped words and embeddings on the same texts
    coverage: float  # share of the teacher's tags that had enough examples to be learned from
    calibration_error: float  # mean |probability - share right| over ten bins, by pairs
    macro_f1: float | None  # over `tags`; None where no tag is frequent enough
    tags: tuple[TagAgreement, ...]  # given OFTEN times or more, most frequent first

    @staticmethod
    def unknown() -> Agreement:
        """Of a student that was not compared."""
        return Agreement(0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, None, ())


def agreement_of(
    chance: NDArray[np.float32],
    given: Given,
    untrained: Given,
    taught: Given,
    wanted: Given,
    slugs: tuple[str, ...],
    trained: int,
) -> Agreement:
    """Compare (n, T) probabilities and tags given with the teacher's (n, T) tags."""
    precision, recall, f1 = _figures(given, wanted)
    often = [int(k) for k in np.argsort(-wanted.sum(axis=0), kind="stable")]
    tags = tuple(
        TagAgreement(slugs[k], int(wanted[:, k].sum()), *_figures(given[:, k], wanted[:, k]))
        for k in often
        if wanted[:, k].sum() >= OFTEN
    )
    return Agreement(
        texts_trained=trained,
        texts_held=len(wanted),
        tags_taught=int(taught.sum()),
        precision=precision,
        recall=recall,
        f1=f1,
        f1_untrained=_figures(untrained, wanted)[2],
        coverage=_ratio(int(wanted[:, taught].sum()), int(wanted.sum())),
        calibration_error=_calibration_error(chance.ravel(), wanted.ravel()),
        macro_f1=float(np.mean([one.f1 for one in tags])) if tags else None,
        tags=tags,
    )


def _figures(given: Given, wanted: Given) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    both = int((given & wanted).sum())
    all_given, all_wanted = int(given.sum()), int(wanted.sum())
    return (
        _ratio(both, all_given),
        _ratio(both, all_wanted),
        _ratio(2 * both, all_given + all_wanted),
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _calibration_error(chance: NDArray[np.float32], right: Given) -> float:
    """Expected calibration error over bins of equal width, of the pairs with chance of .05 or more.

    Nearly all pairs of a text and a tag are hopeless, and telling them so is no merit.
    """
    serious = chance >= 0.05
    if not serious.any():
        return 0.0
    chance, right = chance[serious], right[serious]
    bins = np.minimum((chance * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    said = np.bincount(bins, weights=chance, minlength=BINS)
    true = np.bincount(bins, weights=right, minlength=BINS)
    return float(np.abs(said - true).sum() / counts.sum())
