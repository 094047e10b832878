"""The block of doubt in the report, from made-up doubts."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tagcf.doubts import (
    Alternative,
    Balance,
    Benchmark,
    Doubt,
    NegativeControl,
    Overlap,
    Specification,
)
from tagcf.text import choose_language
from tagcf.types import Effect, Reason
from tagcf.views.doubt import MOST_TAGS, DoubtView, doubt_view
from tagcf.views.doubt_checks import CHECKS, state_of
from tagcf.views.facts import ReportFacts, outcome_facts
from tagcf.views.page import render_report, with_code
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
    assert len(view.claims) == len(claims) + 1
    first = view.claims[0]
    assert (first.result, first.state) == ("withdrawn: a random tag does as well", "withdrawn")
    assert first.cells[CHECKS.index("placebo")] == "✗ 0.210"
    assert "p = 0.21" in first.why
    assert {claim.result for claim in view.claims[1:]} == {"stands"}
    assert first.cells[CHECKS.index("benchmark")] == "2.5 times `duration_s`"
    assert f"{len(claims) + 1} claims were checked: {len(claims)} stand; 1 was" in view.sentence
    assert len(view.tags) == MOST_TAGS


def test_without_doubts_there_is_no_block() -> None:
    facts = made_up_facts()
    assert doubt_view(outcome_facts(facts)[0], (), tag_names()) is None
    assert 'class="view doubt"' not in render_report(facts, "en")


def test_the_same_sign_is_counted() -> None:
    view = clicks(made_up_doubts(made_up_facts()))
    shares = [claim.cells[CHECKS.index("same_sign")] for claim in view.claims]
    assert all(re.fullmatch(r"\d+% agree, \d+% clear of\s0", text) for text in shares)
    assert view.tags[0].curve is not None
    assert len(view.tags[0].curve.points) == 24
    assert [len(choice.names) for choice in view.tags[0].curve.choices] == [3, 2, 4]
    assert view.tags[0].table is not None
    assert len(view.tags[0].table.columns) == 5, "weights never differ and have no column"


def with_signs(doubt: Doubt, effect: Effect, same: float, clear: float) -> Doubt:
    """Give a doubt 100 specifications of which these shares agree, and are clear of zero."""
    side = 1.0 if (effect.estimate or 0.0) > 0 else -1.0
    made = tuple(
        Specification(
            *("all", "none", "linear", "rows"),
            estimate=side * (1.0 if at < 100 * same else -1.0),
            ci_low=side - 0.5 if at < 100 * clear else -9.0,
            ci_high=side + 0.5 if at < 100 * clear else 9.0,
        )
        for at in range(100)
    )
    return replace(doubt, specifications=made)


@pytest.mark.parametrize(
    ("same", "clear", "state"),
    [(1.0, 1.0, "stands"), (0.8, 0.5, "stands"), (0.79, 0.79, "depends"), (0.9, 0.49, "depends")],
)
def test_a_claim_on_which_choices_disagree_depends_on_them(
    same: float, clear: float, state: str
) -> None:
    facts = made_up_doubts(made_up_facts())
    effect = outcome_facts(facts)[0].claimed[0]
    doubt = next(one for one in facts.effects.doubts if one.tag == effect.tag)
    assert state_of(effect, with_signs(doubt, effect, same, clear)) == state


def test_the_sentence_counts_what_depends_on_choices() -> None:
    facts = made_up_doubts(made_up_facts())
    effect = outcome_facts(facts)[0].claimed[0]
    doubts = tuple(
        with_signs(one, effect, 0.67, 0.5) if one.tag == effect.tag else one
        for one in facts.effects.doubts
    )
    view = doubt_view(outcome_facts(facts)[0], doubts, tag_names())
    assert view is not None
    assert "1 stands, but depends on choices" in view.sentence
    told = next(claim for claim in view.claims if claim.state == "depends")
    assert "only 67% agree in direction; 50% are clear of 0" in told.why
    assert told.tone == effect.verdict, "the direction keeps its own mark"
    assert [claim.state for claim in view.claims][:2] == ["withdrawn", "depends"]


@pytest.mark.parametrize(
    ("p", "written"), [(1 / 201, "≤ 0.005"), (2 / 201, "0.010"), (0.2, "✗ 0.200")]
)
def test_no_p_is_told_below_what_the_permutations_can_show(p: float, written: str) -> None:
    facts = made_up_doubts(made_up_facts())
    effect = outcome_facts(facts)[0].claimed[0]
    doubt = next(one for one in facts.effects.doubts if one.tag == effect.tag)
    doubt = replace(doubt, placebo_p=p)
    view = doubt_view(outcome_facts(facts)[0], (doubt,), tag_names())
    assert view is not None
    assert view.claims[0].cells[0].replace("\N{NO-BREAK SPACE}", " ") == written
    assert f"p {'= ' * (written[0] != '≤')}{written.removeprefix('✗ ')}" in view.tags[
        0
    ].placebo_note.replace("\N{NO-BREAK SPACE}", " ")


def test_what_is_balanced_by_construction_is_not_drawn() -> None:
    facts = made_up_doubts(made_up_facts())
    effect = outcome_facts(facts)[0].claimed[0]
    doubt = next(one for one in facts.effects.doubts if one.tag == effect.tag)
    after = {"popularity": -0.12, "hour": 0.05}
    found = tuple(replace(one, after=after.get(one.control, 1e-12)) for one in doubt.balance)
    outcome = outcome_facts(facts)[0]
    both = doubt_view(outcome, (replace(doubt, balance=found),), tag_names())
    assert both is not None
    drawn = both.tags[0].balance
    assert drawn is not None
    assert len(drawn.rows) == 2
    found = tuple(replace(one, after=0.0) if one.control == "hour" else one for one in found)
    one = doubt_view(outcome, (replace(doubt, balance=found),), tag_names())
    assert one is not None
    assert one.tags[0].balance is None
    assert "The 3 controls and tags in the model" in one.tags[0].balance_note
    assert "popularity: 0.30 standard deviations apart" in one.tags[0].balance_note
    assert one.tags[0].balance_table is not None
    assert len(one.tags[0].balance_table.rows) == 4


def test_the_curve_fits_its_data_and_points_to_a_far_zero() -> None:
    facts = made_up_doubts(made_up_facts())
    effect = outcome_facts(facts)[0].claimed[0]
    doubt = next(one for one in facts.effects.doubts if one.tag == effect.tag)
    for shift, inside in ((10.0, False), (0.0, True)):
        moved = tuple(
            replace(one, estimate=shift + at, ci_low=shift + at - 1, ci_high=shift + at + 1)
            for at, one in enumerate(doubt.specifications[:5])
        )
        view = doubt_view(
            outcome_facts(facts)[0], (replace(doubt, specifications=moved),), tag_names()
        )
        assert view is not None
        curve = view.tags[0].curve
        assert curve is not None
        assert (curve.domain[0] <= 0 <= curve.domain[1]) == inside
        assert curve.zero == ("" if inside else "0 is below, out of view ↓")


def test_raw_columns_are_set_as_code_and_escaped() -> None:
    assert with_code("2 × `a<b` & c") == "2 × <code>a&lt;b</code> &amp; c"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_is_told_in_both_languages(language: str) -> None:
    choose_language("zh" if language == "zh" else "en")
    view = clicks(made_up_doubts(made_up_facts()))
    han = any("\u4e00" <= letter <= "\u9fff" for letter in view.sentence)
    assert han == (language == "zh")
    assert view.tags[0].placebo.mark is not None
