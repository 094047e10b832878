"""Options of ``tagcf effects``: for whom, and with what."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import click
import numpy as np

from tagcf.cli.asked_names import check_user, known_tags_of, listed, named_tag, two_tags
from tagcf.effects.heterogeneity.activity import NAME as ACTIVITY
from tagcf.effects.heterogeneity.activity import with_activity
from tagcf.effects.heterogeneity.borrow import borrowed_effects
from tagcf.effects.heterogeneity.ground import Ground, stand
from tagcf.effects.heterogeneity.groups import merge_groups
from tagcf.effects.heterogeneity.kin import toward_parents
from tagcf.effects.heterogeneity.mediation import mediation
from tagcf.effects.heterogeneity.pairs import Pairs, pair_effects
from tagcf.effects.heterogeneity.siblings import sibling_comparisons
from tagcf.effects.heterogeneity.user_effects import effects_for_user, user_effects
from tagcf.effects.multiplicity import FEWEST_TO_LEARN_FROM
from tagcf.effects.task import Question
from tagcf.errors import EstimationError, QuestionError, UnknownNameError
from tagcf.text import did_you_mean, say
from tagcf.types import EventLog, Tag, TagEffects, TagMatrix


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


def check_asked(asked: Asked, using: str | None, split: Sequence[str]) -> None:
    """Raise where options do not go with the method or with one another.

    Raises
    ------
    click.UsageError, QuestionError
    """
    if using not in {None, "joint"} and asked.options:
        message = say("error.asked_joint_only", option=asked.options[0], method=using)
        raise click.UsageError(message)
    if asked.activity is not None and ACTIVITY not in split:
        raise click.UsageError(say("error.activity_needs_by"))
    for name in split:
        if split.count(name) > 1:
            raise QuestionError("error.by_twice", name=name)


def check_named(asked: Asked, log: EventLog, tags: TagMatrix, question: Question) -> None:
    """Find every name that was asked for, before anything is estimated.

    Raises
    ------
    UnknownNameError
        A tag or user that does not exist.
    QuestionError
        A pair that is none, a mediator that is said to cause the tag, or a tag that was found in
        behaviour: these answers rest on rows that may not tell it.
    EstimationError
        A user is asked for, and the log has none.
    """
    known = known_tags_of(tags, question)
    named = [named_tag(name, known).slug for name in asked.siblings]
    named += [slug for text in (*asked.pair, *asked.mediation) for slug in two_tags(text, known)]
    for slug, _ in tags.unseen:
        if slug in named:
            raise QuestionError("error.mined_not_asked", tag=slug)
    causes = merge_groups(tags, question)[1].descendants
    for text in asked.mediation:
        tag, mediator = two_tags(text, known)
        if tag in causes.get(mediator, frozenset()):
            raise QuestionError("error.bad_mediation", tag=tag, mediator=mediator)
    if asked.for_user is not None:
        check_user(asked.for_user, log)


def split_by_activity(log: EventLog, split: Sequence[str], asked: Asked) -> EventLog:
    """Return the log with the users' activity as a segment, where the split asks for it.

    A log that names such a segment itself comes back as it is.

    Raises
    ------
    UnknownNameError
        The column does not exist.
    QuestionError
        It is not a number of the users' own.
    """
    if ACTIVITY not in split or ACTIVITY in {one.name for one in log.segments}:
        return log
    numbers = [one.name for one in log.covariates if one.kind == "number"]
    if asked.activity is not None and asked.activity not in {one.name for one in log.covariates}:
        hint = did_you_mean(asked.activity, numbers)
        facts = {"name": asked.activity, "hint": hint, "known": listed(numbers) or "—"}
        raise UnknownNameError("error.unknown_activity", **facts)
    try:
        return with_activity(log, asked.activity)
    except EstimationError as refused:
        if refused.key == "error.activity_not_own":  # what was asked for is wrong, not the log
            raise QuestionError(refused.key, **refused.facts) from None
        raise


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one option: what `key` it stands under, its rows, and what else to say.

    `silent` has a sentence for each outcome without rows, and for rows that say nothing new.
    """

    key: str
    rows: tuple[Any, ...]
    silent: tuple[str, ...] = ()


