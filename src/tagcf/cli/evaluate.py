"""``tagcf evaluate``: how well models rank what users chose next, beside one another."""

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
from tagcf.cli.tags_changed import say_tags_older
from tagcf.cli.talk import tell
from tagcf.cli.trained_terms import roles_of
from tagcf.data.read import read_log
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.recommend.evaluate.contract import evaluation_json
from tagcf.recommend.evaluate.harness import (
    Difference,
    Evaluation,
    ModelRow,
    evaluate,
    known_models,
)
from tagcf.recommend.evaluate.metrics import ACCURACY
from tagcf.recommend.evaluate.slices import (
    Slice,
    SliceRow,
    author_slice,
    history_slice,
    record_slice,
    segment_slice,
)
from tagcf.recommend.evaluate.splits import Split, SplitName, global_time, leave_one_out
from tagcf.recommend.log_histories import log_histories
from tagcf.recommend.models import MODELS, SLOW
from tagcf.recommend.train import shipping_of
from tagcf.tags.matrix import has_tags, load_tags
from tagcf.text import catalogue, say, visible
from tagcf.types import EventLog, TagMatrix

NOTHING = "—"


@click.command(
    "evaluate",
    epilog="tagcf evaluate DIR --models linear,co-visitation,ease   |   "
    "tagcf evaluate DIR --split time --json",
)
@folder_argument
@click.option(
    "--split",
    type=click.Choice(["leave-one-out", "time"]),
    default="leave-one-out",
    show_default=True,
    help="hold out each user's last event, or everything after one time",
)
@click.option(
    "--models",
    "listed",
    metavar="M,…",
    help='names with commas, or "all"; default: all that train within seconds',
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="seeds of each model that is random",
)
@click.option("--slices", "show_slices", is_flag=True, help="print kinds of users and items, too")
@seed_option
@json_option
@lang_option
def evaluate_(
    folder: Path,
    split: SplitName,
    listed: str | None,
    seeds: int,
    show_slices: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Rank what users chose next among all items, with each model's settings from validation."""
    workspace = open_workspace(folder)
    shipped = workspace.settings.recommend.model
    names = _names(listed, shipped)
    log = read_log(workspace)
    histories = log_histories(log, workspace.settings.recommend)
    parts = leave_one_out(histories) if split == "leave-one-out" else global_time(histories)
    tags = _tags(workspace, log)
    roles = None if tags is None or "tagcf" not in names else roles_of(workspace, log)
    threshold = workspace.settings.tags.threshold
    first = workspace.settings.seed if seed is None else seed
    found = evaluate(
        parts,
        names,
        tags=None if tags is None else tags.strength,
        seeds=range(first, first + seeds),
        slices=_slices(log, parts),
        progress=lambda name: tell("recommend.evaluating", model=name),
        shipping=shipping_of(log, histories, tags, roles, workspace.settings.recommend, threshold),
    )
    _say_beside(found, log)
    if as_json:
        echo_json(evaluation_json(found) | {"simulated": log.simulated}, indent=1)
        return
    _print(found, show_slices)


def _names(listed: str | None, shipped: str) -> list[str]:
    if listed is None:
        slow = [name for name in MODELS if (shipped if name == "tagcf" else name) in SLOW]
        tell("recommend.slow_left_out", models=", ".join(slow))
        return [name for name in MODELS if name not in slow]
    if listed.strip() == "all":
        return list(MODELS)
    names = [name.strip() for name in listed.replace("，", ",").split(",") if name.strip()]
    if not names:
        raise click.UsageError(say("recommend.no_model_named", known=", ".join(MODELS)))
    known_models(names)
    return names


def _tags(workspace: Workspace, log: EventLog) -> TagMatrix | None:
    """Tags where there are any, else None and a word about it; a broken table stops the run."""
    if not has_tags(workspace):
        tell("recommend.evaluated_without_tags", path=workspace.root)
        return None
    tags = load_tags(workspace, log)
    say_tags_older(workspace)
    return tags


def _slices(log: EventLog, parts: Split) -> list[Slice]:
    asked = parts.test
    found = [history_slice(asked), record_slice(asked.train)]
    if log.item_author is not None and log.n_authors:
        found.append(author_slice(asked.train, log.item_author))
    for column, segment in enumerate(log.segments):
        code = log.user_segments[asked.user, column]
        if (code >= 0).any():
            found.append(segment_slice(segment, code))
    return found


def _say_beside(found: Evaluation, log: EventLog) -> None:
    if log.simulated:
        tell("recommend.simulated")
    for one in found.left_out:
        tell("recommend.left_out", model=one.model, why=one.why)
    if found.n_repeated:
        tell("recommend.repeated", n=f"{found.n_repeated:,}", users=f"{found.n_users:,}")
    if found.n_new_users:
        tell("recommend.new_users", n=f"{found.n_new_users:,}")


# ── for people ──────────────────────────────────────────────────────────────
def _print(found: Evaluation, show_slices: bool) -> None:
    facts = {
        "users": f"{found.n_users:,}",
        "items": f"{found.n_items:,}",
        "events": f"{found.n_events:,}",
    }
    tell("recommend.evaluated_" + found.split.replace("-", "_"), **facts)
    if not found.rows:
        return
    best = max(found.rows, key=_ndcg)
    gaps = {
        one.model: one
        for one in found.paired
        if one.against == best.model and one.metric == "ndcg@10"
    }
    columns = ("model", "ndcg", "gap", "recall", "mrr", "coverage", "gini", "cpu", "search")
    rows = [_cells(row, gaps.get(row.model)) for row in sorted(found.rows, key=_ndcg, reverse=True)]
    _table(columns, rows, say("recommend.ranking_title"))
    tell("recommend.ranking_note", best=best.model)
    if show_slices:
        for name in dict.fromkeys(one.slice for one in found.slices):
            _print_slice(name, [one for one in found.slices if one.slice == name])


def _cells(row: ModelRow, gap: Difference | None) -> list[str]:
    value = dict(zip(ACCURACY, row.accuracy, strict=True))
    return [
        row.model,
        f"{value['ndcg@10']:.4f} ± {row.ndcg_10_se:.4f}",
        NOTHING
        if gap is None
        else f"{gap.difference:+.4f} ({gap.ci_low:+.4f} … {gap.ci_high:+.4f})",
        f"{value['recall@10']:.4f}",
        f"{value['mrr@10']:.4f}",
        f"{row.coverage_20:.3f}",
        f"{row.gini_10:.3f}",
        f"{row.train_cpu_s:.1f}",
        f"{row.search_cpu_s:.1f}",
    ]


def _gap(gap: Difference) -> str:
    return f"{gap.difference:+.4f} ({gap.ci_low:+.4f} … {gap.ci_high:+.4f})"


def _print_slice(name: str, rows: Sequence[SliceRow]) -> None:
    of_items = rows[0].exposure is not None
    shares = ("exposure", "events", "items") if of_items else ("novelty",)
    columns = ("model", "level", "users", "ndcg", "interval", *shares)
    _table(columns, [_slice_cells(row) for row in rows], _slice_title(name))


def _slice_cells(row: SliceRow) -> list[str]:
    if row.exposure is None:
        shares = [NOTHING if row.novelty_10 is None else f"{row.novelty_10:.1f}"]
    else:
        shares = [
            f"{100 * share:.1f}%" for share in (row.exposure, row.events or 0, row.items or 0)
        ]
    key = f"recommend.level_{row.level}"
    return [
        row.model,
        say(key) if key in catalogue() else row.level,
        f"{row.n_users:,}",
        f"{row.ndcg_10:.4f}",
        f"{row.ci_low:.4f} … {row.ci_high:.4f}",
        *shares,
    ]


def _slice_title(name: str) -> str:
    key = f"recommend.slice_{name.replace(' ', '_')}"
    return say(key) if key in catalogue() else name


def _ndcg(row: ModelRow) -> float:
    return dict(zip(ACCURACY, row.accuracy, strict=True))["ndcg@10"]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    """Print a table on a terminal, tab-separated values into a pipe."""
    words = [say(f"recommend.column_{column}") for column in columns]
    rows = [[visible(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        click.echo("\n".join("\t".join(line) for line in [words, *rows]))
        return
    table = Table(title=escape(title), title_justify="left")
    for column, word in zip(columns, words, strict=True):
        table.add_column(word, justify="left" if column in {"model", "level"} else "right")
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)
