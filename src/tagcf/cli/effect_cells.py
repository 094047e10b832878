"""Effects and what stands beside them as text: names, numbers with their unit, verdicts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tagcf.tags.names import known_tags
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.text import catalogue, say, visible
from tagcf.types import EventLog, Reason, Tag
from tagcf.views.facts import is_share
from tagcf.views.labels import tag_name
from tagcf.views.numbers import Scale, scale_of

NOTHING = "—"
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Wording:
    """How tags and numbers of a log are written in the language in force."""

    names: Mapping[str, str]  # by slug
    shares: Mapping[str, bool]  # by outcome: told in percentage points

    def tag(self, slug: str | None) -> str:
        """Name of a tag, or of a facet; the slug where nothing else is known."""
        if slug is None:
            return say("effects.all_tags")
        if slug in self.names:
            return self.names[slug]
        key = f"facet.{slug}"
        return say(key) if key in catalogue() else slug

    def scale(self, outcome: str, bounds: Iterable[Bounds]) -> Scale:
        """Scale of an outcome, its digits by the intervals that are shown."""
        widths = [(high - low) / 2 for low, high in bounds if low is not None and high is not None]
        return scale_of(self.shares.get(outcome, False), widths)


def wording_of(log: EventLog, tags: Sequence[Tag]) -> Wording:
    """Wording of a log's outcomes and of all tags that may be named."""
    everyone = (*known_tags(default_vocabulary()), *tags)
    names = {tag.slug: tag_name(tag.zh, tag.en).name for tag in everyone}
    outcomes = (*log.outcomes, *log.derived)
    return Wording(names, {outcome.name: is_share(outcome) for outcome in outcomes})


def change(scale: Scale, value: float | None) -> str:
    """Write a change with its unit."""
    return NOTHING if value is None else scale.change(value)


def interval(scale: Scale, low: float | None, high: float | None) -> str:
    """Write an interval; the unit stands with the change."""
    if low is None or high is None:
        return NOTHING
    return f"{scale.bare(low)} … {scale.bare(high)}"


def verdict_cell(verdict: str, reason: Reason | str | None) -> str:
    """Write a verdict, and why nothing can be told."""
    word = say("effects.verdict_" + verdict.replace(" ", "_"))
    return word if reason is None else f"{word}: {reason}"


def q_cell(q: float | None) -> str:
    """Write a q-value."""
    return "" if q is None else f"{q:.3f}"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: set[str]) -> None:
    """Print a table on a terminal, tab-separated values into a pipe.

    `columns` are keys of the catalogue without ``effects.column_``; numbers, `right`, stand right.
    """
    words = [say(f"effects.column_{column}") for column in columns]
    rows = [[visible(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        click.echo("\n".join("\t".join(line) for line in [words, *rows]))
        return
    table = Table()
    for column, word in zip(columns, words, strict=True):
        table.add_column(word, justify="right" if column in right else "left")
    for row in rows:
        table.add_row(*map(escape, row))  # a reason may name a table of the settings: [tags]
    Console().print(table)
