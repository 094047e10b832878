"""``tagcf tag --danmaku``: what viewers' lines say items are about, in a file of its own."""

from __future__ import annotations

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.json_text import echo_json
from tagcf.cli.talk import tell
from tagcf.data.workspace import Workspace
from tagcf.tags.danmaku import danmaku_tags, read_danmaku, write_danmaku_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.names import workspace_tags
from tagcf.tags.tree.versions import tree_vocabulary
from tagcf.text import language, say, visible

SHOWN = 30  # tags in the printed table


def tag_danmaku(workspace: Workspace, as_json: bool) -> None:
    """Write the tags of all items with danmaku, and print the strongest."""
    found = danmaku_tags(read_danmaku(workspace), tree_vocabulary(workspace), Lexicon())
    path = write_danmaku_tags(workspace, found)
    if as_json:
        echo_json({"tags": found.to_dicts(), "used_by_effects": False, "output": str(path)})
        return
    names = {one.slug: one for one in workspace_tags(workspace)}
    columns = ("item", "tag", "own_strength", "writers", "line")
    grid = Grid(*(say(f"tags.columns_{name}") for name in columns), box=None)
    for row in found.sort("strength", "writers", descending=True).head(SHOWN).to_dicts():
        tag = names.get(row["tag"])
        label = (tag.zh if language() == "zh" else tag.en) if tag else row["tag"]
        counts = f"{row['writers']:,} / {row['of']:,}"
        strength = f"{row['strength']:.2f}"
        cells = (row["item_id"], label, strength, counts, row["quote"])
        grid.add_row(*(escape(visible(cell)) for cell in cells))
    Console().print(grid)
    items = found.select(pl.col("item_id").n_unique()).item()
    tell("tags.danmaku_written", items=items, path=path)
