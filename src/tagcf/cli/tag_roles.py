"""``tagcf tag --roles``: whom items speak to, roles of users, and the logic graph; ``--user``."""

from __future__ import annotations

from typing import Any

import click
import numpy as np
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.json_text import echo_json
from tagcf.cli.tag_items import Items, read_items
from tagcf.cli.tag_llm import llm_logic
from tagcf.cli.tags_changed import say_tags_older
from tagcf.cli.talk import tell
from tagcf.data.files import locate
from tagcf.data.read import read_log
from tagcf.data.workspace import Workspace
from tagcf.errors import UnknownNameError
from tagcf.tags.llm_items import FREE, read_table
from tagcf.tags.llm_logic import read_logic_edges
from tagcf.tags.matrix import load_tags
from tagcf.tags.roles.graph import ORIGINS, LogicGraph, build_logic
from tagcf.tags.roles.infer import infer, render_path, render_user_roles, start_of
from tagcf.tags.roles.items import encode_roles, role_matrix
from tagcf.tags.roles.store import (
    read_logic,
    read_user_roles,
    write_item_roles,
    write_logic,
    write_user_roles,
)
from tagcf.tags.roles.users import user_roles
from tagcf.tags.roles.vocabulary import RoleVocabulary, allowed_roles
from tagcf.text import did_you_mean, language, say, visible
from tagcf.types import IdMap, TagMatrix

SHOWN = 20  # edges printed
PATHS = 10  # topics that a user's roles lead to


def write_roles(workspace: Workspace, as_json: bool, *, ask_llm: bool = False) -> None:
    """Write item_roles, user_roles and logic to ``out/``, and print the strongest edges.

    `ask_llm` asks ``[llm]`` for edges first; without it, those of an earlier run are used.
    """
    if locate(workspace.root, "impressions") is None and not ask_llm:
        _write_item_roles_alone(workspace, as_json)
        return
    log = read_log(workspace)
    roles = allowed_roles(workspace.settings.roles.protected)
    tell("tags.roles_started", roles=len(roles), version=roles.version)
    of_items = _roles_of_items(workspace, read_items(workspace), log.items, roles)
    path = write_item_roles(workspace, of_items)
    tags = load_tags(workspace, log)
    say_tags_older(workspace)
    asked = workspace.settings.roles
    threshold = workspace.settings.tags.threshold
    from_llm = llm_logic(workspace, tags, of_items) if ask_llm else None
    said = read_logic_edges(workspace) if from_llm is None else from_llm.told
    graph = build_logic(
        log, tags, of_items, asked.outcome, asked.positive, llm=said, threshold=threshold
    )
    of_users = user_roles(log, of_items, asked.outcome, asked.positive, min_events=asked.min_events)
    versions = {"tags": tags.version, "roles": roles.version}
    written = [path, write_logic(workspace, graph, versions), write_user_roles(workspace, of_users)]
    known = int((np.diff(of_users.lift.indptr) > 0).sum())
    facts: dict[str, Any] = {
        "items": int((of_items.strength.sum(axis=1) > 0).sum()),
        "users": known,
        "all_users": len(of_users.users),
        "edges": len(graph.to_roles.source) + len(graph.to_topics.source),
    }
    edges = _edges(graph, said)
    if as_json:
        if from_llm is not None:
            facts["llm"] = from_llm.facts
        echo_json(facts | {"edges": edges, "output": [str(one) for one in written]})
        return
    leading = [one for one in edges if one["weight"] > 0]
    if leading:
        _print_edges(leading[:SHOWN])
    tell("tags.roles_found", **facts)
    for one in written:
        tell("tags.written", path=one)


def _write_item_roles_alone(workspace: Workspace, as_json: bool) -> None:
    """Roles of items where there is no log: those of users and the graph come of behaviour."""
    roles = allowed_roles(workspace.settings.roles.protected)
    tell("tags.roles_started", roles=len(roles), version=roles.version)
    items = read_items(workspace)
    of_items = _roles_of_items(workspace, items, items.ids(), roles)
    path = write_item_roles(workspace, of_items)
    found = int((of_items.strength.sum(axis=1) > 0).sum())
    tell("tags.roles_of_items_alone", items=found)
    if as_json:
        facts = {"items": found, "users": 0, "all_users": 0, "edges": []}
        echo_json(facts | {"output": [str(path)]})
        return
    tell("tags.written", path=path)


