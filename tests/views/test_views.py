"""View-models against the made-up effects they are built from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tagcf.doubts import Balance
from tagcf.text import choose_language
from tagcf.types import TagEffects
from tagcf.views.balance import balance_view
from tagcf.views.contrast import contrast_view
from tagcf.views.facts import OutcomeFacts, ReportFacts, outcome_facts
from tagcf.views.forest import MOST_ROWS, forest_view
from tagcf.views.method import method_view
from tagcf.views.report import report_view
from tagcf.views.segments import segments_view
from tagcf.views.sentences import verdict
from tagcf.views.truth import covers, truth_view
from tagcf.views.waterfall import waterfall_view

from .made_up import OUTCOMES, made_up_facts, tag_names, what_ifs


@pytest.fixture
def facts() -> ReportFacts:
    return made_up_facts()


@pytest.fixture
def click(facts: ReportFacts) -> OutcomeFacts:
    return outcome_facts(facts)[0]


def test_outcomes_come_in_the_order_of_the_settings(facts: ReportFacts) -> None:
    outcomes = outcome_facts(facts)
    assert [outcome.name for outcome in outcomes] == [one.name for one in OUTCOMES]
    assert [outcome.scale.points for outcome in outcomes] == [True, True, False, True, True]
    assert {outcome.method for outcome in outcomes} == {"joint"}


def test_an_outcome_stands_on_the_weakest_of_its_rungs(facts: ReportFacts) -> None:
    first, *rest = facts.effects.effects
    weaker = replace(facts.effects, effects=(replace(first, rung="observational"), *rest))
    assert outcome_facts(replace(facts, effects=weaker))[0].rung == "observational"


def test_the_verdict_counts_what_the_effects_say(click: OutcomeFacts) -> None:
    said = verdict(click)
    kinds = [effect.verdict for effect in click.main]
    assert f"{kinds.count('raises')} tags raise click" in said.headline
    assert f"{kinds.count('lowers')} lower it" in said.headline
    assert f"{kinds.count('no clear effect')} show no clear effect" in said.headline
    assert f"{kinds.count('cannot tell')} cannot be told" in said.headline
    assert "on too few items" in said.headline
    assert "within author" in said.standing
    assert "false discovery rate held at 10%" in said.standing


def test_what_is_promised_is_the_shrunken_interval(click: OutcomeFacts) -> None:
    claims = {claim.tag: claim for group in verdict(click).claims for claim in group.named}
    assert claims
    for effect in click.claimed:
        if effect.tag in claims:
            shown = claims[effect.tag]
            assert shown.effect == click.scale.change(effect.shrunk)
            assert shown.interval == click.scale.interval(effect.shrunk_low, effect.shrunk_high)
            assert shown.effect in verdict(click).sentence


def test_a_size_that_may_be_nothing_is_not_promised(click: OutcomeFacts) -> None:
    sure = next(effect for effect in click.main if effect.verdict == "raises")
    shaky = replace(sure, tag="shaky", shrunk=0.01, shrunk_low=-0.001, shrunk_high=0.021)
    [group] = verdict(replace(click, main=(sure, shaky))).claims
    assert {claim.tag: claim.caution for claim in group.named} == {
        sure.tag: "",
        "shaky": "direction only",
    }


def test_one_tag_is_spoken_of_as_one(click: OutcomeFacts) -> None:
    one = next(effect for effect in click.main if effect.verdict == "raises")
    assert verdict(replace(click, main=(one,))).headline == (
        "1 tag raises click; none was found to lower it."
    )


def test_no_claim_is_said_plainly(click: OutcomeFacts) -> None:
    null = tuple(e for e in click.main if e.verdict == "no clear effect")
    said = verdict(replace(click, main=null))
    assert said.headline.startswith("No tag shows a clear effect on click.")
    assert said.claims == ()


def test_chinese_has_its_own_sentence(facts: ReportFacts) -> None:
    choose_language("zh")
    said = verdict(outcome_facts(facts)[0])
    assert "个标签提升点击" in said.headline
    assert "同作者比较" in said.standing
    assert "个百分点" in said.claims[0].named[0].effect


def test_the_forest_shows_the_strongest_and_lists_all() -> None:
    click = outcome_facts(made_up_facts(300))[0]
    view = forest_view(click)
    assert view.chart is not None
    assert len(view.chart.rows) == MOST_ROWS
    assert len(view.table.rows) == 300
    assert "270" in view.note
    centres = [row.marks[0].at for row in view.chart.rows]
    assert centres == sorted(centres, reverse=True)
    shown = {row.name for row in view.chart.rows}
    strongest = max(click.claimed, key=lambda e: abs(e.estimate / e.se))
    assert strongest.tag_en in shown
    low, high = view.chart.domain
    assert low < min(centres) <= max(centres) < high


def test_refused_tags_do_not_crowd_out_the_told(click: OutcomeFacts) -> None:
    hopeless = tuple(
        replace(e, tag=f"no-{k}", verdict="cannot tell", estimate=90.0, ci_low=-9e3, ci_high=9e3)
        for k, e in enumerate(click.main)
        if e.estimate is not None
    )
    chart = forest_view(replace(click, main=click.main + hopeless)).chart
    assert chart is not None
    assert sum(row.tone == "unknown" for row in chart.rows) == 4
    assert chart.domain[1] < 1


def test_numbers_are_as_fine_as_the_claims(facts: ReportFacts) -> None:
    vague = tuple(
        e if e.verdict in ("raises", "lowers") else replace(e, ci_low=-0.5, ci_high=0.5)
        for e in facts.effects.effects
    )
    vaguer = replace(facts, effects=replace(facts.effects, effects=vague))
    assert outcome_facts(vaguer)[0].scale == outcome_facts(facts)[0].scale


def test_a_log_without_users_and_with_weights_says_so(facts: ReportFacts) -> None:
    bare = replace(facts, effects=replace(facts.effects, n_users=1), n_impressions=9_000_000)
    shown = {term.term: term.text for term in report_view(bare).facts}
    assert "Users" not in shown
    assert shown["Impressions"] == "9,000,000"


def test_colour_is_never_alone(click: OutcomeFacts) -> None:
    chart = forest_view(click).chart
    assert chart is not None
    shapes = {row.tone: row.marks[0].shape for row in chart.rows}
    assert shapes["raises"] == "up"
    assert shapes["lowers"] == "down"
    assert len(set(shapes.values())) == len(shapes)


def test_a_tag_without_an_estimate_is_in_the_table_with_its_reason(click: OutcomeFacts) -> None:
    silent = next(effect for effect in click.main if effect.estimate is None)
    view = forest_view(click)
    row = next(row for row in view.table.rows if row[0].startswith(silent.tag_en))
    assert row[1] == "cannot tell"
    assert row[2] == ""
    assert row[-1] == "Items that carry it: 12; at least 50 are needed."
    assert silent.tag_en not in {shown.name for shown in view.chart.rows}


def test_refused_everywhere_leaves_no_chart(click: OutcomeFacts) -> None:
    silent = tuple(effect for effect in click.main if effect.estimate is None)
    view = forest_view(replace(click, main=silent))
    assert view.chart is None
    assert len(view.table.rows) == len(silent)


def test_the_contrast_counts_flips(click: OutcomeFacts) -> None:
    view = contrast_view(click)
    told = [e for e in click.main if e.verdict != "cannot tell"]
    flips = sum(e.estimate * click.naive[e.tag].estimate < 0 for e in told)
    outside = sum(not e.ci_low <= click.naive[e.tag].estimate <= e.ci_high for e in told)
    assert f"Of {len(told)} tags, {flips} change sign" in view.sentence
    assert f"for {outside} the naive number lies outside" in view.sentence
    assert contrast_view(replace(click, naive={})) is None


def test_the_truth_counts_coverage(facts: ReportFacts, click: OutcomeFacts) -> None:
    known = {row.tag: row.effect for row in facts.truth if row.outcome == "click"}
    told = [e for e in click.main if e.verdict != "cannot tell"]
    inside = sum(covers(e, known[e.tag]) for e in told)
    naive = sum(covers(click.naive[e.tag], known[e.tag]) for e in told)
    view = truth_view(click, facts.truth)
    assert f"{inside} of {len(told)} intervals contain the truth" in view.sentence
    assert f"naive intervals {naive} of {len(told)} do" in view.sentence
    crosses = [point for point in view.adjusted.points if point.shape == "cross"]
    assert len(crosses) == len(told) - inside


def test_the_truth_is_shown_for_simulated_platforms_only(facts: ReportFacts) -> None:
    assert report_view(facts).outcomes[0].truth is not None
    assert report_view(replace(facts, simulated=False)).outcomes[0].truth is None


def test_the_love_plot_keeps_the_worst_control_of_each_tag() -> None:
    rows = (
        Balance("a", "hour", 0.05, 0.02),
        Balance("a", "duration_s", -0.4, 0.03),
        Balance("b", "a", 0.2, -0.15),
    )
    view = balance_view(rows, {"a": ("甲", "A"), "b": ("乙", "B")}, frozenset("b"))
    assert "2 exceed 0.1" in view.sentence
    assert "1 after it" in view.sentence
    assert "Much of it remains" in view.sentence
    assert view.table.rows == (
        ("A", "0.400", "duration_s", "0.030", "duration_s"),
        ("B", "0.200", "A", "0.150", "A"),
    )
    assert view.chart.guides == (0.1,)
    assert balance_view((), {}, frozenset()) is None


def test_a_waterfall_adds_up(click: OutcomeFacts) -> None:
    answer = what_ifs()[1]
    view = waterfall_view(answer, click, tag_names(), "", "demo")
    assert view.question == "What if it had no Cute pets, Light humour?"
    assert view.title == "Item v77"
    assert view.command.startswith("tagcf whatif demo --item v77 --without tag-0 --without tag-3")
    assert "13.1" in view.sentence
    bars = [row.spans[0] for row in view.chart.rows[1:-1]]
    assert bars[0].low == pytest.approx(answer.before)
    assert bars[0].high == pytest.approx(bars[1].low)
    assert bars[-1].high == pytest.approx(answer.after)
    assert view.chart.rows[-1].marks[0].at == answer.after


def test_an_unsupported_what_if_says_stop(click: OutcomeFacts) -> None:
    view = waterfall_view(what_ifs()[2], click, tag_names(), "A title", "demo")
    assert view.title == "“A title” (Item v3)"
    assert not view.supported
    assert "do not act on it: Items without it: 3" in view.sentence
    silent = replace(what_ifs()[2], before=None, after=None, delta=None)
    bare = waterfall_view(silent, click, tag_names(), "A title", "demo")
    assert bare.chart is None
    assert bare.sentence.startswith("Items without it: 3")


def test_segments_are_grouped_by_tag(click: OutcomeFacts) -> None:
    view = segments_view(click)
    assert len(view.table.rows) == 36
    headings = [row.name for row in view.chart.rows if row.heading]
    assert headings
    assert len(view.chart.rows) == 4 * len(headings)
    assert segments_view(replace(click, by_segment=())) is None


def test_limits_follow_the_rung(facts: ReportFacts) -> None:
    outcomes = outcome_facts(facts)
    limits = method_view(facts, outcomes).limits
    assert limits[0].startswith("The data is simulated")
    assert any("Unmeasured factors" in limit for limit in limits)
    randomised = tuple(replace(outcome, rung="within-stratum") for outcome in outcomes)
    limits = method_view(replace(facts, simulated=False), randomised).limits
    assert not any("Unmeasured factors" in limit for limit in limits)


def test_each_refused_tag_is_listed_once(facts: ReportFacts) -> None:
    refused = method_view(facts, outcome_facts(facts)).refused
    tags = {e.tag for e in facts.effects.effects if e.verdict == "cannot tell"}
    assert len(refused.rows) == len(tags)
    assert {row[1] for row in refused.rows} == {"all"}


def test_naive_numbers_alone_claim_nothing(facts: ReportFacts) -> None:
    naive = tuple(e for e in facts.effects.effects if e.method == "naive")
    view = report_view(replace(facts, effects=TagEffects(naive, n_rows=1, n_items=1, n_users=1)))
    assert view.outcomes[0].verdict.standing.startswith("Only a naive comparison exists")
    assert view.outcomes[0].badge is None
    assert view.outcomes[0].forest.chart is None
