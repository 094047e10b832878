"""Options of ``tagcf effects``: for whom, and with what."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from tagcf.effects.heterogeneity.activity import NAME as ACTIVITY
from tagcf.effects.heterogeneity.activity import with_activity
from tagcf.effects.heterogeneity.borrow import borrowed_effects
from tagcf.effects.heterogeneity.ground import Ground, stand
from tagcf.effects.heterogeneity.groups import merge_groups
from tagcf.effects.heterogeneity.kin import toward_parents
from tagcf.effects.heterogeneity.mediation import mediation
from tagcf.effects.heterogeneity.pairs import pair_effects
from tagcf.effects.heterogeneity.siblings import sibling_comparisons
from tagcf.effects.heterogeneity.user_effects import effects_for_user, user_effects
from tagcf.effects.task import Question
from tagcf.effects.workspace_effects import find_tag
from tagcf.errors import QuestionError
from tagcf.text import say
from tagcf.types import EventLog, Tag, TagEffects, TagMatrix

Answers = dict[str, list[dict[str, Any]]]

# Columns of the table that a person reads; --json has all.
COLUMNS = {
    "pairs": ("first", "second", "outcome", "estimate", "ci_low", "ci_high", "q", "n_both"),
    "siblings": ("tag", "parent", "outcome", "ratio", "low", "high"),
    "for_user": ("tag", "outcome", "average", "estimate", "ci_low", "ci_high", "rank"),
    "mediation": (
        *("tag", "mediator", "outcome", "total", "direct"),
        *("through", "through_low", "through_high"),
    ),
    "borrowed": ("tag", "outcome", "value", "low", "high", "own_weight", "n_items", "n_lenders"),
    "kin": ("tag", "outcome", "ancestor", "estimate", "shrunk", "low", "high"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked beside the effects themselves."""

    pairs: bool
    pair: tuple[str, ...]
    siblings: tuple[str, ...]
    for_user: str | None
    mediation: tuple[str, ...]
    borrow: bool
    kin: bool
    activity: str | None

    @property
    def options(self) -> tuple[str, ...]:
        """Options in use, all of which stand on the joint estimator."""
        names = ("pairs", "pair", "siblings", "for_user", "mediation", "borrow", "kin")
        return tuple(f"--{name.replace('_', '-')}" for name in names if getattr(self, name))


