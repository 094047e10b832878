"""Tags of items as a table (item_id, tag, strength, source, confidence) and as a `TagMatrix`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from scipy import sparse

from tagcf.data.files import locate
from tagcf.data.tables import item_frame, read_item_tags
from tagcf.data.values import as_texts
from tagcf.data.workspace import Workspace, atomic_path
from tagcf.errors import OutputError
from tagcf.tags.names import known_tags, with_nameless, workspace_tags
from tagcf.tags.tree.mined import units_of, unseen_items
from tagcf.tags.tree.versions import mined_tags, tree_version
from tagcf.tags.vocabulary import default_vocabulary, name_index
from tagcf.types import EventLog, IdMap, Mask, Tag, TagMatrix

COLUMNS = ("item_id", "tag", "strength", "source", "confidence")
FILE = "item_tags.parquet"


@dataclass(frozen=True, slots=True)
class ItemTags:
    """The tags of a workspace's items: the columns of `COLUMNS` with slugs, and what tags mean."""

    rows: pl.DataFrame
    known: tuple[Tag, ...]
    version: str  # of the tag tree that they were made with
    own: frozenset[str] = frozenset()  # slugs that the workspace's own table names


def load_tags(workspace: Workspace, log: EventLog) -> TagMatrix:
    """Tags of the log's items: the workspace's own ``item_tags.*`` and what ``tagcf tag`` wrote.

    Where the own table names a tag, its rows are the only ones of that tag.

    Raises
    ------
    OutputError
        There is neither table, or the written one cannot be read.
    DataError
        The own table, or the names given to tags, cannot be used; see `workspace_tags`.
    """
    found = read_tags(workspace)
    matrix = tag_matrix_from_frame(found.rows, log.items, found.known)
    unseen = _unseen(workspace, log, found, matrix.tags)
    return replace(matrix, version=found.version, unseen=unseen)


def has_tags(workspace: Workspace) -> bool:
    """Whether there is a table of tags, one's own or a written one, be it broken."""
    own = locate(workspace.root, "item_tags") is not None
    return own or (workspace.root / "out" / FILE).is_file()


def _unseen(
    workspace: Workspace, log: EventLog, found: ItemTags, tags: Sequence[Tag]
) -> tuple[tuple[str, Mask], ...]:
    """Of the tags that were proposed from behaviour, the items that had no part in it.

    The own table may name a tag that was accepted after the others were made: its rows mean what
    the tree of today says.
    """
    made, today = mined_tags(workspace, found.version), mined_tags(workspace)
    mined = made | {slug: one for slug, one in today.items() if slug in found.own}
    here = {tag.slug: mined[tag.slug] for tag in tags if tag.slug in mined}
    if not here:
        return ()
    units = workspace_units(workspace, log.items)
    masks = {one: unseen_items(log, units, one) for one in set(here.values())}
    return tuple((slug, masks[one]) for slug, one in here.items())


def workspace_units(workspace: Workspace, items: IdMap) -> tuple[str, ...]:
    """(I,) whom each item of the log shares its fortunes with; see `units_of`."""
    ids = [str(one) for one in items.ids.to_pylist()]
    author = workspace.settings.design.author
    if author is None:
        return units_of(ids)
    known = item_frame(workspace)
    return units_of(ids, as_texts(known[author]).to_list() if author in known else None)


def read_tags(workspace: Workspace) -> ItemTags:
    """Read the rows that `load_tags` makes its matrix of."""
    parts: list[pl.DataFrame] = []
    own = None
    if locate(workspace.root, "item_tags") is not None:
        own = read_item_tags(workspace)
        parts.append(own.select(COLUMNS))
    written = workspace.root / "out" / FILE
    if written.is_file():
        parts.append(read_written(written, workspace))
    if not parts:
        raise OutputError(
            "error.missing_output", path=written, command=f"tagcf tag {workspace.root}"
        )
    known = workspace_tags(workspace, own)
    parts = [with_slugs(part, known) for part in parts]
    rows = own_first(*parts) if len(parts) == 2 else parts[0]
    by_hand = frozenset() if own is None else frozenset(parts[0]["tag"].unique().drop_nulls())
    return ItemTags(rows, known, tags_version(workspace), by_hand)


def tags_version(workspace: Workspace) -> str:
    """Version of the tag tree that the items were tagged with; today's where that is not known."""
    written = workspace.root / "out" / FILE
    if written.is_file():
        # Of the file, not its schema: polars keeps a schema of Arrow beside it, without them.
        facts = (pq.read_metadata(written).metadata or {}).get(b"tagcf")
        if facts is not None:
            return str(json.loads(facts)["tree"])
    return tree_version(workspace)


def own_first(own: pl.DataFrame, generated: pl.DataFrame) -> pl.DataFrame:
    """Both tables, without the generated rows of tags that the own table names."""
    rest = generated.filter(~pl.col("tag").is_in(own["tag"].unique().to_list()))
    return pl.concat([own, rest], how="vertical_relaxed")


