"""The block of doubt in the report, from made-up doubts."""

from dataclasses import replace

import numpy as np
import pytest

from tagcf.text import choose_language
from tagcf.types import (
    Alternative,
    Balance,
    Benchmark,
    Doubt,
    Effect,
    NegativeControl,
    Overlap,
    Reason,
    Specification,
)
from tagcf.views.doubt import MOST_TAGS, DoubtView, doubt_view
from tagcf.views.facts import ReportFacts, outcome_facts
from tagcf.views.page import render_report
from views.made_up import made_up_facts, slug, tag_names


def made_up_doubts(facts: ReportFacts) -> ReportFacts:
    """Doubt every claim on clicks; the first claim is withdrawn."""
    random = np.random.default_rng(3)
    effects = list(facts.effects.effects)
    doubts = []
    for at, effect in enumerate(effects):
        main = effect.outcome == "click" and effect.method == "joint" and effect.segment is None
        if not main or effect.verdict == "cannot tell" or effect.estimate is None:
            continue
        stopped = "placebo" if not doubts else None
        claimed = effect.verdict in ("raises", "lowers")
        doubts.append(_doubt(effect, random, stopped, pictured=claimed or stopped is not None))
        if stopped:
            reason = Reason("reason.placebo", (("p", 0.21),))
            effects[at] = replace(effect, verdict="cannot tell", reason=reason)
    found = replace(facts.effects, effects=tuple(effects), doubts=tuple(doubts))
    return replace(facts, effects=found)


def _doubt(
    effect: Effect, random: np.random.Generator, stopped: str | None, *, pictured: bool
) -> Doubt:
    size, se = effect.estimate or 0.0, effect.se or 1.0
    specifications = tuple(
        Specification(
            rows, groups, controls, "item_effects", size + gap, size + gap - se, size + gap + se
        )
        for rows in ("all", "random", "chosen")
        for groups in ("none", "author")
        for controls in ("knots_5", "linear", "without:author_followers", "none")
        for gap in (float(random.normal(0, 0.3 * se)),)
    )
    overlap = Overlap(
        carriers=tuple(random.dirichlet(np.ones(20)).tolist()),
        others=tuple(random.dirichlet(np.ones(20)).tolist()),
        cut=0.08,
        off_support=0.12,
        alternatives=(
            Alternative("trimmed", size, size - se, size + se, 80.0),
            Alternative("overlap", size, size - se, size + se, 90.0),
        ),
    )
    controls = ("duration_s", "hour", "popularity", slug(3))
    return Doubt(
        tag=effect.tag,
        outcome=effect.outcome,
        stopped_by=stopped,
        placebo_p=0.21 if stopped else 0.005,
        placebo_p_any=0.4,
        placebo_t=size / se,
        placebo_draws=tuple(random.normal(size=200).tolist()),
        by_q=0.04,
        simultaneous_p=0.03,
        simultaneous_low=size - 3 * se,
        simultaneous_high=size + 3 * se,
        robustness=0.31,
        robustness_interval=0.12,
        benchmark=Benchmark("duration_s", 0.05, 0.04, 4.0, 2.5),
        e_value=1.6,
        e_value_limit=1.3,
        gamma=1.8,
        pairs=120,
        negatives=(NegativeControl("next_item", 0.1 * se, -se, se, 0.9, 0.9),),
        overlap=overlap if pictured else None,
        balance=tuple(Balance(effect.tag, one, 0.3, 0.01) for one in controls) if pictured else (),
        specifications=tuple(sorted(specifications, key=lambda one: one.estimate))
        if pictured
        else (),
    )


def clicks(facts: ReportFacts) -> DoubtView:
    outcome = outcome_facts(facts)[0]
    found = doubt_view(outcome, facts.effects.doubts, tag_names())
    assert found is not None
    return found


def test_the_table_has_every_claim_and_what_stopped_it() -> None:
    facts = made_up_doubts(made_up_facts())
    view = clicks(facts)
    claims = outcome_facts(facts)[0].claimed
    assert len(view.table.rows) == len(claims) + 1
    first = view.table.rows[0]
    assert first[1] == "withdrawn: placebo"
    assert first[2] == "✗ 0.210"
    assert {row[1] for row in view.table.rows[1:]} == {"stands"}
    assert first[5] == "2.5 × duration_s"
    assert f"Of {len(claims) + 1} claims, 1 " in view.sentence
    assert len(view.tags) == MOST_TAGS


def test_without_doubts_there_is_no_block() -> None:
    facts = made_up_facts()
    assert doubt_view(outcome_facts(facts)[0], (), tag_names()) is None
    assert 'class="view doubt"' not in render_report(facts, "en")


def test_the_same_sign_is_counted() -> None:
    view = clicks(made_up_doubts(made_up_facts()))
    shares = [row[9] for row in view.table.rows]
    assert all(text.endswith("%)") for text in shares)
    assert view.tags[0].curve is not None
    assert len(view.tags[0].curve.points) == 24
    assert [len(choice.names) for choice in view.tags[0].curve.choices] == [3, 2, 4]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_is_told_in_both_languages(language: str) -> None:
    choose_language("zh" if language == "zh" else "en")
    view = clicks(made_up_doubts(made_up_facts()))
    han = any("\u4e00" <= letter <= "\u9fff" for letter in view.sentence)
    assert han == (language == "zh")
    assert view.tags[0].placebo.mark is not None
