"""How well a student agrees with its teacher, and how many labels it needs.

Writes ``results/student.json``. The teachers are labels that exist already:

- the annotators of ``benchmarks/labels`` (two language-model sessions): students that learned from
  the texts for tuning, compared on the held ones, and students within the held ones, five splits;
- MovieLens: the genres that people gave 1,682 films, with nothing but the title to go by. A title
  seldom says the genre, so this is a hard lesson.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from benchmarks.folksonomy import GENRES, movies
from benchmarks.labels import labelled_texts
from benchmarks.record import write_result
from tagcf.tags.student.curve import labels_needed, learning_curve
from tagcf.tags.student.model import compare, fit_student, lessons_of, train_student
from tagcf.tags.vocabulary import Vocabulary, default_vocabulary

FIGURES = ("precision", "recall", "f1", "f1_untrained", "coverage", "calibration_error")


def lesson_of_labels(*splits: str) -> tuple[pl.Series, pl.DataFrame]:
    """Return labelled texts, and as teacher the tags that are right."""
    texts = [one for one in labelled_texts() if one.split in splits]
    rows = [(k, tag) for k, one in enumerate(texts) for tag in sorted(one.right)]
    return (
        pl.Series([one.text for one in texts]),
        pl.DataFrame(rows, schema={"row": pl.UInt32, "tag": pl.String}, orient="row"),
    )


def lesson_of_movies() -> tuple[pl.Series, pl.DataFrame]:
    """Return the titles, and as teacher their genres."""
    films = movies()
    rows = [(k, GENRES[one]) for k, genres in enumerate(films["genres"]) for one in genres]
    return films["title"], pl.DataFrame(
        [row for row in rows if row[1]], schema={"row": pl.UInt32, "tag": pl.String}, orient="row"
    )


def tuned_to_held(vocabulary: Vocabulary) -> dict[str, Any]:
    """Learn from the texts for tuning, compare on the held ones."""
    splits = [one.split for one in labelled_texts() if one.split != "seen"]
    lessons = lessons_of(*lesson_of_labels("tune", "held"), vocabulary)
    rows = {name: np.flatnonzero([one == name for one in splits]) for name in ("tune", "held")}
    student = fit_student(lessons, rows["tune"], vocabulary, "labels", None, 0)
    found = compare(student, lessons, rows["held"], vocabulary)
    return {"texts": len(rows["tune"]), "held": len(rows["held"])} | {
        name: round(getattr(found, name), 3) for name in (*FIGURES, "tags_taught")
    }


def study(
    texts: pl.Series, given: pl.DataFrame, vocabulary: Vocabulary, seeds: int
) -> dict[str, Any]:
    """Agreement over several splits, and the learning curve."""
    found = [
        train_student(texts, given, vocabulary, teacher="labels", seed=seed).agreement
        for seed in range(seeds)
    ]
    curve = learning_curve(texts, given, vocabulary)
    result: dict[str, Any] = {
        "texts": len(texts),
        "splits": seeds,
        **{name: round(sum(getattr(one, name) for one in found) / seeds, 3) for name in FIGURES},
        "tags_taught": found[0].tags_taught,
        "curve": [asdict(point) for point in curve],
    }
    if len(curve) >= 3:
        result["labels_needed"] = asdict(labels_needed(curve))
    return result


def main() -> None:
    """Measure and write the result."""
    started = time.process_time()
    vocabulary = default_vocabulary()
    result = {
        "annotators' labels, tuned on to held": tuned_to_held(vocabulary),
        "annotators' labels, within held": study(*lesson_of_labels("held"), vocabulary, 5),
        "MovieLens genres from titles": study(*lesson_of_movies(), vocabulary, 3),
    }
    write_result("student", result | {"cpu_seconds": round(time.process_time() - started, 1)})


if __name__ == "__main__":
    main()
