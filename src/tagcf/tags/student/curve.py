"""How many teacher labels are needed: agreement by number of labels, and where it levels off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.tags.student.model import (
    EXAMPLES,
    TEXTS,
    compare,
    fit_student,
    hold_out,
    lessons_of,
)
from tagcf.tags.vocabulary import Vocabulary

DECAYS = np.linspace(0.2, 1.5, 14)  # of the power law, tried one by one


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Agreement of students that learned from so many texts, on texts that none of them saw."""

    texts: int
    f1: float  # mean over draws
    spread: float  # standard deviation over draws


@dataclass(frozen=True, slots=True)
class LabelsNeeded:
    """Where asking the teacher again stops paying."""

    texts: int  # from here on, twice as many labels raise F1 by less than `gain`
    gain: float
    f1: float  # expected there
    ceiling: float  # the F1 that the curve tends to
    beyond: bool  # further than any point measured: a guess from the curve's shape


def learning_curve(
    texts: pl.Series,
    teacher_tags: pl.DataFrame,
    vocabulary: Vocabulary,
    *,
    sizes: Sequence[int] = (50, 100, 200, 400, 800, 1_600, 3_200),
    draws: int = 3,
    held_share: float = 0.25,
    seed: int = 0,
) -> tuple[CurvePoint, ...]:
    """Train students on growing parts of a teacher's labels; arguments as `train_student`.

    Sizes beyond what is left after holding out are passed over; the largest part is always added.
    """
    lessons = lessons_of(texts, teacher_tags, vocabulary)
    held, rest = hold_out(lessons.texts, held_share, seed)
    points: list[CurvePoint] = []
    for size in sorted({*(one for one in sizes if one < len(rest)), len(rest)}):
        if size < TEXTS:
            continue
        found = []
        for draw in range(draws if size < len(rest) else 1):
            part = np.random.default_rng([seed, size, draw]).permutation(rest)[:size]
            if (lessons.labels[part].sum(axis=0) < EXAMPLES).all():
                found.append(0.0)
                continue
            student = fit_student(lessons, part, vocabulary, "curve", None, seed)
            found.append(compare(student, lessons, held, vocabulary).f1)
        points.append(CurvePoint(size, float(np.mean(found)), float(np.std(found))))
    return tuple(points)


def labels_needed(curve: Sequence[CurvePoint], gain: float = 0.02) -> LabelsNeeded:
    """Say where doubling the labels gains less than `gain`, by ``ceiling - lag · texts^-decay``.

    The form is the usual one of learning curves (Hestness et al. 2017, arXiv 1712.00409).

    Raises
    ------
    ValueError
        Fewer than three points.
    """
    if len(curve) < 3:
        msg = "a learning curve needs three points"
        raise ValueError(msg)
    texts = np.array([point.texts for point in curve], dtype=np.float64)
    f1 = np.array([point.f1 for point in curve])
    fits = []
    for decay in DECAYS:
        design = np.column_stack([np.ones(len(texts)), -(texts**-decay)])
        coef = np.linalg.lstsq(design, f1, rcond=None)[0]
        fits.append((float(((design @ coef - f1) ** 2).sum()), float(decay), coef))
    _, decay, (ceiling, lag) = min(fits, key=lambda fit: fit[0])
    if lag <= 0:
        return LabelsNeeded(int(texts[0]), gain, float(f1[0]), float(f1.max()), beyond=False)
    needed = (lag * (1 - 2**-decay) / gain) ** (1 / decay)
    needed = max(float(np.ceil(needed)), float(texts[0]))
    return LabelsNeeded(
        texts=int(needed),
        gain=gain,
        f1=float(ceiling - lag * needed**-decay),
        ceiling=float(min(ceiling, 1.0)),
        beyond=bool(needed > texts[-1]),
    )
