"""``tagcf recommend``: a list for a user or a history, with predicted outcomes and reasons."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import folder_argument, json_option, lang_option, seed_option
from tagcf.cli.request import Requested, request_options
from tagcf.cli.talk import tell
from tagcf.cli.trained import listed_ids, open_trained
from tagcf.data.titles import titles_of
from tagcf.data.workspace import open_workspace
from tagcf.recommend.recommender import Recommender
from tagcf.text import say, visible
from tagcf.types import RankedItem, Ranking
from tagcf.views.item_titles import Titles, item_named, items_of
from tagcf.views.labels import join, outcome_label
from tagcf.views.numbers import plain
from tagcf.views.recommendation import (
    acted_sentence,
    lack_of_tags,
    score_text,
    sentences_of,
    whose,
)
from tagcf.views.recommendation_json import ranking_json

COLUMNS = ("rank", "item", "score", "predicted", "why")
PREDICTED = 3  # outcomes in the table; --json has all


@click.command(
    "recommend",
    epilog="tagcf recommend DIR --user U -k 5   |   "
    "tagcf recommend DIR --history I1,I2 --boost 怀旧音乐=0.5 --block 萌宠互动",
)
@folder_argument
@request_options
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="length")
@click.option(
    "--candidates", metavar="I,…", help="only these items; quote an id with a comma as in CSV"
)
@click.option("--explore", is_flag=True, help="draw [recommend] explore of the places at random")
@seed_option
@json_option
@lang_option
def recommend(
    *,
    folder: Path,
    asked: Requested,
    k: int,
    candidates: str | None,
    explore: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Recommend items, each with what is expected of it and why."""
    workspace = open_workspace(folder)
    trained = open_trained(workspace)
    (ranking,) = trained.recommend(
        asked.user,
        histories=None if asked.history is None else [asked.history],
        k=k,
        exclude_seen=asked.exclude_seen,
        candidates=listed_ids(candidates),
        channel=asked.channel,
        segments=asked.segments,
        rules=asked.rules,
        explore=workspace.settings.recommend.explore if explore else 0.0,
        seed=workspace.settings.seed if seed is None else seed,
    )
    if ranking.simulated:
        tell("recommend.simulated")
    for note in ranking.notes:
        click.echo(str(note), err=True)
    titles = titles_of(workspace, items_of(ranking))
    if as_json:
        echo_json(ranking_json(ranking, trained.shares, titles), indent=1)
    else:
        _print(trained, ranking, titles)


def _print(trained: Recommender, ranking: Ranking, titles: Titles) -> None:
    if trained.evidence is None:
        tell("recommend.no_effects")
    rows = [_cells(at, one, trained, titles) for at, one in enumerate(ranking.items, start=1)]
    print_table(COLUMNS, rows, say("recommend.list_title", user=whose(ranking.user)))
    by_rule: dict[str, list[str]] = {}
    for item, rule in ranking.blocked:
        by_rule.setdefault(rule, []).append(item_named(item, titles))
    for rule, items in by_rule.items():
        tell("recommend.blocked", rule=rule, items=join(items))
    click.echo(acted_sentence(ranking.acted), err=True)
    if ranking.acted.rules:
        tell("recommend.acted_rules", rules=join(list(ranking.acted.rules)))


def _cells(at: int, one: RankedItem, trained: Recommender, titles: Titles) -> list[str]:
    predicted = [
        f"{outcome_label(name)} {_level(name, value, trained)}"
        for name, value in one.outcomes[:PREDICTED]
    ]
    catalogue = trained.catalogue
    tagged = bool(catalogue.tags_of(catalogue.position[one.item]))
    lack = lack_of_tags(evidence=trained.evidence is not None, tagged=tagged)
    why = "\n".join(sentences_of(one, trained.shares, titles, lack))
    return [str(at), item_named(one.item, titles), score_text(one.score), join(predicted), why]


def _level(name: str, value: float, trained: Recommender) -> str:
    return f"{100 * value:.1f}%" if name in trained.shares else plain(value, 2)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    """Print a table on a terminal, tab-separated values into a pipe."""
    words = [say(f"recommend.column_{column}") for column in columns]
    rows = [[visible(cell, keep="\n") for cell in row] for row in rows]
    if not sys.stdout.isatty():
        lines = ([cell.replace("\n", "; ") for cell in row] for row in (words, *rows))
        click.echo("\n".join("\t".join(line) for line in lines))
        return
    table = Table(title=escape(title), title_justify="left", show_lines=True)
    for column, word in zip(columns, words, strict=True):
        right = column in {"rank", "score", "share"}
        table.add_column(word, justify="right" if right else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)
