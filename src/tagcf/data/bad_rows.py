"""What was wrong with the input: counted as it streams by, with the first examples kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from tagcf.text import say
from tagcf.types import BadRows, Mask

EXAMPLES = 3
_LONGEST = 60  # characters of a value that an example shows

Action = Literal["dropped", "kept", "as_missing"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block of rows comes from: its file and the number of its first row."""

    file: str
    first_row: int


@dataclass(slots=True)
class Finding:
    """One kind of bad input in one place, free of any language so that it can be stored."""

    kind: str
    file: str
    column: str | None
    action: Action
    count: int = 0
    examples: list[tuple[int | None, str]] = field(default_factory=list)

    def worded(self) -> BadRows:
        """Return the finding in the language in force."""
        if self.column is None:
            where = self.file
        else:
            where = say("data.column_of", file=self.file, column=self.column)
        examples = tuple(_worded(row, value) for row, value in self.examples)
        return BadRows(self.kind, where, self.count, examples, self.action)


class Ledger:
    """The findings of one reading pass, in the order in which they first appeared."""

    def __init__(self) -> None:
        self._findings: dict[tuple[str, str, str | None], Finding] = {}

    def note(
        self,
        kind: str,
        place: Place,
        mask: Mask,
        *,
        column: str | None,
        action: Action,
        values: pl.Series | None = None,
    ) -> None:
        """Count the rows of `mask` (n,) under `kind`; the first few become examples."""
        count = int(np.count_nonzero(mask))
        if count:
            finding = self._of(kind, place.file, column, action)
            finding.count += count
            for index in np.flatnonzero(mask)[: EXAMPLES - len(finding.examples)].tolist():
                value = "" if values is None else values[index]
                finding.examples.append((place.first_row + index, shorten(value)))

    def tell(
        self,
        kind: str,
        file: str,
        examples: list[tuple[int | None, str]],
        *,
        count: int,
        column: str | None = None,
        action: Action,
    ) -> None:
        """Add a finding whose rows were counted elsewhere."""
        if count:
            finding = self._of(kind, file, column, action)
            finding.count += count
            room = EXAMPLES - len(finding.examples)
            finding.examples.extend((row, shorten(value)) for row, value in examples[:room])

    def findings(self) -> tuple[Finding, ...]:
        """Everything found so far."""
        return tuple(self._findings.values())

    def has(self, file: str) -> bool:
        """Whether anything was found in this file."""
        return any(place == file for _, place, _ in self._findings)

    def _of(self, kind: str, file: str, column: str | None, action: Action) -> Finding:
        return self._findings.setdefault((kind, file, column), Finding(kind, file, column, action))


def _worded(row: int | None, value: str) -> str:
    if row is None:
        return value
    if not value:
        return say("data.example_row", row=row)
    return say("data.example", row=row, value=value)


def shorten(value: object) -> str:
    """One line of at most 60 characters; empty for a missing value."""
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
