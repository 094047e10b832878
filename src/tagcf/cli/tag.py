"""``tagcf tag``: texts and media of items.* to ``out/item_tags.parquet``; names looked up."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.tag_danmaku import tag_danmaku
from tagcf.cli.tag_items import Items, read_items
from tagcf.cli.tag_media import show_item, with_media
from tagcf.cli.tag_summary import labels, own_table, print_summary, source_rows, summary_of
from tagcf.cli.talk import progress_bar, tell
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.settings import FILE_NAME
from tagcf.tags.embedding import SentenceEmbedding, embedding_installed
from tagcf.tags.encode import TextEncoder, default_encoders, encode_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.matrix import write_item_tags
from tagcf.tags.names import known_tags, workspace_tags
from tagcf.tags.surface import Surface
from tagcf.tags.tree.versions import tree_vocabulary
from tagcf.tags.vocabulary import Vocabulary, default_vocabulary, search_tags
from tagcf.text import say, visible
from tagcf.types import Tag

Using = Literal["auto", "lexicon", "embedding"]


@click.command()
@folder_argument
@click.option(
    "--using",
    type=click.Choice(["auto", "lexicon", "embedding"]),
    default="auto",
    help="words, meaning (sentence embeddings), or both where installed",
)
@click.option(
    "--media/--no-media",
    default=True,
    help="read the files that [content] media names (default: where it is set)",
)
@click.option("--show", metavar="ITEM", help="print the tags of an item with their evidence")
@click.option(
    "--danmaku", is_flag=True, help="tag by what viewers write (events.*): a file of its own"
)
@click.option("--search", metavar="WORD", help="look a word up among the tags, tag nothing")
@json_option
@lang_option
def tag(
    folder: Path,
    using: Using,
    media: bool,
    show: str | None,
    danmaku: bool,
    search: str | None,
    as_json: bool,
) -> None:
    """Read texts and media of the items and write the tags of each to out/item_tags.parquet."""
    if search is not None:
        _print_search(search, _tags_of(folder), as_json)
        return
    workspace = open_workspace(folder)
    if show is not None:
        show_item(workspace, show, as_json)
        return
    if danmaku:
        tag_danmaku(workspace, as_json)
        return
    _tag_items(workspace, read_items(workspace), using, media=media, as_json=as_json)


def _tag_items(
    workspace: Workspace, items: Items, using: Using, *, media: bool, as_json: bool
) -> None:
    vocabulary = tree_vocabulary(workspace)
    encoders = _encoders(workspace, using, vocabulary)
    different = items.texts.drop("item_id").n_unique() if items.texts.width > 1 else 0
    with progress_bar("tagcf tag", different) as advance:
        matrix = encode_tags(items.texts, vocabulary, encoders, advance)
    summary: dict[str, Any] = {}
    if media and items.media is not None:
        joined, summary["media"] = with_media(workspace, items, matrix)
        matrix, summary["sources"] = joined.matrix, source_rows(joined.reliability)
    own = own_table(workspace, matrix)
    path = write_item_tags(workspace, matrix)
    summary = summary_of(matrix, items, workspace.settings.tags.threshold) | summary
    summary |= {
        "encoders": [encoder.source for encoder in encoders],
        "vocabulary": vocabulary.version,
        "own_table": own,
        "output": str(path),
    }
    if as_json:
        echo_json(summary)
    else:
        print_summary(summary)


def _encoders(
    workspace: Workspace, using: Using, vocabulary: Vocabulary
) -> tuple[TextEncoder, ...]:
    by_name: dict[Using, tuple[TextEncoder, ...]] = {
        "auto": default_encoders(),
        "lexicon": (Lexicon(),),
        "embedding": (SentenceEmbedding(),),
    }
    encoders = by_name[using]
    if workspace.settings.tags.surface:
        encoders += (Surface(),)
    names = ", ".join(encoder.source for encoder in encoders)
    tell("tags.encoders", names=names, version=vocabulary.version, tags=len(vocabulary))
    if using == "auto" and not embedding_installed():
        tell("tags.without_embedding")
    return encoders


def _tags_of(folder: Path) -> tuple[Tag, ...]:
    """Every tag of a workspace; of the vocabulary where the folder is none yet."""
    if (folder / FILE_NAME).is_file():
        return workspace_tags(open_workspace(folder))
    return known_tags(default_vocabulary())


def _print_search(query: str, known: tuple[Tag, ...], as_json: bool) -> None:
    found = search_tags(query, known)
    if as_json:
        rows = [labels(one) | {"aliases": list(one.aliases)} for one in found]
        echo_json({"query": query, "tags": rows})
        return
    if not found:
        tell("tags.nothing_found", query=query)
        return
    heads = (say("tags.columns_slug"), "zh", "en", say("tags.columns_facet"))
    grid = Grid(*heads, say("tags.columns_parent"), say("tags.columns_aliases"), box=None)
    for one in found:
        facet = say(f"facet.{one.facet}")
        names = (one.slug, one.zh, one.en, facet, one.parent or "", ", ".join(one.aliases))
        grid.add_row(*(escape(visible(name)) for name in names))
    Console().print(grid)
