"""``tagcf tag``: the texts of items.* to ``out/item_tags.parquet``; ``--search`` looks names up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table as Grid

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.data.files import batches, locate, open_table
from tagcf.data.tables import read_item_tags
from tagcf.data.values import as_texts
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.errors import DataError, SettingsError
from tagcf.settings import FILE_NAME
from tagcf.tags.embedding import SentenceEmbedding, embedding_installed
from tagcf.tags.encode import TextEncoder, default_encoders, encode_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.matrix import with_slugs, write_item_tags
from tagcf.tags.names import known_tags, workspace_tags
from tagcf.tags.surface import FACET, Surface
from tagcf.tags.vocabulary import default_vocabulary, search_tags
from tagcf.text import language, say, visible
from tagcf.types import Tag, TagMatrix

SHOWN = 30  # tags in the printed table

Using = Literal["auto", "lexicon", "embedding"]
ENCODERS: dict[Using, Callable[[], tuple[TextEncoder, ...]]] = {
    "auto": default_encoders,
    "lexicon": lambda: (Lexicon(),),
    "embedding": lambda: (SentenceEmbedding(),),
}


@click.command()
@folder_argument
@click.option(
    "--using",
    type=click.Choice(list(ENCODERS)),
    default="auto",
    help="words, meaning (sentence embeddings), or both where installed",
)
@click.option("--search", metavar="WORD", help="look a word up among the tags, tag nothing")
@json_option
@lang_option
def tag(folder: Path, using: Using, search: str | None, as_json: bool) -> None:
    """Read the texts of the items and write the tags of each to out/item_tags.parquet."""
    if search is not None:
        _print_search(search, _tags_of(folder), as_json)
        return
    workspace = open_workspace(folder)
    items = _read_texts(workspace)
    encoders = _encoders(workspace, using)
    different = items.drop("item_id").n_unique() if items.height else 0
    with _progress(different) as advance:
        matrix = encode_tags(items, using=encoders, progress=advance)
    own = _own_table(workspace, matrix)
    path = write_item_tags(workspace, matrix)
    summary = _summary(matrix, items, workspace.settings.tags.threshold)
    summary |= {
        "encoders": [encoder.source for encoder in encoders],
        "vocabulary": default_vocabulary().version,
        "own_table": own,
        "output": str(path),
    }
    if as_json:
        echo_json(summary)
    else:
        _print_summary(summary)


def _encoders(workspace: Workspace, using: Using) -> tuple[TextEncoder, ...]:
    encoders = ENCODERS[using]()
    if workspace.settings.tags.surface:
        encoders += (Surface(),)
    vocabulary = default_vocabulary()
    names = ", ".join(encoder.source for encoder in encoders)
    _tell("tags.encoders", names=names, version=vocabulary.version, tags=len(vocabulary))
    if using == "auto" and not embedding_installed():
        _tell("tags.without_embedding")
    return encoders


def _read_texts(workspace: Workspace) -> pl.DataFrame:
    """Item ids and their text columns, each id once."""
    id_column, columns = workspace.settings.data.item, workspace.settings.content.text
    table = open_table(workspace.root, "items", workspace.settings.data.encoding)
    if table is None:
        raise DataError("tags.no_items_file", path=workspace.root, item=id_column)
    if not columns:
        raise SettingsError(
            "tags.no_text",
            path=workspace.root / FILE_NAME,
            file=table.file,
            columns=", ".join(table.columns),
        )
    table.require(id_column, "data.item")
    for column in columns:
        table.require(column, "content.text")
    texts = [f"text {name}" for name in columns]
    frames = [pl.DataFrame(schema=dict.fromkeys(["item_id", *texts], pl.String))]
    for batch in batches(table, [id_column, *columns]):
        ids = as_texts(batch.frame[id_column]).alias("item_id")
        frames.append(
            batch.frame.select(columns)
            .cast(pl.String)
            .rename(lambda name: f"text {name}")
            .insert_column(0, ids)
        )
    read = pl.concat(frames)
    items = read.drop_nulls("item_id").unique("item_id", keep="first", maintain_order=True)
    if items.height < read.height:
        unused = read.height - items.height
        _tell("tags.bad_items", file=table.file, rows=unused, column=id_column)
    return items


def _own_table(workspace: Workspace, matrix: TagMatrix) -> dict[str, Any] | None:
    """Say what the workspace's own table of tags overrides; ``None`` where it has none."""
    path = locate(workspace.root, "item_tags")
    if path is None:
        return None
    table = read_item_tags(workspace)
    own = with_slugs(table, workspace_tags(workspace, table))["tag"].unique()
    _tell("tags.own_table", file=path.name, tags=len(own))
    columns = {one.slug: k for k, one in enumerate(matrix.tags)}
    both = sorted(columns.keys() & set(own.to_list()))
    rows = int(sum(matrix.strength[:, [columns[slug]]].nnz for slug in both))
    if both:
        _tell("tags.own_overrides", rows=rows, names=", ".join(both[:10]))
    return {"file": path.name, "tags": len(own), "overrides": both, "rows_not_used": rows}


