"""``tagcf check DIR``: what the workspace holds, what is wrong with it, what it can answer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.data.overview import Overview, TagOverview, overview
from tagcf.data.workspace import open_workspace
from tagcf.text import say
from tagcf.types import BadRows

_NAMES_SHOWN = 5


@click.command("check")
@folder_argument
@json_option
@click.option("--strict", is_flag=True, help="exit 3 when anything should be put right")
@lang_option
def check(folder: Path, as_json: bool, strict: bool) -> int:
    """Read everything in DIR and report every kind of bad row."""
    found = overview(open_workspace(folder))
    if as_json:
        click.echo(json.dumps(as_dict(found), ensure_ascii=False, indent=2))
    else:
        _print(found)
    if not found.usable:
        click.echo(say("check.unusable"), err=True)
        return 1
    return 3 if strict and found.has_findings else 0


def as_dict(found: Overview) -> dict[str, Any]:
    """Return the overview as plain data; bad rows carry their sentences."""
    return asdict(found) | {
        "bad": [_worded(one) for one in found.bad],
        "lacks": [{"key": one.key, "text": str(one)} for one in found.lacks],
        "usable": found.usable,
    }


def _worded(bad: BadRows) -> dict[str, Any]:
    return asdict(bad) | {
        "text": say(bad.kind),
        "done": say(f"action.{bad.action}"),
        "advice": say(f"advice.{bad.kind.partition('.')[2]}"),
    }


def _print(found: Overview) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if found.title:
        console.print(escape(found.title), style="bold")
    if found.simulated:
        console.print(say("check.simulated"), style="bold")
    console.print(say("check.rows", read=f"{found.rows_read:,}", used=f"{found.rows_used:,}"))
    facts = say(
        "check.counts",
        users=f"{found.n_users:,}",
        items=f"{found.n_items:,}",
        authors=f"{found.n_authors:,}",
        strata=f"{found.n_strata:,}",
        random=f"{found.random_share:.1%}",
    )
    console.print(facts)
    console.print(_outcome_table(found))
    _print_tags(console, found.tags)
    if found.bad:
        console.print(_bad_table(found.bad))
        for kind in dict.fromkeys(one.kind for one in found.bad):
            advice = say(f"advice.{kind.partition('.')[2]}")
            console.print(f"  {escape(say(kind))}: {escape(advice)}", style="dim")
    else:
        console.print(say("check.nothing_bad"))
    console.print(say("check.rung", rung=say(f"check.rung_{found.rung.replace(' ', '_')}")))
    for one in found.lacks:
        console.print(f"  · {escape(str(one))}")


def _outcome_table(found: Overview) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("outcome", "kind", "mean", "missing"):
        table.add_column(say(f"check.{column}"))
    for one in found.outcomes:
        mean = "—" if one.mean is None else f"{one.mean:.4g}"
        table.add_row(escape(one.name), one.kind, mean, f"{one.missing:.1%}")
    return table


def _print_tags(console: Console, tags: TagOverview | None) -> None:
    if tags is None:
        return
    console.print(
        say("check.tags", tags=tags.n_tags, items=f"{tags.n_items_tagged:,}", file=tags.file)
    )
    for key, names in (
        ("check.untagged", tags.untagged),
        ("check.single", tags.single),
        ("check.identical", tuple(_shown(group, " = ") for group in tags.identical)),
    ):
        if names:
            told = say(key, count=f"{len(names):,}", names=_shown(names, ", "))
            console.print(f"  · {escape(told)}")


def _shown(names: tuple[str, ...], between: str) -> str:
    """Join the first few names."""
    return between.join(names[:_NAMES_SHOWN]) + (" …" if len(names) > _NAMES_SHOWN else "")


def _bad_table(bad: tuple[BadRows, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("what", "where", "rows_column", "done", "examples"):
        table.add_column(say(f"check.{column}"), overflow="fold")
    for one in bad:
        table.add_row(
            escape(say(one.kind)),
            escape(one.where),
            f"{one.count:,}",
            say(f"action.{one.action}"),
            escape(", ".join(one.examples)),
        )
    return table
