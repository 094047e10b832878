"""Everything a report is made from, and the effects of one outcome sorted for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tagcf.types import Effect, Estimand, Method, Outcome, ReadReport, Rung, TagEffects, WhatIf
from tagcf.views.labels import RUNGS, outcome_label
from tagcf.views.numbers import Scale, scale_of

METHODS: tuple[Method, ...] = ("joint", "matching", "iv")  # which one speaks, best first
ESTIMANDS: tuple[Estimand, ...] = ("direct", "total", "treated", "local")


@dataclass(frozen=True, slots=True)
class TruthRow:
    """A known effect of a simulated platform, as in ``truth.parquet``."""

    tag: str
    outcome: str
    segment: str | None
    estimand: str
    effect: float
    population: str | None = None


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What a report says, gathered; the views only choose, count and word it.

    `window` is the first and last time of the log (epoch seconds, UTC); ``None`` if it has none.
    `tag_names` gives ``(zh, en)`` by slug. `folder` is the workspace as it is typed in a shell.
    """

    title: str
    effects: TagEffects
    outcomes: tuple[Outcome, ...]
    folder: str
    n_tags: int
    n_impressions: float | None = None  # where rows stand for several
    window: tuple[float, float] | None = None
    tag_names: Mapping[str, tuple[str, str]] | None = None
    clusters: tuple[str, ...] = ()
    what_ifs: tuple[WhatIf, ...] = ()
    item_titles: Mapping[str, str] | None = None
    truth: tuple[TruthRow, ...] = ()
    read: ReadReport | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeFacts:
    """The effects on one outcome: `main` for everybody by the best method that was run."""

    name: str
    label: str
    scale: Scale
    method: Method | None
    rung: Rung | None
    main: tuple[Effect, ...]
    naive: Mapping[str, Effect]
    by_segment: tuple[Effect, ...]

    def with_verdict(self, verdict: str) -> tuple[Effect, ...]:
        """Effects of one verdict, largest first."""
        chosen = (effect for effect in self.main if effect.verdict == verdict)
        return tuple(sorted(chosen, key=lambda effect: -abs(effect.estimate or 0.0)))

    @property
    def claimed(self) -> tuple[Effect, ...]:
        """Effects with a direction, largest first."""
        both = self.with_verdict("raises") + self.with_verdict("lowers")
        return tuple(sorted(both, key=lambda effect: -abs(effect.estimate or 0.0)))


def is_share(outcome: Outcome) -> bool:
    """Whether an outcome is told in per cent: binary, rate, successes of trials, return."""
    return outcome.kind in ("binary", "rate") or outcome.trials is not None


def outcome_facts(facts: ReportFacts) -> tuple[OutcomeFacts, ...]:
    """Sort the effects by outcome, in the order of the settings."""
    shares = {outcome.name: is_share(outcome) for outcome in facts.outcomes}
    found = dict.fromkeys(effect.outcome for effect in facts.effects.effects)
    names = [name for name in shares if name in found]
    names += [name for name in found if name not in shares]
    return tuple(_one_outcome(facts.effects, name, shares.get(name, False)) for name in names)


def _one_outcome(effects: TagEffects, name: str, points: bool) -> OutcomeFacts:
    own = [effect for effect in effects.effects if effect.outcome == name]
    overall = [effect for effect in own if effect.segment is None]
    method = next((m for m in METHODS if any(e.method == m for e in overall)), None)
    main = _one_estimand([effect for effect in overall if effect.method == method])
    return OutcomeFacts(
        name=name,
        label=outcome_label(name),
        scale=scale_of(points, _typical_widths(main)),
        method=method,
        rung=_common_rung(main),
        main=tuple(main),
        naive={effect.tag: effect for effect in overall if effect.method == "naive"},
        by_segment=tuple(
            _one_estimand([e for e in own if e.segment is not None and e.method == method])
        ),
    )


def _typical_widths(effects: list[Effect]) -> list[float]:
    """Half-widths of the claims; without any, of what can be told; else of all."""
    claimed = [effect for effect in effects if effect.verdict in ("raises", "lowers")]
    told = [effect for effect in effects if effect.verdict != "cannot tell"]
    return [half_width(effect) for effect in claimed or told or effects]


def half_width(effect: Effect) -> float:
    """Half the width of an effect's interval; 0 where it has none."""
    if effect.ci_low is None or effect.ci_high is None:
        return 0.0
    return (effect.ci_high - effect.ci_low) / 2


def _one_estimand(effects: list[Effect]) -> list[Effect]:
    """Keep one estimand: direct and total are never mixed in a chart."""
    chosen = min((ESTIMANDS.index(effect.estimand) for effect in effects), default=0)
    return [effect for effect in effects if effect.estimand == ESTIMANDS[chosen]]


def _common_rung(effects: list[Effect]) -> Rung | None:
    """Return the weakest rung among the effects: a report promises no more than that."""
    rungs = {effect.rung for effect in effects}
    return max(rungs, key=RUNGS.index) if rungs else None
