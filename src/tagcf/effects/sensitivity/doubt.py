"""The public verb: doubt the joint estimates of a run, and withdraw what does not stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from tagcf.doubts import Doubt, NegativeControl
from tagcf.effects.estimate import check_names, on_items_of, split_by_reach
from tagcf.effects.estimates import CLAIMS
from tagcf.effects.joint.effects import plan
from tagcf.effects.linear.design import Design
from tagcf.effects.methods import Joint
from tagcf.effects.multiplicity import ALPHA
from tagcf.effects.parts import Part, effects_by_part, parts_of, together
from tagcf.effects.sensitivity.evidence import Doubting, Evidence, gather_evidence
from tagcf.effects.sensitivity.negatives import direct_effects, negative_controls, value_of
from tagcf.effects.sensitivity.overlap import item_scores, joint_balance, overlap_of
from tagcf.effects.sensitivity.robustness import benchmark, e_values, robustness_value
from tagcf.effects.sensitivity.rosenbaum import pair_differences, pair_items, signed_rank_gamma
from tagcf.effects.sensitivity.simultaneous import Simultaneous, by_dependent, simultaneous
from tagcf.effects.sensitivity.verdicts import stopped_by, with_doubt
from tagcf.effects.task import Question, Task
from tagcf.types import Effect, EventLog, Floats, Mask, TagEffects, TagMatrix

SHOWN_DRAWS = 200  # permutations that are kept for the picture


def cast_doubt(
    log: EventLog,
    tags: TagMatrix,
    found: TagEffects,
    using: Joint | None = None,
    question: Question | None = None,
    doubting: Doubting | None = None,
) -> TagEffects:
    """Doubt the joint direct effects of `found` on logged outcomes, for everybody.

    Parameters
    ----------
    found
        What `estimate_effects` found with the same log, tags, method and question.

    Returns
    -------
    TagEffects
        `found` with `doubts`, and with the claims withdrawn that a check stops (`verdicts`):
        of the tag's direct effect, and where identification is at stake of its total effect
        and its effects by segment, too. A withdrawn tag is not usable in what-ifs.

    Raises
    ------
    UnknownNameError
        A negative outcome that the log does not have.
    """
    using, question = using or Joint(), question or Question()
    doubting = doubting or Doubting()
    check_names(log, doubting.negative_outcomes, ())
    parts = parts_of(log, on_items_of(log, tags), question)
    told = zip(parts, effects_by_part(parts, found), strict=True)
    return together(parts, [_doubted(part, own, using, doubting) for part, own in told])


def _doubted(part: Part, found: TagEffects, using: Joint, doubting: Doubting) -> TagEffects:
    """Doubt what one part of the log told."""
    log, question = part.log, part.question
    reached, _ = split_by_reach(part.tags, question)
    if not reached.tags:
        return found
    task = Task(log, reached, reached.carried(question.threshold).toarray().astype(float), question)
    seen, design = plan(task, using)
    logged = task.logged()
    doubts: list[Doubt] = []
    for group in seen.weight_groups:
        wanted = tuple(at for at in group if at in logged)
        if wanted:
            doubts += _doubts(task, found, using, design, wanted, doubting)
    return _withdrawn(found, tuple(doubts))


def _withdrawn(found: TagEffects, doubts: tuple[Doubt, ...]) -> TagEffects:
    """Apply the verdicts to effects and to what-ifs."""
    by_name = {(doubt.tag, doubt.outcome): doubt for doubt in doubts}
    names = {effect.tag: (effect.tag_zh, effect.tag_en) for effect in found.effects}

    def judged(effect: Effect) -> Effect:
        doubt = by_name.get((effect.tag, effect.outcome))
        if effect.method != "joint" or doubt is None or doubt.stopped_by is None:
            return effect
        main = effect.segment is None and effect.estimand == "direct"
        stops = main or doubt.stopped_by != "placebo"
        return with_doubt(effect, doubt, names) if stops else effect

    gone = {key for key, doubt in by_name.items() if doubt.stopped_by is not None}
    joint = tuple(
        replace(
            fit,
            usable=fit.usable & np.array([(slug, fit.outcome) not in gone for slug in fit.tags]),
        )
        for fit in found.joint
    )
    effects = tuple(judged(effect) for effect in found.effects)
    return replace(found, effects=effects, joint=joint, doubts=doubts)


def _doubts(
    task: Task,
    found: TagEffects,
    using: Joint,
    design: Design,
    outcomes: tuple[int, ...],
    doubting: Doubting,
) -> list[Doubt]:
    names = [task.log.outcomes[at].name for at in outcomes]
    effects = [direct_effects(found, name, task.slugs) for name in names]
    evidence = gather_evidence(task, using, design, outcomes, effects, doubting)
    if evidence is None:
        return []
    score_of = cache(partial(item_scores, evidence.reduced, evidence.fit))
    return [
        doubt
        for k in range(len(outcomes))
        if evidence.fit.varies[k]
        for doubt in _of_tags(task, found, evidence, effects[k], k, doubting, score_of)
    ]


@dataclass(frozen=True, slots=True)
class _Over:
    """What is answered over all told tags of an outcome at once. T tags."""

    told: Mask  # (T,)
    placebo_p: Floats  # (T,)
    placebo_any: Floats  # (T,)
    by_q: Floats  # (T,)
    together: Simultaneous
    negatives: list[tuple[NegativeControl, ...]]


def _over_tags(
    task: Task,
    found: TagEffects,
    evidence: Evidence,
    effects: list[Effect | None],
    k: int,
    doubting: Doubting,
) -> _Over:
    told = evidence.reduced.kept & np.array(
        [effect is not None and effect.verdict != "cannot tell" for effect in effects]
    )
    p = np.array([value_of(effect, "p") for effect in effects])
    own = task.log.outcomes[evidence.fit.outcomes[k]].name
    past = [name for name in doubting.negative_outcomes if name != own]
    return _Over(
        told=told,
        placebo_p=evidence.placebo.p[k],
        placebo_any=evidence.placebo.p_any(told)[k],
        by_q=by_dependent(np.where(told, p, np.nan)),
        together=_together(effects, told, evidence.draws[k]),
        negatives=negative_controls(found, task.slugs, told, evidence.next_item, k, past),
    )


def _of_tags(
    task: Task,
    found: TagEffects,
    evidence: Evidence,
    effects: list[Effect | None],
    k: int,
    doubting: Doubting,
    score_of: Callable[[int], Floats],
) -> list[Doubt]:
    over = _over_tags(task, found, evidence, effects, k, doubting)
    doubts = []
    for t in np.flatnonzero(over.told).tolist():
        effect = effects[t]
        if effect is None or effect.estimate is None or not effect.se:
            continue
        doubt = _doubt(effect, effect.estimate / effect.se, evidence, over, k, t)
        doubt = _with_odds(task, doubt, effect, evidence, k, t)
        if effect.verdict in CLAIMS or effect.tag in doubting.tags:
            doubt = _with_pictures(task, doubt, evidence, k, t, score_of)
        doubts.append(replace(doubt, stopped_by=stopped_by(effect, doubt)))
    return doubts


def _doubt(
    effect: Effect, statistic: float, evidence: Evidence, over: _Over, k: int, t: int
) -> Doubt:
    """Everything that rests on sums and on the other tags."""
    df = max(effect.effective_items - 1.0, 2.0)
    draws = evidence.placebo.draws[:SHOWN_DRAWS, k, t]
    return Doubt(
        tag=effect.tag,
        outcome=effect.outcome,
        stopped_by=None,
        placebo_p=float(over.placebo_p[t]),
        placebo_p_any=float(over.placebo_any[t]),
        placebo_t=float(evidence.placebo.observed[k, t]),
        placebo_draws=tuple(round(float(one), 3) for one in draws),
        by_q=_finite(over.by_q[t]),
        simultaneous_p=_finite(over.together.p[t]),
        simultaneous_low=_finite(over.together.low[t]),
        simultaneous_high=_finite(over.together.high[t]),
        robustness=robustness_value(statistic, df),
        robustness_interval=robustness_value(statistic, df, alpha=ALPHA),
        benchmark=benchmark(evidence.shares, k, t, statistic, df),
        e_value=None,
        e_value_limit=None,
        gamma=None,
        pairs=0,
        within_author=evidence.within[k][t] if evidence.within is not None else None,
        negatives=over.negatives[t],
    )


def _together(effects: list[Effect | None], told: Mask, draws: Floats) -> Simultaneous:
    """Family-wise answers for the estimates as they were told."""
    estimate = np.array([value_of(effect, "estimate") for effect in effects])
    se = np.array([value_of(effect, "se") for effect in effects])
    df = np.array(
        [
            np.nan if effect is None else float(effect.diagnostics.get("df") or 1.0)
            for effect in effects
        ]
    )
    return simultaneous(estimate, se, df, told, draws)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _with_odds(
    task: Task, doubt: Doubt, effect: Effect, evidence: Evidence, k: int, t: int
) -> Doubt:
    """E-values of shares of yes, and Rosenbaum's Γ of item pairs."""
    spec = task.log.outcomes[evidence.fit.outcomes[k]]
    known = effect.estimate, effect.ci_low, effect.ci_high, effect.baseline
    if spec.kind == "binary" or spec.trials is not None:
        estimate, low, high, baseline = known
        if None not in known and baseline and baseline > 0:
            point, limit = e_values(baseline, low or 0.0, estimate or 0.0, high or 0.0)
            doubt = replace(doubt, e_value=point, e_value_limit=limit)
    pairs = pair_items(evidence.reduced, t)
    counted = [one.reduced for one in evidence.sources if one.count[k, t] > 0]
    residual = np.sum([one.without_one(k, t) for one in counted], axis=0)
    weight = np.sum([one.weight for one in counted], axis=0)
    gamma = signed_rank_gamma(pair_differences(residual, weight, pairs))
    return replace(doubt, gamma=_finite(gamma), pairs=int(pairs.carrier.size))


def _with_pictures(
    task: Task,
    doubt: Doubt,
    evidence: Evidence,
    k: int,
    t: int,
    score_of: Callable[[int], Floats],
) -> Doubt:
    """Overlap, balance and specification curve of a tag."""
    overlap = None
    if evidence.design.absorbs != "stratum":  # arms of a test are comparable by design
        overlap = overlap_of(evidence.reduced, evidence.fit, k, t, score_of(t))
    return replace(
        doubt,
        overlap=overlap,
        balance=joint_balance(evidence.reduced, evidence.fit, t, task.slugs),
        specifications=evidence.curve[k][t] if evidence.curve is not None else (),
    )
