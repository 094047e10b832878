"""The report as data: every section with its sentences, pictures and tables, in one language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tagcf.text import Language, language, say
from tagcf.types import Rung
from tagcf.views.balance import BalanceView, balance_view
from tagcf.views.contrast import ContrastView, contrast_view
from tagcf.views.doubt import DoubtView, doubt_view
from tagcf.views.facts import OutcomeFacts, ReportFacts, outcome_facts
from tagcf.views.forest import ForestView, forest_view
from tagcf.views.labels import RUNGS, rung_label, rung_meaning
from tagcf.views.method import MethodView, Term, method_view
from tagcf.views.numbers import count
from tagcf.views.segments import SegmentsView, segments_view
from tagcf.views.sentences import Verdict, verdict
from tagcf.views.truth import TruthView, truth_view
from tagcf.views.waterfall import WaterfallView, waterfall_view


@dataclass(frozen=True, slots=True)
class RungBadge:
    """The rung an outcome stands on, and what it means."""

    rung: Rung
    label: str
    meaning: str
    step: int  # 1 is the strongest of `steps`
    steps: int


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """All that is said about one outcome."""

    name: str
    label: str
    verdict: Verdict
    badge: RungBadge | None
    forest: ForestView
    contrast: ContrastView | None
    truth: TruthView | None
    segments: SegmentsView | None
    doubt: DoubtView | None


@dataclass(frozen=True, slots=True)
class ReportView:
    """The whole report in one language."""

    language: Language
    title: str
    simulated: bool
    facts: tuple[Term, ...]
    badges: tuple[RungBadge, ...]
    outcomes: tuple[OutcomeView, ...]
    balance: BalanceView | None
    waterfalls: tuple[WaterfallView, ...]
    method: MethodView
    command: str


def report_view(facts: ReportFacts) -> ReportView:
    """Build the report in the language in force."""
    outcomes = outcome_facts(facts)
    views = tuple(_outcome_view(outcome, facts) for outcome in outcomes)
    names = facts.tag_names or {}
    claimed = frozenset(effect.tag for outcome in outcomes for effect in outcome.claimed)
    badges = {view.badge.rung: view.badge for view in views if view.badge}
    return ReportView(
        language=language(),
        title=facts.title,
        simulated=facts.simulated,
        facts=_header(facts),
        badges=tuple(badges.values()),
        outcomes=views,
        balance=balance_view(facts.effects.balance, names, claimed),
        waterfalls=_waterfalls(facts, outcomes),
        method=method_view(facts, outcomes),
        command=f"tagcf effects {facts.folder}\ntagcf report {facts.folder}",
    )


def _outcome_view(outcome: OutcomeFacts, facts: ReportFacts) -> OutcomeView:
    badge = None
    if outcome.rung:
        badge = RungBadge(
            rung=outcome.rung,
            label=rung_label(outcome.rung),
            meaning=rung_meaning(outcome.rung),
            step=1 + RUNGS.index(outcome.rung),
            steps=len(RUNGS),
        )
    return OutcomeView(
        name=outcome.name,
        label=outcome.label,
        verdict=verdict(outcome),
        badge=badge,
        forest=forest_view(outcome),
        contrast=contrast_view(outcome),
        truth=truth_view(outcome, facts.truth) if facts.simulated else None,
        segments=segments_view(outcome),
        doubt=doubt_view(outcome, facts.effects.doubts, dict(facts.tag_names or {})),
    )


def _header(facts: ReportFacts) -> tuple[Term, ...]:
    effects = facts.effects
    terms = [Term(say("report.rows"), count(effects.n_rows))]
    if facts.n_impressions:
        terms.append(Term(say("report.impressions"), count(facts.n_impressions)))
    if effects.n_users > 1:  # a log without user ids knows one
        terms.append(Term(say("report.users"), count(effects.n_users)))
    terms.append(Term(say("report.all_items"), count(effects.n_items)))
    terms.append(Term(say("report.tags"), count(facts.n_tags)))
    if facts.window:
        first, last = (datetime.fromtimestamp(t, UTC).date().isoformat() for t in facts.window)
        terms.insert(0, Term(say("report.window"), f"{first} – {last}"))
    return tuple(terms)


def _waterfalls(
    facts: ReportFacts, outcomes: tuple[OutcomeFacts, ...]
) -> tuple[WaterfallView, ...]:
    by_name = {outcome.name: outcome for outcome in outcomes}
    titles, names = facts.item_titles or {}, facts.tag_names or {}
    return tuple(
        waterfall_view(
            answer,
            by_name[answer.outcome],
            names,
            titles.get(answer.item, ""),
            facts.folder,
        )
        for answer in facts.what_ifs
        if answer.outcome in by_name
    )
