"""Keep a student: ``student.json`` names the weights beside it with their checksum.

The weights are written first, under a name that tells their content, then the JSON takes the place
of the former one. A killed run leaves the old student or the new one. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from tagcf.data.workspace import atomic_path, write_text
from tagcf.errors import OutputError
from tagcf.tags.student.agreement import Agreement, TagAgreement
from tagcf.tags.student.model import Student
from tagcf.tags.student.ridge import Ridge
from tagcf.tags.vocabulary import Vocabulary

FILE = "student.json"
FORMAT = 1


def save_student(student: Student, folder: Path) -> Path:
    """Write a student into a folder and return the path of its JSON."""
    with atomic_path(folder / "student.npz") as partial:
        with partial.open("wb") as file:
            np.savez(
                file,
                centre=student.ridge.centre,
                weights=student.ridge.weights,
                rate=student.ridge.rate,
                taught=student.taught,
                coef=student.coef,
            )
        checksum = hashlib.sha256(partial.read_bytes()).hexdigest()
        weights = folder / f"student-{checksum[:12]}.npz"
    (folder / "student.npz").replace(weights)
    facts = {
        "format": FORMAT,
        "teacher": student.teacher,
        "vocabulary": student.vocabulary_version,
        "encoder": student.encoder,
        "weights": weights.name,
        "sha256": checksum,
        "penalty": student.ridge.penalty,
        "texts": student.texts,
        "cut": student.cut,
        "minimum": student.minimum,
        "agreement": asdict(student.agreement),
        "tags": student.tags,
    }
    path = folder / FILE
    write_text(path, json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
    for old in folder.glob("student-*.npz"):
        if old != weights:
            old.unlink(missing_ok=True)
    return path


def load_student(
    folder: Path, vocabulary: Vocabulary, command: str = "tagcf tag --learn-student"
) -> Student:
    """Read a student.

    Parameters
    ----------
    vocabulary
        The one that tags are to be found of.
    command
        What makes a student, for messages.

    Raises
    ------
    OutputError
        There is none, its files are damaged, or it was trained on another vocabulary or encoder.
    """
    path = folder / FILE
    if not path.is_file():
        raise OutputError("error.missing_output", path=path, command=command)
    try:
        student = _read(path)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as broken:
        detail = str(broken).splitlines()[0] if str(broken) else type(broken).__name__
        raise OutputError(
            "error.broken_output", path=path, detail=detail, command=command
        ) from broken
    student.check(vocabulary)
    return student


def _read(path: Path) -> Student:
    facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if facts["format"] != FORMAT:
        msg = f"format {facts['format']}"
        raise ValueError(msg)
    weights = path.parent / Path(facts["weights"]).name
    content = weights.read_bytes()
    if hashlib.sha256(content).hexdigest() != facts["sha256"]:
        msg = f"{weights.name}: sha256"
        raise ValueError(msg)
    with np.load(weights, allow_pickle=False) as arrays:
        ridge = Ridge(arrays["centre"], arrays["weights"], arrays["rate"], facts["penalty"])
        taught, coef = arrays["taught"], arrays["coef"]
    agreement = facts["agreement"]
    tags = tuple(TagAgreement(**one) for one in agreement.pop("tags"))
    return Student(
        teacher=facts["teacher"],
        tags=tuple(facts["tags"]),
        taught=taught,
        ridge=ridge,
        texts=facts["texts"],
        coef=coef,
        cut=facts["cut"],
        vocabulary_version=facts["vocabulary"],
        encoder=facts["encoder"],
        agreement=Agreement(**agreement, tags=tags),
        minimum=facts["minimum"],
    )
