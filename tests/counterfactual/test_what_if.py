"""What-ifs: the arithmetic holds for any edit, and every limit is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tagcf.counterfactual.answer import ask, each_tag, what_if
from tagcf.counterfactual.model import fit_response, predict
from tagcf.counterfactual.prepare import prepare
from tagcf.errors import QuestionError, UnknownNameError
from tagcf.text import choose_language
from tagcf.types import Effect, Reason, TagEffects, WhatIf

from .small import (
    CAMPING,
    HUMOUR,
    NAMES,
    NOSTALGIA,
    OUTDOOR,
    joint_fit,
    small_effects,
    small_log,
    small_ready,
    small_tags,
)

READY = small_ready()
CARRIED = READY.carried.toarray() > 0
FIT = joint_fit()

items = st.integers(0, len(CARRIED) - 1)
tags = st.sets(st.integers(0, len(NAMES) - 1).filter(lambda t: NAMES[t] != "travel"))


def put(item: int, off: list[int], on: list[int], **more: object) -> WhatIf:
    return ask(
        READY,
        item=f"i{item:03}",
        without=[NAMES[t] for t in off],
        with_=[NAMES[t] for t in on],
        **more,  # type: ignore[arg-type]
    )


def an_item(**wanted: bool) -> int:
    """Find an item that carries the named tags (True) and lacks others (False)."""
    fits = np.ones(len(CARRIED), dtype=bool)
    for name, value in wanted.items():
        fits &= CARRIED[:, NAMES.index(name)] == value
    return int(np.argmax(fits))


@given(items, tags, tags, st.sampled_from(["click", "seconds", "return_7d"]))
def test_contributions_sum_to_delta_and_the_interval_is_that_of_the_contrast(
    item: int, off: set[int], on: set[int], outcome: str
) -> None:
    on = on - off
    answer = put(item, sorted(off), sorted(on), outcome=outcome)
    total = 0.0
    for one in answer.contributions:
        total += one.delta
        assert one.ci_low <= one.delta <= one.ci_high
    assert total == answer.delta  # to the last bit
    assert answer.after == answer.before + answer.delta  # type: ignore[operator]
    fit = next(f for f in READY.effects.joint if f.outcome == outcome)
    sign = np.zeros(len(NAMES))
    sign[[t for t in off if CARRIED[item, t]]] = -1
    sign[[t for t in on if not CARRIED[item, t]]] = 1
    assert answer.delta == pytest.approx(sign @ fit.coef)
    if sign.any():
        half = stats.t.ppf(0.975, fit.df[sign != 0].min()) * np.sqrt(sign @ fit.cov @ sign)
        assert answer.ci_low == pytest.approx(answer.delta - half)
        assert answer.ci_high == pytest.approx(answer.delta + half)
    else:
        assert answer.delta == answer.ci_low == answer.ci_high == 0


@given(items, tags)
def test_edits_add_up_and_their_order_does_not_matter(item: int, off: set[int]) -> None:
    whole = put(item, sorted(off), [])
    parts = [put(item, [t], []).delta for t in off]
    assert whole.delta == pytest.approx(sum(parts))  # type: ignore[arg-type]
    turned = put(item, sorted(off, reverse=True), [])
    assert turned.delta == pytest.approx(whole.delta)
    assert turned.ci_low == pytest.approx(whole.ci_low)
    assert (turned.supported, turned.before) == (whole.supported, whole.before)


@given(items, st.integers(0, 5))
def test_putting_a_tag_on_is_the_reverse_of_taking_it_off(item: int, tag: int) -> None:
    """What an item gains by a tag that it lacks, another loses that has it."""
    twin = int(np.argmax(CARRIED[:, tag] != CARRIED[item, tag]))
    loser, winner = (item, twin) if CARRIED[item, tag] else (twin, item)
    one, other = put(loser, [tag], []), put(winner, [], [tag])
    assert one.delta == -other.delta  # type: ignore[operator]
    assert one.ci_low == pytest.approx(-other.ci_high)  # type: ignore[operator]


def test_names_of_every_kind_mean_the_same() -> None:
    item = an_item(humour=True)
    answers = [put_names(item, name) for name in ("humour", "humour中", " HUMOUR ", "a-humour")]
    assert len(set(answers)) == 1
    assert answers[0].without == ("humour",)
    assert put_names(item, "humour", "Humour").without == ("humour",)  # a repeat counts once


def put_names(item: int, *names: str) -> WhatIf:
    return ask(READY, item=f"i{item:03}", without=names)


def test_before_is_the_response_models_prediction() -> None:
    model, item = READY.model, np.array([5], np.int32)
    alone = ask(READY, item="i005", without=["humour"])
    pair = ask(READY, item="i005", user="u007", without=["humour"])
    assert alone.before == predict(model, 0, item, None).value[0]
    assert pair.before == predict(model, 0, item, np.array([7], np.int32)).value[0]
    assert pair.before != alone.before
    assert pair.delta == alone.delta  # the change comes from the causal effects alone


def test_what_if_prepares_for_itself() -> None:
    effects, matrix, model = small_effects(), small_tags(), fit_response(small_log())
    assert what_if(effects, matrix, model, item="i003", without=["pets"]) == put(3, [4], [])


@pytest.mark.parametrize(
    ("question", "error", "says"),
    [
        ({"item": "i001", "without": ["humor"]}, UnknownNameError, "Did you mean: humour"),
        ({"item": "i1", "without": ["humour"]}, UnknownNameError, 'no item "i1".*Did you mean'),
        ({"item": "i001", "user": "u9", "with_": ["pets"]}, UnknownNameError, 'no user "u9"'),
        ({"item": "i001", "outcome": "clik"}, UnknownNameError, "Did you mean: click"),
        ({"item": "i001", "without": ["pets"], "with_": ["Pets"]}, QuestionError, "at once"),
        ({"item": "i001", "outcome": "seconds", "estimand": "total"}, QuestionError, "total"),
    ],
)
def test_wrong_questions(question: dict[str, object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as raised:
        ask(READY, **question)  # type: ignore[arg-type]
    assert raised.value.exit_code == 2  # type: ignore[attr-defined]


def test_a_tag_that_is_as_asked_contributes_nothing_and_says_so() -> None:
    item = an_item(humour=False, nostalgia=True)
    off, on = put(item, [HUMOUR], []), put(item, [], [NOSTALGIA])
    for answer, says in ((off, "does not carry"), (on, "already carries")):
        assert answer.supported
        assert (answer.delta, answer.contributions[0].delta) == (0, 0)
        assert says in str(answer.reason)


def test_a_tag_that_cannot_be_told_gives_no_number() -> None:
    refusal = Reason("reason.few_items", (("n", 12), ("need", 50)))
    effects = replace(small_effects(), effects=(refused("travel", refusal),))
    ready = prepare(effects, READY.tags, READY.model)
    answer = ask(ready, item=f"i{an_item(travel=True):03}", without=["travel", "humour"])
    assert not answer.supported
    assert answer.before is not None
    assert (answer.after, answer.delta, answer.ci_low, answer.ci_high) == (None,) * 4
    assert answer.contributions == ()
    assert str(answer.reason) == (
        'The effect of "Travel" on "click" cannot be told: '
        "Items that carry it: 12; at least 50 are needed."
    )
    choose_language("zh")
    assert "travel中" in str(answer.reason)
    assert "只有 12 条" in str(answer.reason)


def refused(tag: str, reason: Reason) -> Effect:
    numbers = "estimate se ci_low ci_high p q shrunk shrunk_low shrunk_high baseline relative"
    missing = dict.fromkeys(numbers.split())
    return Effect(
        tag=tag,
        tag_zh=tag,
        tag_en=tag,
        outcome="click",
        segment=None,
        method="joint",
        estimand="direct",
        n_rows=1,
        n_items=1,
        n_treated_items=12,
        effective_items=1.0,
        rung="observational",
        verdict="cannot tell",
        reason=reason,
        **missing,  # type: ignore[arg-type]
    )


def test_a_tag_the_fit_does_not_have() -> None:
    keep = [t for t, name in enumerate(NAMES) if name != "humour"]
    shorter = replace(
        FIT,
        tags=tuple(NAMES[t] for t in keep),
        coef=FIT.coef[keep],
        cov=FIT.cov[np.ix_(keep, keep)],
        df=FIT.df[keep],
        usable=FIT.usable[keep],
    )
    ready = prepare(TagEffects((), (shorter,)), READY.tags, READY.model)
    item = f"i{an_item(humour=True, nostalgia=True):03}"
    answer = ask(ready, item=item, without=["humour"])
    assert not answer.supported
    assert answer.delta is None
    assert "No effect" in str(answer.reason)
    assert ask(ready, item=item, without=["nostalgia"]).delta == -FIT.coef[NOSTALGIA]


def test_nan_coefficients_are_refused_even_if_called_usable() -> None:
    coef = FIT.coef.copy()
    coef[HUMOUR] = np.nan
    ready = prepare(TagEffects((), (replace(FIT, coef=coef),)), READY.tags, READY.model)
    answer = ask(ready, item=f"i{an_item(humour=True):03}", without=["humour"])
    assert (answer.supported, answer.delta) == (False, None)
    assert ask(ready, item="i000", with_=["rare"]).delta is not None


def test_an_effect_that_leaves_the_possible_range_is_not_supported() -> None:
    big = replace(FIT, coef=np.full(len(NAMES), 0.9))
    ready = prepare(TagEffects((), (big,)), READY.tags, READY.model)
    answer = ask(ready, item=f"i{an_item(humour=True):03}", without=["humour"])
    assert not answer.supported
    assert answer.after == answer.before + answer.delta  # type: ignore[operator]
    assert answer.after < 0  # type: ignore[operator]
    assert "possible range" in str(answer.reason)


def test_a_derived_outcome_starts_from_the_average() -> None:
    answer = put(an_item(humour=True), [HUMOUR], [], outcome="return_7d")
    assert answer.supported
    assert answer.before == 0.4
    assert "average" in str(answer.reason)


def test_total_effects_of_a_tag_and_its_parent_are_not_added() -> None:
    item = an_item(camping=True, outdoor=True)
    answer = put(item, [CAMPING, OUTDOOR], [], estimand="total")
    assert not answer.supported
    assert answer.delta is None
    assert "overlap" in str(answer.reason)
    direct = put(item, [CAMPING, OUTDOOR], [])
    assert direct.supported
    # Total effects come from fits of their own, whose covariance nobody knows.
    apart = put(an_item(humour=True, nostalgia=True), [HUMOUR, NOSTALGIA], [], estimand="total")
    quantile = stats.t.ppf(0.975, FIT.df[[HUMOUR, NOSTALGIA]].min())
    widest = quantile * np.sqrt(np.diag(FIT.cov))[[HUMOUR, NOSTALGIA]].sum()
    assert apart.ci_high - apart.delta == pytest.approx(widest)  # type: ignore[operator]


def test_each_tag_in_turn() -> None:
    item = an_item(humour=True, nostalgia=True)
    answers = each_tag(READY, item=f"i{item:03}")
    assert [one.without for one in answers] == [(NAMES[t],) for t in np.nonzero(CARRIED[item])[0]]


def test_an_item_of_the_log_without_tags() -> None:
    few = small_tags()
    ready = prepare(
        small_effects(),
        replace(
            few,
            items=replace(few.items, ids=few.items.ids.slice(0, 10)),
            strength=few.strength[:10],
            confidence=few.confidence[:10],
            source=few.source[:10],
        ),
        READY.model,
    )
    answer = ask(ready, item="i300", with_=["humour"])
    assert answer.delta == FIT.coef[HUMOUR]
    assert answer.before == ask(READY, item="i300", with_=["humour"]).before
    assert each_tag(ready, item="i300") == ()
