"""Which tags hang on which: parent edges of the vocabulary, parent and causes edges of a file.

Beside them, which tags mean nearly the same. The file's form is in `tagcf.tags.graph_file`. A
total effect lets the descendants of a tag change with it, a direct effect holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal

from tagcf.data.workspace import Workspace
from tagcf.errors import DataError, UnknownNameError
from tagcf.tags.graph_file import GraphFile, UnknownInGraphError, graph_path, read_graph_file
from tagcf.tags.names import known_tags, named_tags, workspace_tags
from tagcf.tags.tree.versions import tree_vocabulary
from tagcf.tags.vocabulary import name_index
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
    """Edges between slugs, without cycles, and groups of slugs that mean nearly the same."""

    edges: tuple[TagEdge, ...] = ()
    near_duplicates: tuple[tuple[str, ...], ...] = ()

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


def load_graph(workspace: Workspace, tags: Sequence[Tag] | None = None) -> TagGraph:
    """Graph of a workspace: the vocabulary's parents and the file that ``tags.graph`` names.

    Parameters
    ----------
    tags
        Tags in use, e.g. ``TagMatrix.tags``: their names may stand in the file, too. Where
        not given, the workspace's own tags are read.

    Raises
    ------
    DataError
        The file is missing, of another form than `read_graph_file` wants, or closes a cycle.
    UnknownNameError
        It names a tag that does not exist.
    """
    path = graph_path(workspace)
    file = read_graph_file(path) if path is not None else GraphFile(workspace.root, (), ())
    if tags is None:
        return _graph(file, workspace_tags(workspace), path)
    try:
        return _graph(file, (*known_tags(tree_vocabulary(workspace)), *tags), path)
    except UnknownNameError:  # perhaps a tag that no item of the log carries
        return _graph(file, workspace_tags(workspace), path)


def _graph(file: GraphFile, known: Sequence[Tag], path: Path | None) -> TagGraph:
    named = named_tags(known, file.namings)
    edges = [TagEdge(tag.parent, tag.slug, "parent") for tag in named if tag.parent]
    own = edges_of(file, named)
    graph = checked(edges + own, path)
    return TagGraph(graph.edges, groups_of(file, named, own))


def read_edges(path: Path, known: Iterable[Tag]) -> list[TagEdge]:
    """Read the edges of a file, tags by any of their names."""
    return edges_of(read_graph_file(path), known)


def edges_of(file: GraphFile, known: Iterable[Tag]) -> list[TagEdge]:
    """Find the tags that the edges of a file mean."""
    index = name_index(known)
    edges: list[TagEdge] = []
    for part, left, right in file.edges:
        one, other = _slug(left, index, file.path), _slug(right, index, file.path)
        if part == "parent":
            edges.append(TagEdge(upstream=other, downstream=one, kind="parent"))
        else:
            edges.append(TagEdge(upstream=one, downstream=other, kind="causes"))
    return edges


def groups_of(
    file: GraphFile, known: Iterable[Tag], edges: Iterable[TagEdge] = ()
) -> tuple[tuple[str, ...], ...]:
    """Find the tags that the groups of near-duplicates of a file mean.

    Raises
    ------
    UnknownNameError
        A name that no tag has.
    DataError
        A group of fewer than two tags, a tag in two groups, or a tag of a group that one of
        `edges` says to cause another.
    """
    index = name_index(known)
    groups: list[tuple[str, ...]] = []
    group_of: dict[str, int] = {}
    for names in file.groups:
        members = tuple(dict.fromkeys(_slug(name, index, file.path) for name in names))
        if len(members) < 2:
            raise DataError("tags.graph_small_group", path=file.path, names=", ".join(names))
        for slug in members:
            if slug in group_of:
                raise DataError("tags.graph_two_groups", path=file.path, name=slug)
            group_of[slug] = len(groups)
        groups.append(members)
    for edge in edges:
        ends = group_of.get(edge.upstream), group_of.get(edge.downstream)
        if edge.kind == "causes" and ends[0] is not None and ends[0] == ends[1]:
            raise DataError(
                "tags.graph_causes_itself",
                path=file.path,
                cause=edge.upstream,
                caused=edge.downstream,
            )
    return tuple(groups)


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


def _slug(name: str, index: dict[str, Tag], path: Path) -> str:
    tag = index.get(name.strip().casefold())
    if tag is None:
        hint = did_you_mean(name.casefold(), index)
        raise UnknownInGraphError("tags.unknown_in_graph", path=path, name=name, hint=hint)
    return tag.slug