def heterogeneity_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options, and hand them over together as ``asked``."""

    @click.option("--pairs", is_flag=True, help="pairs of tags beyond the sum of both, screened")
    @click.option("--pair", multiple=True, metavar="A:B", help="this pair of tags")
    @click.option("--siblings", multiple=True, metavar="TAG", help="times its siblings' effect")
    @click.option("--for-user", metavar="USER", help="effects for users with this one's features")
    @click.option("--mediation", multiple=True, metavar="A:B", help="what A does through B")
    @click.option("--borrow", is_flag=True, help="guesses for tags on too few items")
    @click.option("--kin", is_flag=True, help="tags shrunken toward their parent")
    @click.option("--activity", metavar="COLUMN", help="users' activity for --by activity")
    @functools.wraps(command)
    def with_asked(**given: Any) -> int:
        names = Asked.__dataclass_fields__
        asked = Asked(**{name: given.pop(name) for name in names})
        return command(**given, asked=asked)

    return with_asked


def check_asked(asked: Asked, using: str | None) -> None:
    """Raise `click.UsageError` where an option does not go with the method."""
    if using not in {None, "joint"} and asked.options:
        message = say("error.asked_joint_only", option=asked.options[0], method=using)
        raise click.UsageError(message)


def split_by_activity(log: EventLog, split: Sequence[str], asked: Asked) -> EventLog:
    """Return the log with the users' activity as a segment, where the split asks for it.

    A log that names such a segment itself comes back as it is.
    """
    if ACTIVITY not in split or ACTIVITY in {one.name for one in log.segments}:
        return log
    return with_activity(log, asked.activity)


def answer_asked(
    asked: Asked,
    log: EventLog,
    tags: TagMatrix,
    question: Question,
    outcomes: tuple[str, ...],
    found: TagEffects,
) -> Answers:
    """Answer what was asked, as lists of JSON objects by the key they stand under."""
    question = replace(question, by=(), outcomes=outcomes)
    merged = merge_groups(tags, question)[0]
    known = tuple(dict.fromkeys((*merged.tags, *tags.tags)))
    joint = tuple(fit for fit in found.joint if not outcomes or fit.outcome in outcomes)
    answers: dict[str, Sequence[Any]] = {}
    if asked.pairs or asked.pair or asked.mediation or asked.for_user:
        ground = stand(log, tags, question)
        answers |= _on_ground(asked, ground, known, replace(found, joint=joint))
    if asked.siblings:
        wanted = [find_tag(name, known).slug for name in asked.siblings]
        answers["siblings"] = sibling_comparisons(joint, known, wanted)
    if asked.borrow:
        shown = [one for one in found.effects if not outcomes or one.outcome in outcomes]
        answers["borrowed"] = borrowed_effects(shown, known)
    if asked.kin:
        answers["kin"] = toward_parents(joint, known)
    return {key: [_json(one) for one in rows] for key, rows in answers.items()}


def _on_ground(
    asked: Asked, ground: Ground, known: tuple[Tag, ...], found: TagEffects
) -> dict[str, Sequence[Any]]:
    answers: dict[str, Sequence[Any]] = {}
    if asked.pairs or asked.pair:
        named = [_two(text, known) for text in asked.pair]
        answers["pairs"] = pair_effects(ground, named=named)
    if asked.for_user:
        models = user_effects(ground, found.joint)
        answers["for_user"] = [
            one for model in models for one in effects_for_user(model, asked.for_user)
        ]
    if asked.mediation:
        answers["mediation"] = [
            one for text in asked.mediation for one in mediation(ground, *_two(text, known))
        ]
    return answers


def _two(text: str, known: tuple[Tag, ...]) -> tuple[str, str]:
    """Slugs of the two tags of "A:B"."""
    parts = [part.strip() for part in text.replace("：", ":").split(":")]
    if len(parts) != 2 or not all(parts):
        raise QuestionError("error.bad_pair", text=text)
    first, second = (find_tag(part, known).slug for part in parts)
    if first == second:
        raise QuestionError("error.bad_pair", text=text)
    return first, second


def _json(answer: Any) -> dict[str, Any]:
    row = asdict(answer)
    for name in ("reason", "assumption"):
        value = getattr(answer, name, None)
        if name in row:
            row[name] = None if value is None else str(value)
    return row


def print_answers(answers: Answers) -> None:
    """Print a table for each on a terminal, tab-separated values into a pipe."""
    for key, rows in answers.items():
        click.echo(say(f"effects.heading_{key}"), err=True)
        if key in {"borrowed", "for_user"}:
            note = "effects.borrowed_note" if key == "borrowed" else "effects.user_note"
            click.echo(say(note), err=True)
        if key == "mediation" and rows:
            click.echo(str(rows[0]["assumption"]), err=True)
        columns = [*COLUMNS[key], *(name for name in ("verdict", "reason") if name in _names(rows))]
        cells = [[_cell(row[name]) for name in columns] for row in rows]
        if not sys.stdout.isatty():
            click.echo("\n".join("\t".join(line) for line in [columns, *cells]))
            continue
        table = Table(*columns)
        for line in cells:
            table.add_row(*line)
        Console().print(table)


def _names(rows: list[dict[str, Any]]) -> set[str]:
    return set(rows[0]) if rows else set()


def _cell(value: object) -> str:
    if value is None:
        return "—"
    return f"{value:+.4g}" if isinstance(value, float) else str(value)
