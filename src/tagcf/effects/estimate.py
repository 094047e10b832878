"""The public verb: put a question to a log by one method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tagcf.effects.design import make_design, survey
from tagcf.effects.dose import gather_periods
from tagcf.effects.estimates import to_effects
from tagcf.effects.joint_effects import joint_effects, plan
from tagcf.effects.matching import match_tags
from tagcf.effects.methods import Joint, Matching, TwoStage, Using
from tagcf.effects.naive import naive_differences, naive_return
from tagcf.effects.task import Question, Task
from tagcf.effects.two_stage import two_stage_effects
from tagcf.errors import EstimationError, UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import Balance, Effect, EventLog, TagEffects, TagMatrix


def estimate_effects(
    log: EventLog, tags: TagMatrix, using: Using | None = None, question: Question | None = None
) -> TagEffects:
    """Estimate what each tag does to each outcome.

    Parameters
    ----------
    log
        The impressions.
    tags
        What each item of the log carries.
    using
        The method; `Joint()` unless given.
    question
        Outcomes, segments, estimand and refusal limits; everything for everybody unless given.

    Returns
    -------
    TagEffects
        One `Effect` per tag × outcome × segment. Weak evidence is a verdict, not an error.

    Raises
    ------
    UnknownNameError
        An outcome or segment that the log does not have.
    EstimationError
        No rows, no tags, or more than two cluster axes.
    """
    using, question = using or Joint(), question or Question()
    check_names(log, question.outcomes, [name for split in question.by for name in split])
    _check(log, tags)
    task = Task(log, tags, tags.carried(question.threshold).toarray().astype(float), question)
    if isinstance(using, Joint):
        return joint_effects(task, using)
    if isinstance(using, Matching):
        return _matching(task, using)
    if isinstance(using, TwoStage):
        return _two_stage(task, using)
    return _naive(task)


def check_names(log: EventLog, outcomes: Sequence[str], by: Sequence[str]) -> None:
    """Raise `UnknownNameError` for an outcome or segment that the log does not have."""
    for asked, known, key in (
        (outcomes, [one.name for one in (*log.outcomes, *log.derived)], "error.unknown_outcome"),
        (by, [one.name for one in log.segments], "error.unknown_segment"),
    ):
        for name in asked:
            if name not in known:
                hint = did_you_mean(name, known)
                raise UnknownNameError(key, name=name, hint=hint, known=", ".join(known) or "—")


def _check(log: EventLog, tags: TagMatrix) -> None:
    if log.n_rows == 0:
        raise EstimationError("error.no_rows", why="0")
    if not tags.tags:
        raise EstimationError("error.no_tags", path="DIR")
    if len(log.clusters) > 2:
        axes = ", ".join(axis.name for axis in log.clusters)
        raise EstimationError("error.too_many_axes", n=len(log.clusters), axes=axes)


def _matching(task: Task, using: Matching) -> TagEffects:
    seen, design = plan(task, using)
    logged = task.logged()
    effects: list[Effect] = []
    balance: list[Balance] = []
    used = task.shown(design)
    columns = task.columns(task.carried[used].sum(axis=0))
    for segment, rows in [(None, ()), *task.segments()]:
        inside = replace(design, rows=replace(design.rows, segment=rows))
        for group in seen.weight_groups:
            wanted = tuple(at for at in group if at in logged)
            if not wanted:
                continue
            matched = match_tags(
                task.log,
                task.tags.tags,
                task.carried,
                inside,
                wanted,
                using,
                columns,
                task.question.min_items,
            )
            for found in matched.estimates:
                effects += to_effects(found, task.tags.tags, "matching", "treated", segment)
            if segment is None:
                balance += matched.balance
    return task.result(effects, balance=balance)


def _two_stage(task: Task, using: TwoStage) -> TagEffects:
    effects: list[Effect] = []
    for found in two_stage_effects(
        task.log, task.tags.tags, task.carried, task.logged(), using, task.question.min_items
    ):
        effects += to_effects(found, task.tags.tags, "iv", "local")
    return task.result(effects)


def _naive(task: Task) -> TagEffects:
    seen = survey(task.log, None)
    design = make_design(task.log, seen, absorbs=None, knots=0, exposure="any")
    logged = task.logged()
    effects: list[Effect] = []
    for group in seen.weight_groups:
        wanted = tuple(at for at in group if at in logged)
        if wanted:
            for found in naive_differences(task.log, task.carried, design, wanted):
                effects += to_effects(found, task.tags.tags, "naive", "direct")
    for outcome in task.derived():
        if task.why_no_periods(seen) is None:
            periods = gather_periods(task.log, outcome, seen, randomized_only=False)
            if periods.returned.size:
                found = naive_return(outcome.name, task.carried, periods)
                effects += to_effects(found, task.tags.tags, "naive", "direct")
    return task.result(effects)
