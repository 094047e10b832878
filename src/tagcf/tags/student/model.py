"""Train a student on a teacher's tags, and tag with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.errors import DataError, OutputError
from tagcf.tags.student.agreement import Agreement, agreement_of
from tagcf.tags.student.calibrate import clues_of, fit_logistic, log_odds
from tagcf.tags.student.evidence import Seen, Vectors, encoder_version, look
from tagcf.tags.student.ridge import Ridge, fit_ridge
from tagcf.tags.vocabulary import Vocabulary

EXAMPLES = 3  # texts from which on a tag counts as taught; others rest on meaning and words
TEXTS = 40  # fewest different texts to learn from
CALIBRATED = 4_000  # texts that the penalty, the logistic and the cut are found on
BATCH = 2_048  # texts in memory at a time


@dataclass(frozen=True, slots=True, eq=False)
class Student:
    """A trained student: an encoder of texts like `Lexicon`.

    A tag's confidence is the calibrated probability that the teacher would give it. Its strength is
    that probability with the log-odds moved so that .5, from which an item carries a tag, is where
    precision and recall against the teacher balance best (F1) on texts left out in training.
    """

    teacher: str
    tags: tuple[str, ...]  # slugs of the vocabulary it was trained on
    taught: NDArray[np.bool_]  # (T,) learned from EXAMPLES texts or more
    ridge: Ridge
    texts: int  # that it learned from
    coef: NDArray[np.float64]  # of the logistic, intercept first
    cut: float  # log-odds at which strength is .5
    vocabulary_version: str
    encoder: str
    agreement: Agreement
    minimum: float = 0.2

    @property
    def source(self) -> str:
        """Name of the origin, kept with every tag found."""
        return f"student:{self.teacher}"

    def encode(self, texts: pl.Series, vocabulary: Vocabulary) -> pl.DataFrame:
        """Find tags in texts; empty texts have none.

        Returns
        -------
        Columns row (u32), tag (slug), strength, confidence (f32), source.

        Raises
        ------
        OutputError
            It was trained on another vocabulary.
        MissingExtraError
            The package with the sentence embeddings is not installed.
        """
        self.check(vocabulary)
        plain = texts.fill_null("").str.strip_chars()
        rows = (plain != "").arg_true().to_numpy()
        slugs = pl.Series("tag", self.tags, dtype=pl.String)
        parts = [pl.DataFrame(schema=_COLUMNS)]
        for start in range(0, len(rows), BATCH):
            chosen = rows[start : start + BATCH]
            odds = self.log_odds(look(plain.gather(chosen), vocabulary), vocabulary)
            strength = _chance(odds - np.float32(self.cut))
            text, tag = np.nonzero(strength >= self.minimum)
            parts.append(
                pl.DataFrame(
                    {
                        "row": chosen[text].astype(np.uint32),
                        "tag": slugs.gather(tag),
                        "strength": strength[text, tag],
                        "confidence": _chance(odds[text, tag]),
                    }
                )
            )
        return pl.concat(parts).with_columns(pl.lit(self.source).alias("source"))

    def check(self, vocabulary: Vocabulary) -> None:
        """Raise OutputError where the vocabulary or the encoders are not those of the training."""
        if vocabulary.version != self.vocabulary_version:
            raise OutputError(
                "student.other_vocabulary",
                teacher=self.teacher,
                trained=self.vocabulary_version,
                now=vocabulary.version,
            )
        if encoder_version() != self.encoder:
            raise OutputError(
                "student.other_encoder",
                teacher=self.teacher,
                trained=self.encoder,
                now=encoder_version(),
            )

    def log_odds(self, seen: Seen, vocabulary: Vocabulary) -> Vectors:
        """(n, T) calibrated log-odds that the teacher gives each tag."""
        deviations = self.ridge(seen.vectors)
        examples = self.ridge.rate[None] * self.texts
        clues = clues_of(deviations, examples, self.texts, seen, vocabulary)
        return log_odds(clues, self.coef)


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Different texts with what the teacher said of them."""

    texts: pl.Series
    seen: Seen
    labels: Vectors  # (n, T) 0/1


def train_student(
    texts: pl.Series,
    teacher_tags: pl.DataFrame,
    vocabulary: Vocabulary,
    *,
    teacher: str,
    held_share: float = 0.25,
    seed: int = 0,
) -> Student:
    """Learn to tag as a teacher does.

    Parameters
    ----------
    texts
        (n,) every text that the teacher was asked about; one without tags is a lesson too.
        Of equal texts the first counts.
    teacher_tags
        Columns row (position in `texts`), tag (slug of the vocabulary; others are left out) and
        optionally strength: from .5 on the teacher gives the tag.
    teacher
        Its name, for the source of the student's tags.
    held_share
        Share of the texts on which a student of the others is compared with the teacher; much the
        same texts are all held or all learned from (`hold_out`). The student that is returned has
        then learned from all.

    Raises
    ------
    DataError
        Too few texts, or no tag that the teacher gave often enough.
    MissingExtraError
        The package with the sentence embeddings is not installed.
    """
    lessons = lessons_of(texts, teacher_tags, vocabulary)
    count = len(lessons.texts)
    often = int((lessons.labels.sum(axis=0) >= EXAMPLES).sum())
    if count < TEXTS or not often:
        raise DataError("student.too_few", texts=count, least=TEXTS, tags=often, examples=EXAMPLES)
    held, rest = hold_out(lessons.texts, held_share, seed)
    tested = fit_student(lessons, rest, vocabulary, teacher, None, seed)
    agreement = compare(tested, lessons, held, vocabulary)
    order = np.concatenate([held, rest])
    return fit_student(lessons, order, vocabulary, teacher, agreement, seed)


