"""Method and limits: what was estimated, on what, and what the report cannot say."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from tagcf.effects.estimates import FALSE_DISCOVERY_RATE
from tagcf.text import catalogue, say
from tagcf.types import Effect, ReadReport
from tagcf.views.facts import OutcomeFacts, ReportFacts
from tagcf.views.labels import (
    effect_name,
    estimand_meaning,
    join,
    method_label,
    method_meaning,
    rung_label,
    rung_meaning,
)
from tagcf.views.numbers import count, plain
from tagcf.views.picture import Column, Table
from tagcf.views.reasons import reason_text


@dataclass(frozen=True, slots=True)
class Term:
    """A point of the method: its name and a sentence."""

    term: str
    text: str


@dataclass(frozen=True, slots=True)
class MethodView:
    """Points of the method, what cannot be said, refused tags, and the rows not used."""

    terms: tuple[Term, ...]
    limits: tuple[str, ...]
    refused: Table | None
    bad_rows: Table | None


def method_view(facts: ReportFacts, outcomes: tuple[OutcomeFacts, ...]) -> MethodView:
    """Word the method and its limits."""
    return MethodView(
        terms=tuple(_terms(facts, outcomes)),
        limits=tuple(_limits(facts, outcomes)),
        refused=_refused(outcomes),
        bad_rows=_bad_rows(facts.read) if facts.read and facts.read.bad else None,
    )


def _terms(facts: ReportFacts, outcomes: tuple[OutcomeFacts, ...]) -> list[Term]:
    terms = [
        Term(say("report.estimator"), f"{method_label(method)} — {method_meaning(method)}")
        for method in dict.fromkeys(o.method for o in outcomes if o.method)
    ]
    estimands = dict.fromkeys(effect.estimand for o in outcomes for effect in o.main)
    if estimands:
        text = say("report.space").join(estimand_meaning(estimand) for estimand in estimands)
        terms.append(Term(say("report.estimand"), text))
    terms += [
        Term(say("report.rung"), f"{rung_label(rung)} — {rung_meaning(rung)}")
        for rung in dict.fromkeys(o.rung for o in outcomes if o.rung)
    ]
    terms += _unseen(outcomes)
    if facts.clusters:
        terms.append(
            Term(
                say("report.clusters"),
                say("report.clusters_text", names=join(list(facts.clusters))),
            )
        )
    effective = [e.effective_items for o in outcomes for e in o.main if e.effective_items > 0]
    if effective:
        text = say(
            "report.effective_text",
            median=plain(statistics.median(effective), 0),
            low=plain(min(effective), 0),
            high=plain(max(effective), 0),
        )
        terms.append(Term(say("report.effective_items"), text))
    rate = f"{100 * FALSE_DISCOVERY_RATE:.0f}%"
    terms.append(Term(say("report.multiple"), say("report.multiple_text", rate=rate)))
    terms.append(Term(say("report.promise"), say("report.promise_text")))
    if facts.read:
        terms.append(
            Term(
                say("report.rows"),
                say(
                    "report.rows_text",
                    read=count(facts.read.rows_read),
                    used=count(facts.read.rows_used),
                ),
            )
        )
    return terms


def _unseen(outcomes: tuple[OutcomeFacts, ...]) -> list[Term]:
    """What observational intervals allow for unseen confounding, where the settings say so."""
    applied, missing = [], []
    for outcome in outcomes:
        for sd in {e.diagnostics["bias_sd"] for e in outcome.main if "bias_sd" in e.diagnostics}:
            if isinstance(sd, float):
                written = plain(sd * outcome.scale.factor, outcome.scale.decimals)
                number = say("report.points", number=written) if outcome.scale.points else written
                applied.append(f"{outcome.label} {number}")
            else:
                missing.append(outcome.label)
    text = []
    if applied:
        text.append(say("report.bias_text", sds=join(applied)))
    if missing:
        text.append(say("report.bias_missing_text", names=join(missing)))
    return [Term(say("report.bias"), say("report.space").join(text))] if text else []


def _limits(facts: ReportFacts, outcomes: tuple[OutcomeFacts, ...]) -> list[str]:
    keys = ["limit_bundle", "limit_interference", "limit_window", "limit_ranking"]
    rungs = {outcome.rung for outcome in outcomes}
    if rungs & {"observational", "within-author"}:
        keys.insert(0, "limit_unmeasured")
    if "instrument" in rungs:
        keys.insert(0, "limit_instrument")
    if facts.simulated:
        keys.insert(0, "limit_simulated")
    return [say(f"report.{key}") for key in keys]


def _refused(outcomes: tuple[OutcomeFacts, ...]) -> Table | None:
    """List the refused tags once, with the outcomes they are refused on."""
    reasons: dict[tuple[str, str], list[str]] = {}
    names: dict[str, Effect] = {}
    for outcome in outcomes:
        for effect in outcome.with_verdict("cannot tell"):
            names[effect.tag] = effect
            reasons.setdefault((effect.tag, reason_text(effect.reason)), []).append(outcome.label)
    if not reasons:
        return None
    everywhere = len(outcomes)
    rows = tuple(
        (
            effect_name(names[tag]).name,
            say("report.all_outcomes") if len(labels) == everywhere else join(labels),
            count(names[tag].n_treated_items),
            why,
        )
        for (tag, why), labels in sorted(reasons.items())
    )
    heads = (("tag", False), ("outcome", False), ("items", True), ("why", False))
    return Table(
        caption=say("report.table_refused", count=count(len(names))),
        columns=tuple(Column(say(f"report.{key}"), numeric) for key, numeric in heads),
        rows=rows,
    )


def _bad_rows(read: ReadReport) -> Table:
    heads = (("bad_kind", False), ("bad_where", False), ("bad_count", True), ("bad_action", False))
    return Table(
        caption=say("report.table_bad_rows"),
        columns=tuple(Column(say(f"report.{key}"), numeric) for key, numeric in heads),
        rows=tuple(
            (
                say(bad.kind) if bad.kind in catalogue() else bad.kind,
                bad.where,
                count(bad.count),
                say(f"action.{bad.action}"),
            )
            for bad in read.bad
        ),
    )
