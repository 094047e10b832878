"""``tagcf tag --propose`` and ``--accept``: the tree changes by proposals that a person decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from tagcf.cli.json_text import echo_json
from tagcf.cli.tag_items import read_items
from tagcf.cli.talk import tell
from tagcf.data.files import locate
from tagcf.data.read import read_log
from tagcf.data.workspace import Workspace
from tagcf.tags.llm_items import FREE, read_table
from tagcf.tags.matrix import read_tags, tag_matrix_from_frame
from tagcf.tags.roles.engagement import engaged_table
from tagcf.tags.tree.proposals import (
    FILE,
    Proposal,
    apply_proposals,
    describe,
    read_proposals,
    write_proposals,
)
from tagcf.tags.tree.propose import propose
from tagcf.tags.tree.versions import read_tree, tree_vocabulary
from tagcf.text import visible
from tagcf.types import IdMap

SHOWN = 20  # proposals printed


def propose_changes(workspace: Workspace, as_json: bool) -> None:
    """Write proposals from free names (of a language model, hashtags) and the items' tags."""
    items = read_items(workspace)
    found = read_tags(workspace)
    matrix = tag_matrix_from_frame(found.rows, items.ids(), found.known)
    vocabulary = tree_vocabulary(workspace)
    texts = items.joined()
    engaged = _engaged(workspace, matrix.items)
    made = propose(
        matrix,
        vocabulary.tags,
        _free_names(workspace, texts),
        engaged=engaged,
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


def _engaged(workspace: Workspace, items: IdMap) -> sparse.csr_array | None:
    """(U, I) who engaged with the items; None where there are no impressions yet."""
    if locate(workspace.root, "impressions") is None:
        return None
    log = read_log(workspace)
    asked = workspace.settings.roles
    table = engaged_table(log, asked.outcome, asked.positive)
    at = items.find([str(one) for one in log.items.ids.to_pylist()])
    known = np.flatnonzero(at >= 0)
    place = (np.ones(known.size, np.float32), (known, at[known]))
    moved = sparse.csr_array(place, shape=(len(log.items), len(items)))
    return sparse.csr_array(table @ moved)


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
    path = file or workspace.out / FILE
    applied = apply_proposals(workspace, path)
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
        "examples": list(one.examples),
    }