def answer_asked(
    asked: Asked,
    log: EventLog,
    tags: TagMatrix,
    question: Question,
    outcomes: tuple[str, ...],
    found: TagEffects,
) -> tuple[Answer, ...]:
    """Answer what was asked, from the joint effects in `found`."""
    question = replace(question, by=(), outcomes=outcomes)
    known = known_tags_of(tags, question)
    joint = tuple(fit for fit in found.joint if not outcomes or fit.outcome in outcomes)
    answers: list[Answer] = []
    if asked.pairs or asked.pair or asked.mediation or asked.for_user:
        ground = stand(log, tags, question)
        answers += _on_ground(asked, ground, known, replace(found, joint=joint))
    names = [one.name for one in (*log.outcomes, *log.derived)]
    names = [name for name in names if not outcomes or name in outcomes]
    if asked.siblings:
        wanted = [named_tag(name, known).slug for name in asked.siblings]
        siblings = sibling_comparisons(joint, known, wanted)
        answers.append(_without_rows("siblings", siblings, names))
    if asked.borrow:
        shown = [one for one in found.effects if not outcomes or one.outcome in outcomes]
        answers.append(_without_rows("borrowed", borrowed_effects(shown, known), names))
    if asked.kin:
        answers.append(_without_rows("kin", toward_parents(joint, known), names))
    return tuple(answers)


def of_tags_only(answers: Sequence[Answer], wanted: set[str]) -> tuple[Answer, ...]:
    """Keep the rows of the wanted tags where an answer has one for each tag; all for none."""
    if not wanted:
        return tuple(answers)
    return tuple(
        _of_tags(one, wanted) if one.key in {"for_user", "borrowed", "kin"} else one
        for one in answers
    )


def _of_tags(answer: Answer, wanted: set[str]) -> Answer:
    rows = tuple(row for row in answer.rows if row.tag in wanted)
    lost = answer.rows and not rows
    silent = (say(f"effects.silent_tags_{answer.key}"),) if lost else ()
    return replace(answer, rows=rows, silent=silent + answer.silent)


def _without_rows(key: str, rows: Sequence[Any], outcomes: Sequence[str]) -> Answer:
    """The answer, with a sentence on the outcomes that have no row."""
    missing = [name for name in outcomes if name not in {row.outcome for row in rows}]
    facts = {"outcomes": ", ".join(missing), "need": FEWEST_TO_LEARN_FROM}
    silent = (say(f"effects.silent_{key}", **facts),) if missing else ()
    return Answer(key, tuple(rows), silent)


def _on_ground(
    asked: Asked, ground: Ground, known: tuple[Tag, ...], found: TagEffects
) -> list[Answer]:
    answers: list[Answer] = []
    derived = [one.name for one in ground.task.derived()]
    by_period = (say("effects.silent_derived", outcomes=", ".join(derived)),) if derived else ()
    if asked.pairs or asked.pair:
        named = [two_tags(text, known) for text in asked.pair]
        pairs = pair_effects(ground, named=named)
        screened = () if pairs or not ground.task.logged() else (_none_passed(ground),)
        answers.append(Answer("pairs", pairs, screened + by_period))
    if asked.for_user:
        models = user_effects(ground, found.joint)
        rows = [one for model in models for one in effects_for_user(model, asked.for_user)]
        told = {row.outcome for row in rows}
        untold = [model.outcome for model in models if model.outcome not in told]
        silent = (say("effects.silent_for_user", outcomes=", ".join(untold)),) if untold else ()
        answers.append(Answer("for_user", tuple(rows), silent + by_period))
    if asked.mediation:
        asked_for = [two_tags(text, known) for text in asked.mediation]
        split = [one for two in asked_for for one in mediation(ground, *two)]
        answers.append(Answer("mediation", tuple(split), by_period))
    return answers


def _none_passed(ground: Ground) -> str:
    """Say how many pairs there were, and how far the nearest one is from passing."""
    carried = ground.task.carried[ground.shown][:, ground.columns]
    both = carried.T @ carried
    alone = both.diagonal()[:, None] - both
    neither = len(carried) - both - alone - alone.T
    least = np.minimum.reduce([both, alone, alone.T, neither])
    above = least[np.triu_indices(len(least), 1)]
    facts = {"n": f"{above.size:,}", "most": int(above.max(initial=0)), "need": Pairs().min_items}
    return say("effects.silent_pairs", **facts)


def answers_json(answers: Sequence[Answer]) -> dict[str, list[dict[str, Any]]]:
    """Rows as JSON objects by the key that they stand under, reasons as sentences."""
    return {one.key: [_json(row) for row in one.rows] for one in answers}


def _json(answer: Any) -> dict[str, Any]:
    row = asdict(answer)
    for name in ("reason", "assumption"):
        value = getattr(answer, name, None)
        if name in row:
            row[name] = None if value is None else str(value)
    return row
