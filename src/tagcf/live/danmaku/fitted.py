"""The features of danmaku fitted to another platform's labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.errors import DataError
from tagcf.live.danmaku.calibrate import fit_shares
from tagcf.live.danmaku.features import LineKeys, keys_of, known_keys, rows_of
from tagcf.live.danmaku.labels import Chances
from tagcf.live.danmaku.learned import LineModel, line_model
from tagcf.live.danmaku.linear import Weights, fit_softmax, softmax
from tagcf.live.danmaku.meaning import embedded

PENALTIES = (0.01, 0.03, 0.1, 0.3)
MEANING_PENALTY = 0.3
FOLDS = 5
STEPS = 60
FEWEST_LINES = 2  # of every label, in every fold


@dataclass(frozen=True, slots=True)
class FittedDanmaku:
    """A model of one platform's own labels."""

    classes: tuple[str, ...]
    words: LineModel
    meaning: tuple[Weights, Weights] | None  # (512, K) and (K,) on the sentence embedding
    shares: Weights  # of words and meaning in the scores
    prior: Weights  # (K,) added to the scores, so that rare labels are found, too
    penalty: float

    def chances(self, texts: pl.Series | Iterable[str | None]) -> Chances:
        """(n, K) calibrated chances of `classes`."""
        return softmax(self._scores(_series(texts)))

    def labels(self, texts: pl.Series | Iterable[str | None]) -> list[str]:
        """Labels for the greatest macro-F1 on the folds: likelier than the prior makes them."""
        places = (self._scores(_series(texts)) + self.prior).argmax(axis=1)
        return [self.classes[place] for place in places.tolist()]

    def _scores(self, lines: pl.Series) -> Chances:
        scores = self.shares[0] * self.words(lines)
        if self.meaning is not None:
            weights, bias = self.meaning
            scores = scores + self.shares[1] * (embedded(lines) @ weights + bias)
        return np.asarray(scores, dtype=np.float32)


def fit_danmaku(
    texts: pl.Series | Iterable[str | None],
    labels: Sequence[str],
    *,
    meaning: bool = False,
    seed: int = 0,
) -> FittedDanmaku:
    """Fit the features of words, and if wanted the sentence embedding, to labels.

    The penalty of the weights, the shares of words and meaning, and how far rare labels are
    favoured are chosen by cross-validation within these lines alone.

    Parameters
    ----------
    texts, labels
        (n,) lines and what they are, any strings.
    meaning
        Whether the sentence encoder (extra ``text``) is used beside the words.

    Raises
    ------
    DataError
        The lengths differ, there is one label only, or a label is too rare for `FOLDS` folds.
    """
    lines = _series(texts)
    classes, wanted = _coded(lines, labels)
    fold = _folds(wanted, seed)
    keys, width = keys_of(lines), len(classes)
    best, penalty, held_out = np.inf, PENALTIES[0], np.zeros((0, width), np.float32)
    for tried in PENALTIES:
        scores = _held_out(keys, wanted, fold, width, tried)
        loss = -np.log(np.maximum(softmax(scores)[np.arange(len(wanted)), wanted], 1e-9)).mean()
        if loss < best:
            best, penalty, held_out = loss, tried, scores
    parts, on_meaning = [held_out], None
    if meaning:
        vectors = embedded(lines)
        parts.append(_held_out_meaning(vectors, wanted, fold, width))
        fitted = fit_softmax(vectors, wanted, width, MEANING_PENALTY, steps=STEPS)
        on_meaning = fitted.weights, fitted.bias
    shares = fit_shares(parts, wanted)
    scores = sum(share * part for share, part in zip(shares, parts, strict=True))
    known = known_keys(keys, 2)
    words = fit_softmax(rows_of(keys, known), wanted, width, penalty, steps=STEPS)
    return FittedDanmaku(
        classes,
        line_model(known, words.weights, words.bias),
        on_meaning,
        shares,
        _favour(np.asarray(scores), wanted),
        penalty,
    )


def _coded(lines: pl.Series, labels: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Classes in order, and each line's position among them."""
    if len(lines) != len(labels):
        raise DataError("live_danmaku.lengths", lengths=f"{len(lines)}, {len(labels)}")
    classes, wanted, counts = np.unique(
        np.asarray(labels, dtype=str), return_inverse=True, return_counts=True
    )
    if len(classes) < 2:
        raise DataError("live_danmaku.one_label", label=str(classes[0]) if len(classes) else "")
    rarest = int(counts.argmin())
    if counts[rarest] < FEWEST_LINES * FOLDS:
        facts = {"label": str(classes[rarest]), "count": int(counts[rarest])}
        raise DataError("live_danmaku.rare_label", **facts, needed=FEWEST_LINES * FOLDS)
    return tuple(classes.tolist()), wanted.astype(np.int64)


def _folds(wanted: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """(n,) fold of each line, every label spread evenly over all."""
    shuffled = np.random.default_rng(seed).permutation(len(wanted))
    order = shuffled[np.argsort(wanted[shuffled], kind="stable")]
    fold = np.empty(len(wanted), np.int64)
    fold[order] = np.arange(len(wanted)) % FOLDS
    return fold


def _held_out(
    keys: LineKeys, wanted: NDArray[np.int64], fold: NDArray[np.int64], width: int, penalty: float
) -> Chances:
    known = known_keys(keys, 2)
    rows = rows_of(keys, known)
    scores = np.zeros((len(wanted), width), np.float32)
    for left in range(FOLDS):
        kept = fold != left
        fitted = fit_softmax(rows[kept], wanted[kept], width, penalty, steps=STEPS)
        scores[~kept] = fitted(rows[~kept])
    return scores


def _held_out_meaning(
    vectors: Weights, wanted: NDArray[np.int64], fold: NDArray[np.int64], width: int
) -> Chances:
    scores = np.zeros((len(wanted), width), np.float32)
    for left in range(FOLDS):
        kept = fold != left
        fitted = fit_softmax(vectors[kept], wanted[kept], width, MEANING_PENALTY, steps=STEPS)
        scores[~kept] = vectors[~kept] @ fitted.weights + fitted.bias
    return scores


def _favour(scores: Chances, wanted: NDArray[np.int64]) -> Weights:
    """How much to add to each label's score for the greatest macro-F1 of lines held out.

    A share of minus the log rate: none of it takes the likeliest label, all of it treats labels as
    if they were equally frequent.
    """
    width = scores.shape[1]
    away = -np.log(np.bincount(wanted, minlength=width) / len(wanted))
    away -= away.min()
    tried = [share * away for share in np.linspace(0, 1, 11)]
    found = [macro_f1(wanted, (scores + one).argmax(axis=1), width) for one in tried]
    return np.asarray(tried[int(np.argmax(found))], dtype=np.float32)


def macro_f1(wanted: NDArray[np.integer], read: NDArray[np.integer], width: int) -> float:
    """Mean over labels of 2 · right / (wanted + read)."""
    right = np.bincount(wanted[wanted == read], minlength=width)
    both = np.bincount(wanted, minlength=width) + np.bincount(read, minlength=width)
    return float(np.mean(2 * right / np.maximum(both, 1)))


def _series(texts: pl.Series | Iterable[str | None]) -> pl.Series:
    return texts if isinstance(texts, pl.Series) else pl.Series(list(texts), dtype=pl.String)