def read_written(path: Path, workspace: Workspace) -> pl.DataFrame:
    """Read ``out/item_tags.parquet``."""
    try:
        return pl.read_parquet(path, columns=list(COLUMNS), hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as broken:
        detail = str(broken).splitlines()[0]
        command = f"tagcf tag {workspace.root}"
        raise OutputError(
            "error.broken_output", path=path, detail=detail, command=command
        ) from broken


def tag_matrix_from_frame(
    frame: pl.DataFrame, items: IdMap, known: Sequence[Tag] | None = None
) -> TagMatrix:
    """Turn a table of tags into a matrix over `items`.

    Parameters
    ----------
    frame
        Columns item_id, tag, and optionally strength (0..1, default 1), source and
        confidence (default 1). A tag may be given by slug, zh or en name or an alias in any
        case; a name that is none of these is a tag of its own, of the facet ``custom``.
        Of several rows for one item and tag the strongest counts.
    items
        Rows of the matrix. Rows of `frame` for other items are left out; ``tagcf check``
        reports them.
    known
        Tags that have names; default: the vocabulary that ships with TagCF and surface tags.

    Raises
    ------
    ValueError
        A strength or confidence is outside 0..1.
    """
    complete = _complete(frame)
    tags = with_nameless(tuple(known or known_tags(default_vocabulary())), complete)
    rows = with_slugs(complete, tags)
    for column in ("strength", "confidence"):
        if not rows[column].is_between(0, 1).all():
            msg = f"{column} must be within 0 and 1"
            raise ValueError(msg)
    here = rows.with_columns(_positions(rows["item_id"], items)).drop_nulls("item")
    strongest = here.sort("strength", "confidence", descending=True, maintain_order=True).unique(
        ["item", "tag"], keep="first", maintain_order=True
    )
    present = set(strongest["tag"].unique())
    return _assemble(strongest, items, tuple(tag for tag in tags if tag.slug in present))


def _positions(ids: pl.Series, items: IdMap) -> pl.Series:
    """Position of each id in `items`, null where it has none."""
    known = pl.DataFrame({"item_id": pl.Series(items.ids, dtype=pl.String)}).with_row_index("item")
    return ids.to_frame().join(known, on="item_id", how="left", maintain_order="left")["item"]


def _assemble(rows: pl.DataFrame, items: IdMap, tags: tuple[Tag, ...]) -> TagMatrix:
    """Rows of columns item (position), tag (slug), strength, confidence, source to a matrix."""
    column = {tag.slug: k for k, tag in enumerate(tags)}
    sources = tuple(sorted(rows["source"].unique().to_list()))
    number = {source: k + 1 for k, source in enumerate(sources)}
    at = (
        rows["item"].to_numpy().astype(np.int32),
        rows["tag"].replace_strict(column, return_dtype=pl.Int32).to_numpy().astype(np.int32),
    )
    codes = rows["source"].replace_strict(number, return_dtype=pl.Int16).to_numpy().astype(np.int16)
    shape = (len(items), len(tags))

    def matrix(values: np.ndarray) -> sparse.csr_array:
        return sparse.csr_array(sparse.coo_array((values, at), shape=shape))

    return TagMatrix(
        items=items,
        tags=tags,
        strength=matrix(rows["strength"].to_numpy().astype(np.float32)),
        confidence=matrix(rows["confidence"].to_numpy().astype(np.float32)),
        source=matrix(codes),
        sources=sources,
    )


def _complete(frame: pl.DataFrame) -> pl.DataFrame:
    """All columns, with the defaults of those that are missing or null."""
    defaults = {"strength": pl.lit(1.0), "source": pl.lit("own"), "confidence": pl.lit(1.0)}
    filled = [
        pl.col(name).fill_null(value) if name in frame.columns else value.alias(name)
        for name, value in defaults.items()
    ]
    return frame.select("item_id", "tag", *filled).with_columns(
        pl.col("item_id", "tag").cast(pl.String),
        pl.col("strength").cast(pl.Float64),
        pl.col("confidence").cast(pl.Float64).fill_nan(1.0),
    )


def with_slugs(frame: pl.DataFrame, known: Sequence[Tag]) -> pl.DataFrame:
    """Resolve tag names of any kind to slugs; unknown names stay, in their first spelling."""
    index = name_index(known)
    resolved: dict[str, str] = {}
    spelling: dict[str, str] = {}
    for name in frame["tag"].unique(maintain_order=True).drop_nulls():
        plain = name.strip()
        tag = index.get(plain.casefold())
        resolved[name] = tag.slug if tag else spelling.setdefault(plain.casefold(), plain)
    return frame.with_columns(pl.col("tag").replace(resolved))


def matrix_frame(matrix: TagMatrix) -> pl.DataFrame:
    """Return the matrix as a table: item_id, tag (slug), strength, source, confidence."""
    strength = matrix.strength.tocoo()
    slugs = pl.Series([tag.slug for tag in matrix.tags], dtype=pl.String)
    ids = pl.Series(matrix.items.ids, dtype=pl.String)
    sources = pl.Series(matrix.sources, dtype=pl.String)
    return pl.DataFrame(
        {
            "item_id": ids.gather(strength.row),
            "tag": slugs.gather(strength.col),
            "strength": strength.data,
            "source": sources.gather(matrix.source.data.astype(np.uint32) - 1),
            "confidence": matrix.confidence.data,
        }
    )


def write_item_tags(workspace: Workspace, matrix: TagMatrix) -> Path:
    """Write ``out/item_tags.parquet`` atomically and return its path."""
    target = workspace.out / FILE
    with atomic_path(target) as partial:
        facts = {"tagcf": json.dumps({"tree": matrix.version})}
        matrix_frame(matrix).write_parquet(partial, metadata=facts)
    return target