def _roles_of_items(
    workspace: Workspace, read: Items, items: IdMap, roles: RoleVocabulary
) -> TagMatrix:
    """From texts, and from a language model's names where ``--extract`` was run."""
    texts = encode_roles(read.joined(), roles)
    path = workspace.out / FREE
    schema = {"item_id": pl.String, "role": pl.String}
    named = pl.DataFrame(schema=schema)
    if path.is_file():
        told = read_table(workspace, FREE, f"tagcf tag {workspace.root} --extract")
        free = told.filter(pl.col("kind") == "role")
        named = free.select(
            "item_id",
            pl.col("name").alias("role"),
            "strength",
            "confidence",
            pl.lit("llm").alias("source"),
        )
    return role_matrix(named, items, roles, texts)


def _edges(graph: LogicGraph, said: pl.DataFrame | None) -> list[dict[str, Any]]:
    """Edges that behaviour or a language model speaks for, strongest first."""
    why: dict[tuple[str, str, str], str] = {}
    if said is not None:
        ends = said.select("kind", "source", "target", "reason").iter_rows()
        why = {(kind, source, target): reason for kind, source, target, reason in ends}
    rows = []
    for kind, edges, sources, targets in (
        ("topic_to_role", graph.to_roles, graph.topics, graph.roles),
        ("role_to_topic", graph.to_topics, graph.roles, graph.topics),
    ):
        for k in range(len(edges.source)):
            source, target = sources[edges.source[k]], targets[edges.target[k]]
            rows.append(
                {
                    "kind": kind,
                    "source": source.slug,
                    "source_zh": source.zh,
                    "source_en": source.en,
                    "target": target.slug,
                    "target_zh": target.zh,
                    "target_en": target.en,
                    "weight": round(float(edges.weight[k]), 4),
                    "weight_se": round(float(edges.weight_se[k]), 4),
                    "users": int(edges.users[k]),
                    "origin": (origin := ORIGINS[edges.origin[k]]),
                    "reason": None
                    if origin == "behaviour"
                    else why.get((kind, source.slug, target.slug)),
                }
            )
    return sorted(rows, key=lambda row: -row["weight"])


def _print_edges(rows: list[dict[str, Any]]) -> None:
    grid = Grid(say("tags.columns_from"), say("tags.columns_to"), box=None)
    grid.add_column(say("tags.columns_log_odds"), justify="right")
    grid.add_column(say("tags.columns_users"), justify="right")
    told = any(row["reason"] for row in rows)
    if told:
        grid.add_column(say("tags.columns_llm_reason"))
    for row in rows:
        names = (row[f"{end}_{language()}"] for end in ("source", "target"))
        weight = f"{row['weight']:+.2f} ± {1.96 * row['weight_se']:.2f}"
        cells = [*(escape(visible(name)) for name in names), weight, f"{row['users']:,}"]
        grid.add_row(*cells, *([escape(visible(row["reason"] or ""))] if told else []))
    Console().print(grid)


def show_user(workspace: Workspace, user: str, as_json: bool) -> None:
    """Print a user's roles, and the topics that they lead to.

    Raises
    ------
    UnknownNameError
        The log has no such user.
    """
    found = read_user_roles(workspace)
    if int(found.users.find([user])[0]) < 0:
        ids = [str(one) for one in found.users.ids.to_pylist()]
        raise UnknownNameError("tags.unknown_user", user=user, hint=did_you_mean(user, ids))
    roles = found.of(user)
    graph = read_logic(workspace)
    start = {slug: much for slug, much in start_of(roles or ()).items() if _knows(graph, slug)}
    paths = infer(graph, start, hops=1, k=PATHS) if start else ()
    if as_json:
        told = [
            {"role": one.role.slug, "lift": one.lift, "low": one.low, "high": one.high}
            | {"verdict": one.verdict}
            for one in roles or ()
        ]
        leads = [
            {"path": [node.slug for node in one.nodes], "text": render_path(one)} for one in paths
        ]
        verdict = "told" if roles is not None else "cannot tell"
        echo_json({"user": user, "verdict": verdict, "roles": told, "leads_to": leads})
        return
    for line in (*render_user_roles(roles), *(render_path(one) for one in paths)):
        click.echo(line)


def _knows(graph: LogicGraph, slug: str) -> bool:
    return any(role.slug == slug for role in graph.roles)
