"""``tagcf tag --propose`` and ``--accept``: the tree changes by proposals that a person decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl
from scipy import sparse

from tagcf.cli.json_text import echo_json
from tagcf.cli.tag_items import read_items
from tagcf.cli.tags_changed import say_tags_older
from tagcf.cli.talk import tell
from tagcf.data.files import locate
from tagcf.data.read import read_log
from tagcf.data.times import read_times
from tagcf.data.workspace import Workspace
from tagcf.tags.llm_items import FREE, read_table
from tagcf.tags.matrix import read_tags, tag_matrix_from_frame, workspace_units
from tagcf.tags.roles.engagement import engaged_table
from tagcf.tags.tree.mined import Mined, day_of, mined_table, part_to_mine
from tagcf.tags.tree.proposals import (
    Proposal,
    apply_proposals,
    describe,
    read_proposals,
    write_proposals,
)
from tagcf.tags.tree.propose import propose
from tagcf.tags.tree.versions import read_tree, tree_vocabulary
from tagcf.text import say, visible
from tagcf.types import IdMap

SHOWN = 20  # proposals printed
DAY = 86_400.0  # seconds


def propose_changes(workspace: Workspace, as_json: bool, *, until: str | None = None) -> None:
    """Write proposals from free names (of a language model, hashtags) and the items' tags.

    Behaviour of a share of the content alone is searched (``tree.mine_share``), or with `until`
    that of all content up to a time: effects of new tags need content that had no part in them.
    """
    items = read_items(workspace)
    found = read_tags(workspace)
    say_tags_older(workspace)
    matrix = tag_matrix_from_frame(found.rows, items.ids(), found.known)
    vocabulary = tree_vocabulary(workspace)
    texts = items.joined()
    engaged, mined = _engaged(workspace, matrix.items, until)
    made = propose(
        matrix,
        vocabulary.tags,
        _free_names(workspace, texts),
        engaged=engaged,
        mined=mined,
        texts=texts,
        threshold=workspace.settings.tags.threshold,
        skip=read_tree(workspace).rejected,
    )
    path = write_proposals(workspace, made)
    every = read_proposals(path)
    if as_json:
        echo_json({"proposals": [_json(one) for one in every], "output": str(path)})
        return
    for one in every[:SHOWN]:
        tell("tags.proposal", status=one.status, sentence=visible(describe(one)))
    if not every:
        tell("tags.nothing_proposed", path=path)
        return
    tell(
        "tags.proposed", count=len(every), path=path, command=f"tagcf tag {workspace.root} --accept"
    )


def _engaged(
    workspace: Workspace, items: IdMap, until: str | None
) -> tuple[sparse.csr_array | None, Mined | None]:
    """(U, I) who engaged with the items that may be searched; None where nothing was logged yet."""
    if locate(workspace.root, "impressions") is None:
        return None, None
    log = read_log(workspace)
    share, last = workspace.settings.tree.mine_share, None
    if until is not None:
        share, last = 1.0, _time(until, workspace.settings.data.timezone)
    if not share:
        return None, None
    part, mined = part_to_mine(log, workspace_units(workspace, log.items), share, last)
    facts = {"first": day_of(mined.first), "last": day_of(mined.last)}
    if until is None:
        tell("tree.mining", share=share, **facts)
    else:
        tell("tree.mining_until", **facts)
    asked = workspace.settings.roles
    table = engaged_table(part, asked.outcome, asked.positive)
    at = items.find([str(one) for one in log.items.ids.to_pylist()])
    known = np.flatnonzero(at >= 0)
    place = (np.ones(known.size, np.float32), (known, at[known]))
    moved = sparse.csr_array(place, shape=(len(log.items), len(items)))
    return sparse.csr_array(table @ moved), mined


def _time(written: str, zone: str) -> float:
    """Epoch seconds of a date, which counts to its end, or a time."""
    read = read_times(pl.Series([written]), zone).seconds[0]
    if np.isnan(read):
        raise click.UsageError(say("tree.until_no_time", value=written))
    return float(read) + (DAY - 1 if len(written.strip()) <= len("2026-01-31") else 0)


def _free_names(workspace: Workspace, texts: pl.DataFrame) -> pl.DataFrame:
    """Names that are no tags yet: a language model's topics, and the hashtags of texts."""
    hashtags = texts.select(
        "item_id", pl.col("text").str.extract_all(r"[#＃][\p{L}\p{N}_]+").alias("name")
    ).explode("name")
    parts = [hashtags.drop_nulls().with_columns(pl.col("name").str.slice(1))]
    path = workspace.out / FREE
    if path.is_file():
        named = read_table(workspace, FREE, f"tagcf tag {workspace.root} --extract")
        parts.append(named.filter(pl.col("kind") == "topic").select("item_id", "name"))
    return pl.concat(parts).unique(maintain_order=True)


def accept_changes(workspace: Workspace, file: Path | None, as_json: bool) -> None:
    """Make the accepted proposals a new version of the tree."""
    applied = apply_proposals(workspace, file)
    counts = {
        "accepted": len(applied.accepted),
        "already": len(applied.already),
        "rejected": len(applied.rejected),
        "open": len(applied.open),
    }
    if as_json:
        echo_json(
            counts | {"version": applied.version, "tree": str(workspace.root / "tag_tree.toml")}
        )
        return
    tell("tags.accepted", **counts, version=applied.version)
    if applied.accepted:
        tell("tags.tag_again", command=f"tagcf tag {workspace.root}")


def _json(one: Proposal) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "tag": one.tag,
        "names": list(one.names),
        "status": one.status,
        "items": one.items,
        "users": one.users,
        "mined": None if one.mined is None else mined_table(one.mined),
        "examples": list(one.examples),
    }
