"""``tagcf check`` of a folder without impressions: the items, and what is lacking for the rest."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from tagcf.cli.bad_table import print_bad, worded
from tagcf.cli.json_text import echo_json
from tagcf.data.item_rows import ItemRows, missing_media
from tagcf.data.workspace import Workspace
from tagcf.text import say, visible


def check_items_alone(workspace: Workspace, items: ItemRows, *, as_json: bool, strict: bool) -> int:
    """Say what items.* holds, what is wrong with it, and what verbs beside tag would need."""
    bad = (*items.bad(), *missing_media(workspace, items))
    content = workspace.settings.content
    lacks = ["check.no_impressions"]
    if not content.text and content.media is None:
        lacks.append("check.no_content")
    if as_json:
        told = {"bad": [worded(one) for one in bad]}
        echo_json(_as_dict(workspace, items, lacks) | told, indent=2)
    else:
        console = Console(highlight=False, soft_wrap=True)
        if workspace.settings.data.title:
            console.print(escape(visible(workspace.settings.data.title)), style="bold")
        if workspace.settings.data.simulated:
            console.print(say("check.simulated"), style="bold")
        used, texts = f"{items.frame.height:,}", f"{items.with_text:,}"
        console.print(say("check.rows", read=f"{items.rows_read:,}", used=used))
        console.print(say("check.items_alone", items=used, texts=texts))
        print_bad(console, bad)
        for key in lacks:
            console.print(f"  · {escape(say(key))}")
    return 3 if strict and any(one.kind.startswith("bad.") for one in bad) else 0


def _as_dict(workspace: Workspace, items: ItemRows, lacks: list[str]) -> dict[str, Any]:
    return {
        "title": workspace.settings.data.title,
        "simulated": workspace.settings.data.simulated,
        "rows_read": items.rows_read,
        "rows_used": items.frame.height,
        "n_items": items.frame.height,
        "n_items_with_text": items.with_text,
        "outcomes": [],
        "rung": None,
        "lacks": [{"key": key, "text": say(key)} for key in lacks],
        "usable": bool(items.frame.height),
    }
