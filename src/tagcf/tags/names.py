"""Which tags there are: the vocabulary's, the surface tags, and the workspace's own.

A workspace may use tags that the vocabulary does not know. Their names come from the columns
``tag_zh``, ``tag_en`` and ``facet`` of ``item_tags.*`` or from the part ``tags:`` of the tag
graph; without them a tag is shown as it is written, under the facet ``custom``. A tag of the
vocabulary may be given other names in the same way; its old names still mean it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import polars as pl

from tagcf.data.files import locate
from tagcf.data.tables import NAME_COLUMNS, read_item_tags
from tagcf.data.workspace import Workspace
from tagcf.errors import DataError, UnknownNameError
from tagcf.tags.graph_file import Naming, UnknownInGraphError, graph_path, read_graph_file
from tagcf.tags.surface import FACET, surface_tags
from tagcf.tags.tree.versions import tree_vocabulary
from tagcf.tags.vocabulary import FACETS, Vocabulary, name_index, names_of
from tagcf.text import did_you_mean
from tagcf.types import Tag

CUSTOM = "custom"  # facet of tags that nobody has placed
PLACES = (*FACETS, FACET, CUSTOM)


def known_tags(vocabulary: Vocabulary) -> tuple[Tag, ...]:
    """Tags that have names wherever TagCF runs: the vocabulary's and the surface tags."""
    return (*vocabulary.tags, *surface_tags())


def workspace_tags(workspace: Workspace, table: pl.DataFrame | None = None) -> tuple[Tag, ...]:
    """All tags that mean something in a workspace.

    Parameters
    ----------
    table
        Its own item_tags, as `read_item_tags` returns them; read where not given.

    Returns
    -------
    tuple of Tag
        The vocabulary's and the surface tags, then the own tags: those of the graph, those
        with names in the table, those without.

    Raises
    ------
    DataError
        A file cannot be used, a tag has two different names, or a name has two tags.
    UnknownNameError
        The parent of a tag does not exist.
    """
    namings: tuple[Naming, ...] = ()
    graph = graph_path(workspace)
    if graph is not None:
        namings = read_graph_file(graph).namings
    path = locate(workspace.root, "item_tags")
    if path is not None:
        namings += namings_of_table(read_item_tags(workspace) if table is None else table, path)
    return named_tags(known_tags(tree_vocabulary(workspace)), namings)


def namings_of_table(rows: pl.DataFrame, path: Path) -> tuple[Naming, ...]:
    """What the columns tag_zh, tag_en and facet of `rows` say, then the tags that they pass over.

    Raises
    ------
    DataError
        Rows of one tag name it differently.
    """
    present = [column for column in NAME_COLUMNS if column in rows.columns]
    each = (
        rows.group_by(pl.col("tag").str.strip_chars(), maintain_order=True)
        .agg(pl.col(present).drop_nulls().unique(maintain_order=True))
        .drop_nulls("tag")
    )
    namings: list[Naming] = []
    for tag, *found in each.select("tag", *present).iter_rows():
        said: dict[str, str] = {}
        for column, names in zip(present, found, strict=True):
            if len(names) > 1:
                raise _two_names(tag, column, (names[0], path), (names[1], path))
            said |= {column.removeprefix("tag_"): name for name in names}
        namings.append(Naming(tag, path, **said))
    nameless = Naming("", path)
    return tuple(sorted(namings, key=lambda one: replace(one, tag="") == nameless))


def named_tags(known: Sequence[Tag], namings: Iterable[Naming]) -> tuple[Tag, ...]:
    """`known` tags and those that `namings` add, with the names that these give them.

    Raises
    ------
    DataError, UnknownNameError
        As `workspace_tags`.
    """
    tags = {tag.slug: tag for tag in known}
    owners = {name: tag.slug for name, tag in name_index(known).items()}
    said: dict[str, Naming] = {}
    for naming in namings:
        slug = owners.get(naming.tag.casefold(), naming.tag)
        said[slug] = _joined(said[slug], naming) if slug in said else naming
        tag = tags.get(slug, Tag(slug, slug, slug, CUSTOM))
        tags[slug] = _renamed(tag, naming)
        for name in sorted(names_of(tags[slug])):
            owner = owners.setdefault(name, slug)
            if owner != slug:
                raise DataError(
                    "tags.name_clash", path=naming.path, name=name, tag=slug, other=owner
                )
    for slug, naming in said.items():
        if naming.parent is not None:
            parent = owners.get(naming.parent.casefold())
            if parent is None:
                raise _unknown(naming.parent, owners, naming.path)
            tags[slug] = replace(tags[slug], parent=parent)
    return tuple(tags.values())


def with_nameless(tags: tuple[Tag, ...], rows: pl.DataFrame) -> tuple[Tag, ...]:
    """`tags`, and the tags of `rows` that have no names, as they are written."""
    known = name_index(tags)
    spelling: dict[str, str] = {}
    for name in rows["tag"].unique(maintain_order=True).drop_nulls():
        plain = name.strip()
        if plain.casefold() not in known:
            spelling.setdefault(plain.casefold(), plain)
    return (*tags, *(Tag(name, name, name, CUSTOM) for name in sorted(spelling.values())))


def _renamed(tag: Tag, naming: Naming) -> Tag:
    """Put the names of `naming` on a tag; its former names become aliases."""
    if naming.facet is not None and naming.facet not in PLACES:
        raise DataError(
            "tags.unknown_facet",
            path=naming.path,
            tag=tag.slug,
            name=naming.facet,
            hint=did_you_mean(naming.facet, PLACES),
            known=", ".join(PLACES),
        )
    zh, en = naming.zh or tag.zh, naming.en or tag.en
    former = [name for name in (tag.zh, tag.en) if name not in (zh, en, tag.slug, *tag.aliases)]
    return replace(
        tag, zh=zh, en=en, facet=naming.facet or tag.facet, aliases=(*tag.aliases, *former)
    )


def _joined(first: Naming, second: Naming) -> Naming:
    """What two places say of one tag; they may not contradict each other."""
    said: dict[str, str] = {}
    for name in (one.name for one in fields(Naming) if one.name not in ("tag", "path")):
        before, after = getattr(first, name), getattr(second, name)
        if before and after and before != after:
            raise _two_names(first.tag, name, (before, first.path), (after, second.path))
        if before or after:
            said[name] = before or after
    return Naming(first.tag, first.path, **said)


def _two_names(tag: str, what: str, one: tuple[str, Path], other: tuple[str, Path]) -> DataError:
    places = {"path": one[1], "other_path": other[1].name}
    return DataError("tags.two_names", tag=tag, what=what, one=one[0], other=other[0], **places)


def _unknown(name: str, known: Iterable[str], path: Path) -> UnknownNameError:
    hint = did_you_mean(name.casefold(), known)
    return UnknownInGraphError("tags.unknown_in_graph", path=path, name=name, hint=hint)
