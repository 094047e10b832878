"""Which tags hang on which: parent edges of the vocabulary, parent and causes edges of a file.

``tag_graph.yaml``::

    parent:                     # child: its parent, or a list of parents
      幼犬扑空摔倒: 萌宠
    causes:                     # cause: what it brings about, or a list
      幼犬扑空摔倒: [轻松幽默, 治愈感]

A total effect lets the descendants of a tag change with it, a direct effect holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal

import yaml

from tagcf.data.workspace import Workspace
from tagcf.errors import DataError, UnknownNameError
from tagcf.tags.matrix import known_tags
from tagcf.tags.vocabulary import default_vocabulary, name_index
from tagcf.text import did_you_mean
from tagcf.types import Tag

EdgeKind = Literal["parent", "causes"]


@dataclass(frozen=True, slots=True)
class TagEdge:
    """A change of `upstream` can change `downstream`: parent → child, or cause → consequence."""

    upstream: str
    downstream: str
    kind: EdgeKind


@dataclass(frozen=True, slots=True)
class TagGraph:
    """Edges between slugs, without cycles."""

    edges: tuple[TagEdge, ...] = ()

    def descendants(self, tag: str) -> frozenset[str]:
        """Slugs that can change when `tag` does, without itself."""
        children: dict[str, list[str]] = {}
        for edge in self.edges:
            children.setdefault(edge.upstream, []).append(edge.downstream)
        reached: set[str] = set()
        open_ends = [tag]
        while open_ends:
            for child in children.get(open_ends.pop(), ()):
                if child not in reached:
                    reached.add(child)
                    open_ends.append(child)
        return frozenset(reached)


def load_graph(workspace: Workspace, tags: Sequence[Tag] = ()) -> TagGraph:
    """Graph of a workspace: the vocabulary's parents and the file that ``tags.graph`` names.

    Parameters
    ----------
    tags
        Tags in use, e.g. ``TagMatrix.tags``: their names may stand in the file, too.

    Raises
    ------
    DataError
        The file is missing, no YAML of the form above, or closes a cycle.
    UnknownNameError
        It names a tag that does not exist.
    """
    known = {tag.slug: tag for tag in (*known_tags(default_vocabulary()), *tags)}
    edges = [TagEdge(tag.parent, tag.slug, "parent") for tag in known.values() if tag.parent]
    name = workspace.settings.tags.graph
    path = workspace.root / name if name else None
    if path is not None:
        edges += read_edges(path, known.values())
    return checked(edges, path)


def read_edges(path: Path, known: Iterable[Tag]) -> list[TagEdge]:
    """Read the edges of a file, tags by any of their names."""
    try:
        content = yaml.safe_load(path.read_text("utf-8-sig")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as broken:
        detail = str(broken).splitlines()[0]
        raise DataError("tags.bad_graph", path=path, detail=detail) from broken
    if not isinstance(content, dict) or set(content) - {"parent", "causes"}:
        raise DataError("tags.bad_graph", path=path, detail="parent: {…}, causes: {…}")
    index = name_index(known)
    edges: list[TagEdge] = []
    for kind, left, right in _pairs(content, path):
        one, other = _slug(left, index, path), _slug(right, index, path)
        if kind == "parent":
            edges.append(TagEdge(upstream=other, downstream=one, kind="parent"))
        else:
            edges.append(TagEdge(upstream=one, downstream=other, kind="causes"))
    return edges


def checked(edges: Iterable[TagEdge], path: Path | None = None) -> TagGraph:
    """Make a graph of edges, each once; a cycle is an error that spells it out."""
    distinct = tuple(dict.fromkeys(edges))
    order: TopologicalSorter[str] = TopologicalSorter()
    for edge in distinct:
        order.add(edge.downstream, edge.upstream)
    try:
        order.prepare()
    except CycleError as cycle:
        loop = " → ".join(cycle.args[1])
        raise DataError("tags.graph_cycle", path=path, cycle=loop) from None
    return TagGraph(distinct)


def _pairs(content: dict[str, Any], path: Path) -> list[tuple[str, str, str]]:
    """(kind, key, value) of every edge written in the file."""
    pairs: list[tuple[str, str, str]] = []
    for kind, entries in content.items():
        if not isinstance(entries, dict):
            raise DataError("tags.bad_graph", path=path, detail=f"{kind}: {entries!r}")
        for key, values in entries.items():
            listed = values if isinstance(values, list) else [values]
            pairs += [(kind, str(key), str(value)) for value in listed]
    return pairs


def _slug(name: str, index: dict[str, Tag], path: Path) -> str:
    tag = index.get(name.strip().casefold())
    if tag is None:
        hint = did_you_mean(name.casefold(), index)
        raise UnknownNameError("tags.unknown_in_graph", path=path, name=name, hint=hint)
    return tag.slug
