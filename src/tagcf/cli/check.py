"""``tagcf check DIR``: what the workspace holds, what is wrong with it, what it can answer."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tagcf.cli.bad_table import print_bad, worded
from tagcf.cli.check_items import check_items_alone
from tagcf.cli.json_text import echo_json
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.data.files import locate
from tagcf.data.item_rows import ItemRows, missing_media, open_items, read_item_rows
from tagcf.data.overview import Overview, TagOverview, overview
from tagcf.data.read import read_log
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.effects.far_values import far_values
from tagcf.text import listing, say, visible
from tagcf.types import BadRows

_NAMES_SHOWN = 5


@click.command("check")
@folder_argument
@json_option
@click.option("--strict", is_flag=True, help="exit 3 when anything should be put right")
@lang_option
def check(folder: Path, as_json: bool, strict: bool) -> int:
    """Read everything in DIR and report every kind of bad row."""
    workspace = open_workspace(folder)
    about_items = _items(workspace)
    if about_items is not None and locate(folder, "impressions") is None:
        return check_items_alone(workspace, about_items, as_json=as_json, strict=strict)
    found = overview(workspace)
    told = {(one.kind, one.where) for one in found.bad}
    more = about_items.bad() if about_items is not None else ()
    new = [one for one in more if (one.kind, one.where) not in told]
    absent = () if about_items is None else missing_media(workspace, about_items)
    found = replace(found, bad=(*found.bad, *new, *absent, *_far_values(workspace)))
    if as_json:
        echo_json(as_dict(found), indent=2)
    else:
        _print(found)
    if not found.usable:
        click.echo(say("check.unusable"), err=True)
        return 1
    return 3 if strict and found.has_findings else 0


def _items(workspace: Workspace) -> ItemRows | None:
    table = open_items(workspace)
    return None if table is None else read_item_rows(workspace, table)


def _far_values(workspace: Workspace) -> tuple[BadRows, ...]:
    """Numbers that the estimates will count as missing. A note: long tails are no fault."""
    found = []
    for one in far_values(read_log(workspace)):
        table = locate(workspace.root, one.covariate.source)
        file = one.covariate.source if table is None else table.name
        where = say("data.column_of", file=file, column=one.covariate.name)
        ends = {"low": f"{one.low:.4g}", "high": f"{one.high:.4g}"}
        examples = tuple(
            say("data.example_far", value=f"{value:.4g}", **ends)
            for value in (one.least, one.most)
            if value is not None
        )
        found.append(BadRows("note.far_value", where, one.rows, examples, "as_missing"))
    return tuple(found)


def as_dict(found: Overview) -> dict[str, Any]:
    """Return the overview as plain data; bad rows carry their sentences."""
    return asdict(found) | {
        "bad": [worded(one) for one in found.bad],
        "lacks": [{"key": one.key, "text": str(one)} for one in found.lacks],
        "usable": found.usable,
    }


def _print(found: Overview) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if found.title:
        console.print(escape(visible(found.title)), style="bold")
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
    print_bad(console, found.bad)
    console.print(say("check.rung", rung=say(f"check.rung_{found.rung.replace(' ', '_')}")))
    for one in found.lacks:
        console.print(f"  · {escape(str(one))}")


def _outcome_table(found: Overview) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("outcome", "kind", "mean", "missing"):
        table.add_column(say(f"check.{column}"))
    for one in found.outcomes:
        mean = "—" if one.mean is None else f"{one.mean:.4g}"
        table.add_row(escape(visible(one.name)), one.kind, mean, f"{one.missing:.1%}")
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
            told = say(key, count=f"{len(names):,}", names=_shown(names, listing(("", ""))))
            console.print(f"  · {escape(told)}")


def _shown(names: tuple[str, ...], between: str) -> str:
    """Join the first few names."""
    return between.join(names[:_NAMES_SHOWN]) + (" …" if len(names) > _NAMES_SHOWN else "")
