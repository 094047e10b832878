"""Kinds of bad rows as a table, each kind with what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tagcf.text import listing, say, visible
from tagcf.types import BadRows


def worded(bad: BadRows) -> dict[str, Any]:
    """Return bad rows as plain data, with their sentences."""
    return asdict(bad) | {
        "text": say(bad.kind),
        "done": say(f"action.{bad.action}"),
        "advice": say(f"advice.{bad.kind.partition('.')[2]}"),
    }


def print_bad(console: Console, bad: tuple[BadRows, ...]) -> None:
    """Print every kind of bad row, or that there is none."""
    if not bad:
        console.print(say("check.nothing_bad"))
        return
    console.print(_bad_table(bad))
    for kind in dict.fromkeys(one.kind for one in bad):
        advice = say(f"advice.{kind.partition('.')[2]}")
        console.print(f"  {escape(say(kind))}: {escape(advice)}", style="dim")


def _bad_table(bad: tuple[BadRows, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("what", "where", "rows_column", "done", "examples"):
        table.add_column(say(f"check.{column}"), overflow="fold")
    for one in bad:
        table.add_row(
            escape(say(one.kind)),
            escape(visible(one.where)),
            f"{one.count:,}",
            say(f"action.{one.action}"),
            escape(visible(listing(one.examples))),
        )
    return table
