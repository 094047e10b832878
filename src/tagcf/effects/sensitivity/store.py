"""Doubts as JSON: what is written beside the effects, and what the command prints."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tagcf.data.workspace import atomic_path
from tagcf.doubts import (
    Alternative,
    Balance,
    Benchmark,
    Doubt,
    NegativeControl,
    Overlap,
    Specification,
)


def doubts_path(model: Path, run: str) -> Path:
    """Where the doubts of a run stand: beside its model."""
    return model / f"doubts-{run}.json"


def write_doubts(model: Path, run: str, doubts: Iterable[Doubt]) -> None:
    """Write the doubts of a run; other runs' stay until their table is replaced."""
    with atomic_path(doubts_path(model, run)) as partial:
        partial.write_text(json.dumps([asdict(one) for one in doubts]), "utf-8")


def read_doubts(model: Path, run: str) -> tuple[Doubt, ...]:
    """Read the doubts of a run; none where it was not doubted.

    Raises
    ------
    ValueError, TypeError, KeyError, OSError
        The file is not what `write_doubts` writes.
    """
    path = doubts_path(model, run)
    if not path.is_file():
        return ()
    return tuple(_doubt(row) for row in json.loads(path.read_text("utf-8")))


def doubt_json(doubt: Doubt) -> dict[str, Any]:
    """One doubt as the command prints it: the permutations' statistics are left out."""
    row = asdict(doubt)
    del row["placebo_draws"]
    return row


def _doubt(row: dict[str, Any]) -> Doubt:
    overlap = row["overlap"]
    if overlap is not None:
        alternatives = tuple(Alternative(**one) for one in overlap["alternatives"])
        sides = {side: tuple(overlap[side]) for side in ("carriers", "others")}
        overlap = Overlap(**overlap | sides | {"alternatives": alternatives})
    within = row["within_author"]
    parts = {
        "placebo_draws": tuple(row["placebo_draws"]),
        "benchmark": None if row["benchmark"] is None else Benchmark(**row["benchmark"]),
        "within_author": None if within is None else Specification(**within),
        "negatives": tuple(NegativeControl(**one) for one in row["negatives"]),
        "overlap": overlap,
        "balance": tuple(Balance(**one) for one in row["balance"]),
        "specifications": tuple(Specification(**one) for one in row["specifications"]),
    }
    return Doubt(**row | parts)