def _summary(matrix: TagMatrix, items: pl.DataFrame, threshold: float) -> dict[str, Any]:
    """Counts of what was found; an item carries a tag from `threshold` on."""
    carried = matrix.carried(threshold)
    counts = np.asarray(carried.sum(axis=0)).ravel()
    sums = np.asarray(matrix.strength.multiply(carried).sum(axis=0)).ravel()
    subject = np.array([one.facet != FACET for one in matrix.tags], dtype=bool)
    texts = pl.concat_str(pl.selectors.starts_with("text "), ignore_nulls=True)
    without_text = items.select(texts.str.strip_chars() == "").to_series().sum()
    order = [k for k in np.argsort(-counts, kind="stable") if counts[k] > 0]
    return {
        "items": items.height,
        "items_with_tags": int((carried.sum(axis=1) > 0).sum()),
        "items_with_subject_tags": int((carried[:, subject].sum(axis=1) > 0).sum()),
        "items_without_text": int(without_text),
        "threshold": threshold,
        "tags": [
            _labels(matrix.tags[k])
            | {"items": int(counts[k]), "mean_strength": round(float(sums[k] / counts[k]), 4)}
            for k in order
        ],
    }


def _labels(one: Tag) -> dict[str, Any]:
    return {"tag": one.slug, "zh": one.zh, "en": one.en, "facet": one.facet, "parent": one.parent}


def _print_summary(summary: dict[str, Any]) -> None:
    heads = [say(f"tags.columns_{name}") for name in ("tag", "facet", "items", "share", "strength")]
    grid = Grid(*heads[:2], box=None)
    for head in heads[2:]:
        grid.add_column(head, justify="right")
    for one in summary["tags"][:SHOWN]:
        share = one["items"] / summary["items"]
        facet = say(f"facet.{one['facet']}")
        grid.add_row(
            escape(visible(one[language()])),
            facet,
            f"{one['items']:,}",
            f"{share:.1%}",
            f"{one['mean_strength']:.2f}",
        )
    Console().print(grid)
    if len(summary["tags"]) > SHOWN:
        _tell("tags.more", count=len(summary["tags"]) - SHOWN)
    _tell(
        "tags.found",
        items=summary["items"],
        tagged=summary["items_with_tags"],
        threshold=summary["threshold"],
        without=summary["items"] - summary["items_with_tags"],
        empty=summary["items_without_text"],
        tags=len(summary["tags"]),
    )
    if any(one["facet"] == FACET for one in summary["tags"]):
        _tell("tags.subject", items=summary["items_with_subject_tags"])
    _tell("tags.written", path=summary["output"])


def _tags_of(folder: Path) -> tuple[Tag, ...]:
    """Every tag of a workspace; of the vocabulary where the folder is none yet."""
    if (folder / FILE_NAME).is_file():
        return workspace_tags(open_workspace(folder))
    return known_tags(default_vocabulary())


def _print_search(query: str, known: tuple[Tag, ...], as_json: bool) -> None:
    found = search_tags(query, known)
    if as_json:
        rows = [_labels(one) | {"aliases": list(one.aliases)} for one in found]
        echo_json({"query": query, "tags": rows})
        return
    if not found:
        _tell("tags.nothing_found", query=query)
        return
    heads = (say("tags.columns_slug"), "zh", "en", say("tags.columns_facet"))
    grid = Grid(*heads, say("tags.columns_parent"), say("tags.columns_aliases"), box=None)
    for one in found:
        facet = say(f"facet.{one.facet}")
        names = (one.slug, one.zh, one.en, facet, one.parent or "", ", ".join(one.aliases))
        grid.add_row(*(escape(visible(name)) for name in names))
    Console().print(grid)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None] | None]:
    """Show a bar on stderr where it is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("tagcf tag", total=total)
        yield lambda done: bar.advance(task, done)


def _tell(key: str, **facts: object) -> None:
    click.echo(say(key, **facts), err=True)