def hold_out(texts: pl.Series, share: float, seed: int) -> tuple[NDArray[np.int64], ...]:
    """Split texts into a held share and the rest, in random order.

    Texts that differ in capitals, figures, signs or blanks alone stay on one side: what was learned
    of "Part 1" is no news about "Part 2".
    """
    letters = texts.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[^\p{L}\p{So}]+", "")
    plain = pl.select(pl.when(letters == "").then(texts).otherwise(letters)).to_series()
    kinds = plain.unique(maintain_order=True)
    kind = plain.replace_strict(kinds, np.arange(len(kinds)), return_dtype=pl.Int64).to_numpy()
    place = np.argsort(np.random.default_rng(seed).permutation(len(kinds)))[kind]
    order = np.argsort(place, kind="stable")
    n_held = int((place < max(round(len(kinds) * share), 1)).sum())
    return order[:n_held], order[n_held:]


def lessons_of(texts: pl.Series, teacher_tags: pl.DataFrame, vocabulary: Vocabulary) -> Lessons:
    """Look at the different texts and put the teacher's tags into a matrix."""
    plain = texts.fill_null("").str.strip_chars()
    first = pl.DataFrame({"text": plain}).with_row_index("row").filter(pl.col("text") != "")
    first = first.unique("text", keep="first", maintain_order=True).with_row_index("lesson")
    slugs = [tag.slug for tag in vocabulary.tags]
    column = pl.DataFrame({"tag": slugs}).with_row_index("column")
    given = teacher_tags
    if "strength" in given.columns:
        given = given.filter(pl.col("strength") >= 0.5)
    at = (
        given.select(pl.col("row").cast(pl.UInt32), "tag")
        .join(first, on="row")
        .join(column, on="tag")
    )
    labels = np.zeros((first.height, len(slugs)), dtype=np.float32)
    labels[at["lesson"].to_numpy(), at["column"].to_numpy()] = 1
    return Lessons(first["text"], look(first["text"], vocabulary), labels)


def fit_student(
    lessons: Lessons,
    rows: NDArray[np.int64],
    vocabulary: Vocabulary,
    teacher: str,
    agreement: Agreement | None,
    seed: int,
) -> Student:
    """Fit regression, logistic and cut on some of the lessons."""
    labels = lessons.labels[rows]
    examples = labels.sum(axis=0)
    drawn = np.random.default_rng(seed).permutation(len(rows))[:CALIBRATED]
    fit = fit_ridge(lessons.seen.vectors[rows], labels, drawn)
    seen = seen_at(lessons.seen, rows[drawn])
    wanted = labels[drawn]
    clues = clues_of(fit.left_out, examples - wanted, len(rows) - 1, seen, vocabulary)
    coef = fit_logistic(clues.reshape(len(clues), -1), wanted.ravel())
    return Student(
        teacher=teacher,
        tags=tuple(tag.slug for tag in vocabulary.tags),
        taught=examples >= EXAMPLES,
        ridge=fit.ridge,
        texts=len(rows),
        coef=coef,
        cut=best_cut(log_odds(clues, coef), wanted),
        vocabulary_version=vocabulary.version,
        encoder=encoder_version(),
        agreement=agreement or Agreement.unknown(),
    )


def compare(
    student: Student, lessons: Lessons, held: NDArray[np.int64], vocabulary: Vocabulary
) -> Agreement:
    """Measure a student on lessons that it did not have."""
    seen = seen_at(lessons.seen, held)
    odds = student.log_odds(seen, vocabulary)
    shipped = 1 - np.exp(-seen.words) * (1 - _chance(1.5 * (seen.meaning - np.float32(4.5))))
    return agreement_of(
        chance=_chance(odds),
        given=odds >= student.cut,
        untrained=shipped >= 0.5,
        taught=student.taught,
        wanted=lessons.labels[held] > 0,
        slugs=student.tags,
        trained=student.texts,
    )


def best_cut(odds: Vectors, wanted: Vectors) -> float:
    """Log-odds from which giving tags has the highest F1."""
    order = np.argsort(-odds, axis=None)
    right = np.cumsum(wanted.ravel()[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + wanted.sum())
    return float(odds.ravel()[order][int(np.argmax(f1))])


def seen_at(seen: Seen, rows: NDArray[np.int64]) -> Seen:
    """Some of the texts."""
    return Seen(seen.vectors[rows], seen.meaning[rows], seen.words[rows])


def _chance(odds: Vectors) -> Vectors:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), dtype=np.float32)


_COLUMNS = {
    "row": pl.UInt32,
    "tag": pl.String,
    "strength": pl.Float32,
    "confidence": pl.Float32,
}
