"""``tagcf tag``: texts and media of items.* to ``out/item_tags.parquet``; names looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
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
from tagcf.cli.tag_llm import extract, llm_readings, narrative
from tagcf.cli.tag_media import read_media_files, show_item
from tagcf.cli.tag_roles import show_user, write_roles
from tagcf.cli.tag_student import learn_student, student_of
from tagcf.cli.tag_summary import labels, own_table, print_summary, source_rows, summary_of
from tagcf.cli.tag_tree import accept_changes, propose_changes
from tagcf.cli.talk import progress_bar, tell
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.settings import FILE_NAME
from tagcf.tags.embedding import SentenceEmbedding, embedding_installed
from tagcf.tags.encode import TextEncoder, default_encoders, encode_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.llm.server import server_of
from tagcf.tags.matrix import write_item_tags
from tagcf.tags.modalities import join_modalities, remove_evidence, write_evidence
from tagcf.tags.names import known_tags, workspace_tags
from tagcf.tags.readings import Readings, together
from tagcf.tags.sources import source_names
from tagcf.tags.surface import Surface
from tagcf.tags.tree.share import share_strength
from tagcf.tags.tree.versions import tree_vocabulary
from tagcf.tags.vocabulary import Vocabulary, default_vocabulary, search_tags
from tagcf.text import say, visible
from tagcf.types import Tag

Using = Literal["auto", "lexicon", "embedding", "student", "llm"]
Action = Callable[[Workspace, bool], None]

ACTIONS: dict[str, Action] = {
    "danmaku": tag_danmaku,
    "extract": extract,
    "narrative": narrative,
    "learn_student": learn_student,
    "roles": write_roles,
    "propose": propose_changes,
}


@click.command()
@folder_argument
@click.option(
    "--using",
    type=click.Choice(["auto", "lexicon", "embedding", "student", "llm"]),
    default="auto",
    help="words, meaning (sentence embeddings), both where installed (auto), the student of "
    "--learn-student, or a language model ([llm]) beside auto; with --roles, llm also asks which "
    "roles and topics go together",
)
@click.option(
    "--media/--no-media",
    default=True,
    help="read the files that [content] media names (default: where it is set)",
)
@click.option("--show", metavar="ITEM", help="print the tags of an item with their evidence")
@click.option("--search", metavar="WORD", help="look a word up among the tags, tag nothing")
@click.option(
    "--danmaku", is_flag=True, help="tag by what viewers write (events.*): a file of its own"
)
@click.option("--extract", is_flag=True, help="let [llm] name topics and roles freely")
@click.option("--narrative", is_flag=True, help="let [llm] name the beats of works: 情感叙事")
@click.option("--learn-student", is_flag=True, help="learn a local tagger from --using llm")
@click.option("--roles", is_flag=True, help="whom items speak to, roles of users, logic graph")
@click.option("--user", metavar="USER", help="print a user's roles and what they lead to")
@click.option("--propose", is_flag=True, help="propose changes of the tag tree, for a person")
@click.option("--accept", is_flag=True, help="make the accepted proposals a new tree version")
@click.option(
    "--until",
    metavar="TIME",
    help="with --propose: search the behaviour up to this date or time, of all content; effects "
    "of the new tags are then told from content that came later (default: [tree] mine_share)",
)
@click.option(
    "--proposals",
    type=click.Path(path_type=Path, dir_okay=False),
    help="file of proposals for --accept (default: DIR/out/tag_proposals.toml)",
)
@json_option
@lang_option
def tag(
    folder: Path,
    using: Using,
    *,
    media: bool,
    show: str | None,
    search: str | None,
    user: str | None,
    accept: bool,
    proposals: Path | None,
    until: str | None,
    as_json: bool,
    **actions: bool,
) -> None:
    """Read texts and media of the items and write the tags of each to out/item_tags.parquet."""
    named = {"show": bool(show), "search": bool(search), "user": bool(user), "accept": accept}
    _one_at_a_time(actions | named)
    if until is not None and not actions["propose"]:
        raise click.UsageError(say("error.until_needs_propose"))
    if search is not None:
        _print_search(search, _tags_of(folder), as_json)
        return
    workspace = open_workspace(folder)
    asked = [name for name, wanted in actions.items() if wanted]
    if show is not None:
        show_item(workspace, show, as_json)
    elif user is not None:
        show_user(workspace, user, as_json)
    elif accept:
        accept_changes(workspace, proposals, as_json)
    elif asked:
        with_options = {
            "roles": partial(write_roles, ask_llm=using == "llm"),
            "propose": partial(propose_changes, until=until),
        }
        (ACTIONS | with_options)[asked[0]](workspace, as_json)
    else:
        _tag_items(workspace, read_items(workspace), using, media=media, as_json=as_json)


def _one_at_a_time(asked: Mapping[str, bool]) -> None:
    if sum(asked.values()) > 1:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in asked)
        raise click.UsageError(say("error.one_action", names=names))


def _tag_items(
    workspace: Workspace, items: Items, using: Using, *, media: bool, as_json: bool
) -> None:
    if using == "llm":
        server_of(workspace.settings.llm)  # what is wrong there is said before media are read
    vocabulary = tree_vocabulary(workspace)
    encoders = _encoders(workspace, using, vocabulary)
    different = items.texts.drop("item_id").n_unique() if items.texts.width > 1 else 0
    with progress_bar("tagcf tag", different) as advance:
        matrix = encode_tags(items.texts, vocabulary, encoders, advance)
    facts: dict[str, Any] = {}
    parts: list[Readings] = []
    if media and items.media is not None:
        read, facts["media"] = read_media_files(workspace, items)
        parts.append(read)
    if using == "llm":
        from_llm = llm_readings(workspace, items)
        facts["llm"] = from_llm.facts
        parts.append(from_llm.told)
    if parts:
        readings = together(parts)
        write_evidence(workspace, readings)
        names = known_tags(vocabulary)
        joined = join_modalities(matrix, items.with_text, readings, names, items.joined())
        matrix, facts["sources"] = joined.matrix, source_rows(joined.reliability)
    else:
        remove_evidence(workspace)
    tree = workspace.settings.tree
    if tree.share_up or tree.share_down:
        matrix = share_strength(matrix, vocabulary.tags, up=tree.share_up, down=tree.share_down)
    own = own_table(workspace, matrix)
    path = write_item_tags(workspace, matrix)
    summary = summary_of(matrix, items, workspace.settings.tags.threshold) | facts
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
    by_name: dict[Using, Callable[[], tuple[TextEncoder, ...]]] = {
        "auto": default_encoders,
        "llm": default_encoders,
        "lexicon": lambda: (Lexicon(),),
        "embedding": lambda: (SentenceEmbedding(),),
        "student": lambda: (student_of(workspace),),
    }
    encoders = by_name[using]()
    if workspace.settings.tags.surface:
        encoders += (Surface(),)
    names = source_names(encoder.source for encoder in encoders)
    tell("tags.encoders", names=names, version=vocabulary.version, tags=len(vocabulary))
    if using in {"auto", "llm"} and not embedding_installed():
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
