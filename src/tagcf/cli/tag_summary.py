"""What ``tagcf tag`` found, counted: for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.tag_items import Items
from tagcf.cli.talk import tell
from tagcf.data.files import locate
from tagcf.data.tables import read_item_tags
from tagcf.data.workspace import Workspace
from tagcf.tags.fusion import SourceReliability
from tagcf.tags.matrix import with_slugs
from tagcf.tags.names import workspace_tags
from tagcf.tags.sources import source_name
from tagcf.tags.surface import FACET
from tagcf.text import language, say, visible
from tagcf.types import Tag, TagMatrix

SHOWN = 30  # tags in the printed table


def summary_of(matrix: TagMatrix, items: Items, threshold: float) -> dict[str, Any]:
    """Counts of what was found; an item carries a tag from `threshold` on."""
    carried = matrix.carried(threshold)
    counts = np.asarray(carried.sum(axis=0)).ravel()
    sums = np.asarray(matrix.strength.multiply(carried).sum(axis=0)).ravel()
    subject = np.array([one.facet != FACET for one in matrix.tags], dtype=bool)
    order = [k for k in np.argsort(-counts, kind="stable") if counts[k] > 0]
    return {
        "items": items.texts.height,
        "items_with_tags": int((carried.sum(axis=1) > 0).sum()),
        "items_with_subject_tags": int((carried[:, subject].sum(axis=1) > 0).sum()),
        "items_without_text": items.texts.height - len(items.with_text),
        "threshold": threshold,
        "tags": [
            labels(matrix.tags[k])
            | {"items": int(counts[k]), "mean_strength": round(float(sums[k] / counts[k]), 4)}
            for k in order
        ],
    }


def labels(one: Tag) -> dict[str, Any]:
    """Slug, names and place of a tag."""
    return {"tag": one.slug, "zh": one.zh, "en": one.en, "facet": one.facet, "parent": one.parent}


def print_summary(summary: dict[str, Any]) -> None:
    """Print the tags found most, and what was counted."""
    heads = [say(f"tags.columns_{name}") for name in ("tag", "facet", "items", "share", "strength")]
    grid = Grid(*heads[:2], box=None)
    for head in heads[2:]:
        grid.add_column(head, justify="right")
    for one in summary["tags"][:SHOWN]:
        share = one["items"] / summary["items"]
        facet = say(f"facet.{one['facet']}")
        grid.add_row(
            escape(visible(one[language()])),
            facet,
            f"{one['items']:,}",
            f"{share:.1%}",
            f"{one['mean_strength']:.2f}",
        )
    Console().print(grid)
    if len(summary["tags"]) > SHOWN:
        tell("tags.more", count=len(summary["tags"]) - SHOWN)
    empty = summary["items_without_text"]
    tell(
        "tags.found" if empty else "tags.found_all_with_text",
        items=summary["items"],
        tagged=summary["items_with_tags"],
        threshold=summary["threshold"],
        without=summary["items"] - summary["items_with_tags"],
        empty=empty,
        tags=len(summary["tags"]),
    )
    _print_sources(summary.get("sources", ()))
    if any(one["facet"] == FACET for one in summary["tags"]):
        tell("tags.subject", items=summary["items_with_subject_tags"])
    tell("tags.written", path=summary["output"])


def source_rows(reliability: Sequence[SourceReliability]) -> list[dict[str, Any]]:
    """How far each source was believed."""
    return [
        {
            "source": one.source,
            "found": one.found,
            "met": one.met,
            "confirmed": one.confirmed,
            "repeated": one.repeated,
            "precision": one.precision,
            "recall": one.recall,
        }
        for one in reliability
    ]


def _print_sources(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    names = ("source", "found", "met", "confirmed", "repeated", "precision")
    grid = Grid(say("tags.columns_source"), box=None)
    for name in names[1:]:
        grid.add_column(say(f"tags.columns_{name}"), justify="right")
    for one in rows:
        counts = [f"{one[name]:,}" for name in names[1:5]]
        grid.add_row(escape(source_name(one["source"])), *counts, f"{one['precision']:.0%}")
    Console().print(grid)


def own_table(workspace: Workspace, matrix: TagMatrix) -> dict[str, Any] | None:
    """Say what the workspace's own table of tags overrides; ``None`` where it has none."""
    path = locate(workspace.root, "item_tags")
    if path is None:
        return None
    table = read_item_tags(workspace)
    own = with_slugs(table, workspace_tags(workspace, table))["tag"].unique()
    tell("tags.own_table", file=path.name, tags=len(own))
    columns = {one.slug: k for k, one in enumerate(matrix.tags)}
    both = sorted(columns.keys() & set(own.to_list()))
    rows = int(sum(matrix.strength[:, [columns[slug]]].nnz for slug in both))
    if both:
        tell("tags.own_overrides", rows=rows, names=", ".join(both[:10]))
    return {"file": path.name, "tags": len(own), "overrides": both, "rows_not_used": rows}
