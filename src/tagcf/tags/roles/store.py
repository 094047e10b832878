"""The logic graph and the users' roles on disk: one Parquet file each, written atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from scipy import sparse

from tagcf.data.workspace import Workspace, atomic_path
from tagcf.errors import OutputError
from tagcf.tags.matrix import matrix_frame
from tagcf.tags.roles.graph import ORIGINS, Edges, LogicGraph
from tagcf.tags.roles.users import UserRoles
from tagcf.types import IdMap, Tag, TagMatrix

LOGIC_FILE = "logic.parquet"
USERS_FILE = "user_roles.parquet"
ITEMS_FILE = "item_roles.parquet"
KINDS = ("to_roles", "to_topics", "same_item")

_NUMBERS = ("lift", "se", "q", "weight", "weight_se")
_BROKEN = (OSError, ValueError, pl.exceptions.PolarsError)
_FOREIGN = (KeyError, TypeError, ValueError, pl.exceptions.PolarsError)


def write_logic(
    workspace: Workspace, graph: LogicGraph, versions: Mapping[str, str] | None = None
) -> Path:
    """Write ``out/logic.parquet``: one row per edge, names as slugs.

    Parameters
    ----------
    versions
        Versions of the tag tree and the role vocabulary that the graph was made with; they stand
        in the file beside the graph (`logic_versions`).
    """
    facts = {
        "topics": [asdict(tag) for tag in graph.topics],
        "roles": [asdict(tag) for tag in graph.roles],
        "topic_share": graph.topic_share.tolist(),
        "role_share": graph.role_share.tolist(),
        "n_users": graph.n_users,
        "n_engagements": graph.n_engagements,
        "versions": dict(versions or {}),
    }
    table = pl.concat([_edge_table(graph, kind) for kind in KINDS])
    return _write(workspace.out / LOGIC_FILE, table, facts)


def has_roles(workspace: Workspace) -> bool:
    """Whether ``tagcf tag --roles`` was run on a log, be its files broken."""
    return any((workspace.out / name).is_file() for name in (LOGIC_FILE, USERS_FILE))


def read_logic(workspace: Workspace) -> LogicGraph:
    """Read what `write_logic` wrote.

    Raises
    ------
    OutputError
        Nothing has been written yet, it cannot be read, or another program wrote it.
    """
    table, facts = _read(workspace, LOGIC_FILE, "--roles")
    try:
        topics, roles = _tags(facts["topics"]), _tags(facts["roles"])
        to_roles, to_topics, same_item = (_edges(table, kind, topics, roles) for kind in KINDS)
        return LogicGraph(
            topics=topics,
            roles=roles,
            to_roles=to_roles,
            to_topics=to_topics,
            same_item=same_item,
            topic_share=np.array(facts["topic_share"], float),
            role_share=np.array(facts["role_share"], float),
            n_users=facts["n_users"],
            n_engagements=facts["n_engagements"],
        )
    except _FOREIGN as foreign:
        raise _foreign(workspace, LOGIC_FILE, "--roles") from foreign


def logic_versions(workspace: Workspace) -> dict[str, str]:
    """Versions that the graph on disk was made with; empty where none were given."""
    return dict(_read(workspace, LOGIC_FILE, "--roles")[1].get("versions", {}))


def write_user_roles(workspace: Workspace, found: UserRoles) -> Path:
    """Write ``out/user_roles.parquet``: one row per user and role kept.

    A user without any has one row without a role; with fewer events than ``min_events`` that
    means: cannot tell.
    """
    users = pl.DataFrame(
        {"user_id": pl.Series(found.users.ids, dtype=pl.String), "events": found.events}
    ).with_row_index("user")
    place = np.repeat(np.arange(len(found.users)), np.diff(found.lift.indptr))
    slugs = pl.Series([role.slug for role in found.roles], dtype=pl.String)
    kept = pl.DataFrame(
        {
            "user": place.astype(np.uint32),
            "role": slugs.gather(found.lift.indices),
            "lift": found.lift.data,
            "low": found.low.data,
            "high": found.high.data,
        }
    )
    table = users.join(kept, on="user", how="left", maintain_order="left_right").drop("user")
    facts = {
        "roles": [asdict(role) for role in found.roles],
        "min_events": found.min_events,
        "level": found.level,
    }
    return _write(workspace.out / USERS_FILE, table, facts)


def read_user_roles(workspace: Workspace) -> UserRoles:
    """Read what `write_user_roles` wrote; raises as `read_logic`."""
    table, facts = _read(workspace, USERS_FILE, "--roles")
    try:
        roles = _tags(facts["roles"])
        users = table.select("user_id", "events").unique("user_id", maintain_order=True)
        ids = IdMap(pa.array(users["user_id"].to_list(), pa.string()))
        kept = table.drop_nulls("role")
        rows = ids.find(kept["user_id"].to_list())
        columns = _places(kept["role"], roles)

        def matrix(name: str) -> sparse.csr_array:
            values = kept[name].to_numpy().astype(np.float32)
            return sparse.csr_array((values, (rows, columns)), shape=(len(ids), len(roles)))

        return UserRoles(
            users=ids,
            roles=roles,
            lift=matrix("lift"),
            low=matrix("low"),
            high=matrix("high"),
            events=users["events"].to_numpy(),
            min_events=facts["min_events"],
            level=facts["level"],
        )
    except _FOREIGN as foreign:
        raise _foreign(workspace, USERS_FILE, "--roles") from foreign


def write_item_roles(workspace: Workspace, found: TagMatrix) -> Path:
    """Write ``out/item_roles.parquet``: item_id, role, strength, source, confidence."""
    facts = {"roles": [asdict(role) for role in found.tags]}
    return _write(workspace.out / ITEMS_FILE, matrix_frame(found).rename({"tag": "role"}), facts)


def read_item_roles(
    workspace: Workspace, items: IdMap | None = None, roles: Sequence[Tag] | None = None
) -> TagMatrix:
    """Read what `write_item_roles` wrote; raises as `read_logic`.

    Parameters
    ----------
    items
        Rows of the matrix; default the items that have roles.
    roles
        Columns of the matrix; default those that were written.
    """
    table, facts = _read(workspace, ITEMS_FILE, "--roles")
    try:
        written = _tags(facts["roles"])
        if items is None:
            ids = table["item_id"].unique(maintain_order=True)
            items = IdMap(pa.array(ids.to_list(), pa.string()))
        wanted = tuple(written if roles is None else roles)
        row = items.find(table["item_id"].to_list())
        column = _columns_of(table["role"], wanted)
        kept = (row >= 0) & (column >= 0)
        sources = tuple(sorted(table["source"].unique()))
        number = {source: k + 1 for k, source in enumerate(sources)}
        code = table["source"].replace_strict(number, return_dtype=pl.Int16).to_numpy()

        def matrix(values: np.ndarray, kind: type) -> sparse.csr_array:
            place = (row[kept], column[kept])
            shape = (len(items), len(wanted))
            return sparse.csr_array((values[kept].astype(kind), place), shape=shape)

        return TagMatrix(
            items=items,
            tags=wanted,
            strength=matrix(table["strength"].to_numpy(), np.float32),
            confidence=matrix(table["confidence"].to_numpy(), np.float32),
            source=matrix(code, np.int16),
            sources=sources,
        )
    except _FOREIGN as foreign:
        raise _foreign(workspace, ITEMS_FILE, "--roles") from foreign


def _columns_of(slugs: pl.Series, tags: Sequence[Tag]) -> np.ndarray:
    """Positions of slugs among tags; -1 where one is none of them."""
    names = pl.Series([tag.slug for tag in tags], dtype=pl.String)
    places = pl.Series(np.arange(len(tags), dtype=np.int32))
    found = slugs.replace_strict(names, places, default=-1, return_dtype=pl.Int32)
    return np.asarray(found.to_numpy())


def _edge_table(graph: LogicGraph, kind: str) -> pl.DataFrame:
    edges: Edges = getattr(graph, kind)
    sources = graph.roles if kind == "to_topics" else graph.topics
    targets = graph.topics if kind == "to_topics" else graph.roles
    names = [pl.Series([tag.slug for tag in side], dtype=pl.String) for side in (sources, targets)]
    return pl.DataFrame(
        {
            "kind": pl.Series([kind] * len(edges), dtype=pl.String),
            "source": names[0].gather(edges.source),
            "target": names[1].gather(edges.target),
            **{name: getattr(edges, name).astype(np.float64) for name in _NUMBERS},
            "users": edges.users.astype(np.int64),
            "origin": pl.Series([ORIGINS[k] for k in edges.origin], dtype=pl.String),
        }
    )


def _edges(
    table: pl.DataFrame, kind: str, topics: tuple[Tag, ...], roles: tuple[Tag, ...]
) -> Edges:
    rows = table.filter(pl.col("kind") == kind)
    sources, targets = (roles, topics) if kind == "to_topics" else (topics, roles)
    lift, se, q, weight, weight_se = (rows[name].to_numpy() for name in _NUMBERS)
    return Edges(
        source=_places(rows["source"], sources),
        target=_places(rows["target"], targets),
        lift=lift,
        se=se,
        q=q,
        weight=weight,
        weight_se=weight_se,
        users=rows["users"].to_numpy(),
        origin=np.array([ORIGINS.index(one) for one in rows["origin"]], np.int8),
    )


def _places(slugs: pl.Series, tags: tuple[Tag, ...]) -> np.ndarray:
    found = _columns_of(slugs, tags)
    if (found < 0).any():
        raise KeyError(slugs.filter(found < 0)[0])
    return found


def _tags(listed: list[dict[str, Any]]) -> tuple[Tag, ...]:
    several = ("aliases", "keywords")
    return tuple(Tag(**one | {name: tuple(one[name]) for name in several}) for one in listed)


def _write(target: Path, table: pl.DataFrame, facts: Mapping[str, Any]) -> Path:
    with atomic_path(target) as partial:
        table.write_parquet(partial, metadata={"tagcf": json.dumps(facts)})
    return target


def _read(workspace: Workspace, name: str, option: str) -> tuple[pl.DataFrame, dict[str, Any]]:
    path = workspace.out / name
    command = f"tagcf tag {workspace.root} {option}"
    if not path.is_file():
        raise OutputError("error.missing_output", path=path, command=command)
    try:
        table = pl.read_parquet(path, hive_partitioning=False)
        return table, json.loads(pl.read_parquet_metadata(path)["tagcf"])
    except KeyError as foreign:
        raise _foreign(workspace, name, option) from foreign
    except _BROKEN as broken:
        detail = str(broken).splitlines()[0]
        raise OutputError(
            "error.broken_output", path=path, detail=detail, command=command
        ) from broken


def _foreign(workspace: Workspace, name: str, option: str) -> OutputError:
    command = f"tagcf tag {workspace.root} {option}"
    return OutputError("error.foreign_output", path=workspace.out / name, command=command)
