"""``tagcf whatif``: what an item would do without or with some of its tags."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.tags_changed import say_tags_changed
from tagcf.counterfactual.answer import ask, each_tag
from tagcf.counterfactual.batch import what_if_many
from tagcf.counterfactual.contract import answer_json, rung_of
from tagcf.counterfactual.prepare import Prepared
from tagcf.counterfactual.store import open_what_if
from tagcf.data.workspace import Workspace, atomic_path, open_workspace
from tagcf.errors import DataError
from tagcf.text import say
from tagcf.types import Estimand, WhatIf
from tagcf.views.labels import outcome_label, rung_label, tag_name
from tagcf.views.numbers import Scale, scale_of

_ROWS_AT_ONCE = 100_000


@click.command(
    "whatif",
    epilog="tagcf whatif DIR --item I --without 怀旧音乐   |   "
    "tagcf whatif DIR --batch QUESTIONS.parquet --output ANSWERS.parquet",
)
@folder_argument
@click.option("--item", help="id of the item")
@click.option("--user", help="id of a user: the answer for this user and item")
@click.option("--without", multiple=True, metavar="TAG", help="take this tag off (repeatable)")
@click.option("--with", "with_", multiple=True, metavar="TAG", help="put this tag on (repeatable)")
@click.option("--outcome", help="the first one configured unless given")
@click.option("--estimand", type=click.Choice(["direct", "total"]), default="direct")
@click.option(
    "--batch",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Parquet: item_id, user_id?, without (list), with (list), outcome?",
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="answers of --batch, Parquet"
)
@click.option("--strict", is_flag=True, help="exit 3 when an answer is not supported")
@json_option
@lang_option
def whatif(
    folder: Path,
    item: str | None,
    user: str | None,
    without: tuple[str, ...],
    with_: tuple[str, ...],
    outcome: str | None,
    estimand: Estimand,
    batch: Path | None,
    output: Path | None,
    strict: bool,
    as_json: bool,
) -> int:
    """Answer what an item (for a user) would do without or with some tags.

    Without --without and --with, every tag of the item is taken off, one at a time.
    """
    if batch is not None or output is not None:
        single = (item, user, outcome, without or None, with_ or None)
        if batch is None or output is None or any(part is not None for part in single):
            raise click.UsageError(say("whatif.usage_batch"))
        return _batch(open_workspace(folder), batch, output, estimand, strict, as_json)
    if item is None:
        raise click.UsageError(say("whatif.usage_item"))
    workspace = open_workspace(folder)
    ready = open_what_if(workspace)
    say_tags_changed(workspace, ready.effects)
    outcome = outcome or _first_outcome(workspace, ready)
    answer = ask(
        ready,
        item=item,
        user=user,
        without=without,
        with_=with_,
        outcome=outcome,
        estimand=estimand,
    )
    one_by_one = not (without or with_)
    each = (
        each_tag(ready, item=item, user=user, outcome=outcome, estimand=estimand)
        if one_by_one
        else ()
    )
    if as_json:
        found = answer_json(ready, answer)
        if one_by_one:
            found["each"] = [answer_json(ready, one) for one in each]
        echo_json(found, indent=1)
    else:
        _print(ready, answer, each, one_by_one=one_by_one)
    unsupported = not all(one.supported for one in (answer, *each))
    return 3 if strict and unsupported else 0


def _first_outcome(workspace: Workspace, ready: Prepared) -> str | None:
    """Return the first configured outcome that effects were estimated for."""
    return next((name for name in workspace.settings.outcomes if name in ready.outcomes), None)


# ── many questions ──────────────────────────────────────────────────────────
def _batch(
    workspace: Workspace, batch: Path, output: Path, estimand: Estimand, strict: bool, as_json: bool
) -> int:
    """Answer a Parquet file of questions, block by block."""
    ready = open_what_if(workspace)
    say_tags_changed(workspace, ready.effects)
    first = _first_outcome(workspace, ready)
    total = supported = 0
    try:
        with pq.ParquetFile(batch) as questions, atomic_path(output) as partial:
            writer: pq.ParquetWriter | None = None
            for block in _blocks(questions):
                answers = what_if_many(ready, block, estimand=estimand, first_outcome=first)
                table = answers.to_arrow()
                writer = writer or pq.ParquetWriter(partial, table.schema)
                writer.write_table(table)
                total += len(answers)
                supported += int(answers["supported"].sum())
            if writer is not None:
                writer.close()
    except (pa.ArrowException, OSError) as broken:
        detail = str(broken).splitlines()[0]
        raise DataError("whatif.broken_questions", path=batch, detail=detail) from broken
    if as_json:
        facts = {"questions": total, "supported": supported, "output": str(output)}
        echo_json(facts | {"simulated": ready.effects.simulated})
    if ready.effects.simulated:
        click.echo(say("whatif.simulated"), err=True)
    click.echo(say("whatif.batch_done", n=total, supported=supported, path=output), err=True)
    return 3 if strict and supported < total else 0


def _blocks(questions: pq.ParquetFile) -> Iterator[pl.DataFrame]:
    """Yield the questions in blocks; at least one, so that an empty file has its answer too."""
    empty = True
    for block in questions.iter_batches(_ROWS_AT_ONCE):
        empty = False
        yield pl.DataFrame(pl.from_arrow(block))
    if empty:
        yield pl.DataFrame(pl.from_arrow(questions.schema_arrow.empty_table()))


# ── for people ──────────────────────────────────────────────────────────────
def _print(ready: Prepared, answer: WhatIf, each: tuple[WhatIf, ...], *, one_by_one: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    scale = _scale(ready, (answer, *each))
    if ready.effects.simulated:
        console.print(say("whatif.simulated"))
    if one_by_one:
        key = "whatif.as_is" if each else "whatif.as_is_bare"
        console.print(escape(say(key, what=_what(answer), before=_level(scale, answer.before))))
        if each:
            console.print(_each_table(ready, each, scale))
    else:
        console.print(escape(_sentence(ready, answer, scale)))
        if not answer.supported and answer.delta is not None:
            console.print(escape(say("whatif.not_supported", reason=str(answer.reason))))
        elif answer.supported and answer.reason is not None:
            console.print(escape(str(answer.reason)))
        if len(answer.contributions) > 1:
            console.print(_contributions(ready, answer, scale))
    rung = rung_of(ready, answer)
    if rung is not None:
        estimand = say(f"whatif.estimand_{answer.estimand}")
        console.print(say("whatif.rung", rung=rung_label(rung), estimand=estimand))


def _sentence(ready: Prepared, answer: WhatIf, scale: Scale) -> str:
    edit = _edit(ready, answer)
    low, high = answer.ci_low, answer.ci_high
    if answer.delta is None or low is None or high is None:
        return say("whatif.no_answer", edit=edit, reason=str(answer.reason))
    direction = "rises" if low > 0 else "falls" if high < 0 else "unclear"
    if low == high == 0:
        direction = "stays"
    return say(
        f"whatif.{direction}",
        edit=edit,
        what=_what(answer),
        before=_level(scale, answer.before),
        after=_level(scale, answer.after),
        change=scale.change(answer.delta),
        low=scale.bare(low),
        high=scale.bare(high),
    )


def _edit(ready: Prepared, answer: WhatIf) -> str:
    off, on = _names(ready, answer.without), _names(ready, answer.with_)
    if off and on:
        return say("whatif.edit_both", without=off, with_=on)
    return say("whatif.edit_without", tags=off) if off else say("whatif.edit_with", tags=on)


def _names(ready: Prepared, slugs: tuple[str, ...]) -> str:
    return say("whatif.comma").join(_name(ready, slug) for slug in slugs)


def _name(ready: Prepared, slug: str) -> str:
    tag = ready.tags.tags[ready.names.require(slug)]
    return tag_name(tag.zh, tag.en).name


def _what(answer: WhatIf) -> str:
    facts = {"item": answer.item, "outcome": outcome_label(answer.outcome)}
    if answer.user is None:
        return say("whatif.for_item", **facts)
    return say("whatif.for_user", user=answer.user, **facts)


def _scale(ready: Prepared, answers: tuple[WhatIf, ...]) -> Scale:
    """Choose the digits by the intervals that are shown."""
    fit = ready.fits[answers[0].outcome, answers[0].estimand]
    widths = [
        (one.ci_high - one.ci_low) / 2
        for one in answers
        if one.ci_low is not None and one.ci_high is not None
    ]
    return scale_of((fit.low, fit.high) == (0.0, 1.0), widths)


def _level(scale: Scale, value: float | None) -> str:
    return "—" if value is None else scale.level(value)


def _contributions(ready: Prepared, answer: WhatIf, scale: Scale) -> Table:
    table = _columns("tag", "delta", "interval")
    for one in answer.contributions:
        name = escape(_name(ready, one.tag))
        table.add_row(name, scale.bare(one.delta), escape(scale.interval(one.ci_low, one.ci_high)))
    return table


def _each_table(ready: Prepared, each: tuple[WhatIf, ...], scale: Scale) -> Table:
    """Every tag's absence, the largest change first, those without an answer last."""
    table = _columns("tag", "off", "interval", "reason")
    for one in sorted(each, key=lambda one: (one.delta is None, -abs(one.delta or 0.0))):
        delta = "—" if one.delta is None else scale.bare(one.delta)
        interval = (
            ""
            if one.ci_low is None or one.ci_high is None
            else scale.interval(one.ci_low, one.ci_high)
        )
        reason = "" if one.reason is None else str(one.reason)
        table.add_row(escape(_names(ready, one.without)), delta, escape(interval), escape(reason))
    return table


def _columns(*names: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        numeric = name in {"delta", "off", "interval"}
        table.add_column(say(f"whatif.column_{name}"), justify="right" if numeric else "left")
    return table
