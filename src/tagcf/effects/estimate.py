"""The public verb: put a question to a log by one method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from tagcf.doubts import Balance
from tagcf.effects.dose.model import gather_periods
from tagcf.effects.estimates import nothing_told, to_effects
from tagcf.effects.heterogeneity.groups import merge_groups
from tagcf.effects.instruments.two_stage import two_stage_effects
from tagcf.effects.joint.effects import joint_effects, plan
from tagcf.effects.linear.cell_tags import ItemTags
from tagcf.effects.linear.design import make_design, survey
from tagcf.effects.matching.match import match_tags
from tagcf.effects.methods import Joint, Matching, Robust, TwoStage, Using
from tagcf.effects.naive import naive_differences, naive_return
from tagcf.effects.observational_bias import allow_for_bias
from tagcf.effects.parts import Part, parts_of, together
from tagcf.effects.refusals import FEWEST_CONTROL_ITEMS
from tagcf.effects.robust.effects import robust_effects
from tagcf.effects.task import Question, Task, select
from tagcf.errors import EstimationError, UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import Effect, EventLog, Reason, Tag, TagEffects, TagMatrix

MOST_TAGS = 1_000  # tags in one model


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A tag that no model held, and why."""

    tag: Tag
    items: int
    reason: Reason


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
        An outcome or segment that the log does not have, also in the method's bias.
    EstimationError
        No rows, no tags, or more than two cluster axes.
    """
    using, question = using or Joint(), question or Question()
    check_names(log, question.outcomes, [name for split in question.by for name in split])
    if isinstance(using, Joint | Matching | Robust) and using.bias is not None:
        check_names(log, tuple(using.bias.sd), ())
    _check(log, tags)
    parts = parts_of(log, on_items_of(log, tags), question)
    return together(parts, [_of_part(part, using) for part in parts])


def _of_part(part: Part, using: Using) -> TagEffects:
    """Effects of the tags of one part of the log."""
    log = part.log
    tags, question, members = merge_groups(part.tags, part.question)
    tags, left_out = split_by_reach(tags, question)
    left_out += [LeftOut(*member) for member in (*members, *part.refused)]
    refused = replace(_only_refused(log, left_out, using, question), tags_version=tags.version)
    refused = replace(refused, effects=refused.effects + _untold(part, using))
    if not tags.tags:
        return refused
    task = Task(log, tags, ItemTags.of_matrix(tags, question.threshold), question)
    found = _by_method(task, using)
    every = found.effects + refused.effects
    return replace(found, effects=every, tags_version=tags.version)


def _untold(part: Part, using: Using) -> tuple[Effect, ...]:
    """Effects on the outcomes that a part of the log cannot tell."""
    periods = replace(part.log, outcomes=(), derived=part.untold)
    carried = part.tags.carried(part.question.threshold).sum(axis=0).tolist()
    alone = [
        LeftOut(tag, int(items), Reason("reason.mined_periods"))
        for tag, items in zip(part.tags.tags, carried, strict=True)
        if part.told is not None and tag.slug in part.told
    ]
    return _only_refused(periods, alone, using, part.question).effects


def _by_method(task: Task, using: Using) -> TagEffects:
    if isinstance(using, Joint):
        return joint_effects(task, using)
    if isinstance(using, Matching):
        return _matching(task, using)
    if isinstance(using, Robust):
        return robust_effects(task, using)
    if isinstance(using, TwoStage):
        return _two_stage(task, using)
    return _naive(task)


def on_items_of(log: EventLog, tags: TagMatrix) -> TagMatrix:
    """Put the rows of the matrix in the order of the log's items, by id.

    An item that the matrix does not know carries no tag.
    """
    if tags.items.ids.equals(log.items.ids):
        return tags
    at = tags.items.find([str(one) for one in log.items.ids.to_pylist()])
    known = np.flatnonzero(at >= 0)
    place = sparse.csr_array(
        (np.ones(known.size, dtype=np.int8), (known, at[known])),
        shape=(len(log.items), len(tags.items)),
    )

    def moved(matrix: sparse.csr_array) -> sparse.csr_array:
        return sparse.csr_array((place @ matrix).astype(matrix.dtype))

    return replace(
        tags,
        items=log.items,
        strength=moved(tags.strength),
        confidence=moved(tags.confidence),
        source=moved(tags.source),
        unseen=tuple((slug, (at >= 0) & mask[at]) for slug, mask in tags.unseen),
    )


def split_by_reach(tags: TagMatrix, question: Question) -> tuple[TagMatrix, list[LeftOut]]:
    """Part the tags that a model can hold from those on too few items, or one too many.

    A tag on fewer than `FEWEST_CONTROL_ITEMS` items neither can be told nor confounds much, and
    beyond `MOST_TAGS` the rarest go: memory grows with items × tags.
    """
    items = ItemTags.of_matrix(tags, question.threshold).on_items
    least = min(FEWEST_CONTROL_ITEMS, question.min_items)
    order = np.argsort(-items, kind="stable")
    reached = np.sort(order[:MOST_TAGS][items[order[:MOST_TAGS]] >= least])
    rest = np.setdiff1d(np.arange(len(tags.tags)), reached)
    left_out = []
    for at in rest:
        facts: tuple[tuple[str, str | int | float], ...]
        if items[at] >= question.min_items:
            key, facts = "reason.too_many_tags", (("most", MOST_TAGS),)
        elif items[at] == 0:
            key, facts = "reason.on_no_item", (("n", len(tags.items)),)
        else:
            key, facts = "reason.few_items", (("n", int(items[at])), ("need", question.min_items))
        left_out.append(LeftOut(tags.tags[at], int(items[at]), Reason(key, facts)))
    return select(tags, reached), left_out


def _only_refused(
    log: EventLog, left_out: list[LeftOut], using: Using, question: Question
) -> TagEffects:
    """Effects of the tags that no model held: cannot tell, and why."""
    names = [one.name for one in (*log.outcomes, *log.derived)]
    wanted = [name for name in names if not question.outcomes or name in question.outcomes]
    estimand = question.estimand if isinstance(using, Joint | Robust) else None
    effects: list[Effect] = []
    for name in wanted if left_out else []:
        found = nothing_told(
            name,
            tuple(one.reason for one in left_out),
            np.array([one.items for one in left_out], dtype=float),
            len(log.items),
        )
        tags = [one.tag for one in left_out]
        effects += to_effects(found, tags, using.name, estimand or using.estimand)
    return TagEffects(
        effects=tuple(effects),
        n_rows=log.n_rows,
        n_items=len(log.items),
        n_users=len(log.users),
        simulated=log.simulated,
    )


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
            for plain in matched.estimates:
                found = allow_for_bias(plain, inside, using.bias)
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
            periods = gather_periods(task.log, outcome, seen, shown="any")
            if periods.returned.size:
                found = naive_return(outcome.name, task.carried, periods)
                effects += to_effects(found, task.tags.tags, "naive", "direct")
    return task.result(effects)
