"""The recommender's own impressions and return: against brute force, and where they mislead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.dose.chosen import beyond_usual, both_ways
from tagcf.effects.dose.model import fit_dose, make_doses, shared_error
from tagcf.effects.dose.periods import DAY, Periods, gather_periods
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.linear.design import survey
from tagcf.effects.methods import Joint
from tagcf.effects.task import Question
from tagcf.types import Effect, EventLog, Floats, Outcome, TagMatrix

MIDNIGHT = 19_700 * DAY
RETURN = Outcome("back", "binary", derive="return", days=7, period_days=7)
TAGS, WEEKS = 12, 6
EFFECT = np.array([0.03, -0.03, *np.zeros(TAGS - 2)])


def platform(
    seed: int,
    *,
    mood: float = 0.0,
    users: int = 1_200,
    random_share: float = 0.3,
    drift: float = 0.0,
    own: float = 0.0,
    n_items: int = 200,
) -> tuple[EventLog, TagMatrix]:
    """Users who are shown what they like and return by what they like, beside the tags' effects.

    With `mood`, a good week brings a user back and shows him more of the second half of the tags;
    with `drift`, feeds turn to the third tag week by week; `own` is the spread of what items
    themselves do.
    """
    rng = np.random.default_rng(seed)
    carried = (rng.random((n_items, TAGS)) < 0.3).astype(float)
    item_effect = own * rng.normal(size=n_items)
    taste = rng.normal(size=(users, TAGS))
    there = np.ones(users, dtype=bool)
    parts: list[tuple[np.ndarray, ...]] = []
    for week in range(WEEKS):
        good = rng.normal(size=users)
        drawn = taste * 0.5
        drawn[:, TAGS // 2 :] += mood * good[:, None]
        drawn[:, 2] += drift * (week / WEEKS - 0.5)
        chance = np.exp(drawn @ (carried - 0.3).T)
        ladder = np.cumsum(chance / chance.sum(axis=1, keepdims=True), axis=1)
        count = (rng.poisson(8, users) + 1) * there
        user = np.repeat(np.arange(users), count)
        random = rng.random(user.size) < random_share
        chosen = (ladder[user] < rng.random(user.size)[:, None]).sum(axis=1).clip(0, n_items - 1)
        item = np.where(random, rng.integers(0, n_items, user.size), chosen)
        dose = np.zeros(users)
        np.add.at(dose, user, (carried[item] - 0.3) @ EFFECT + item_effect[item])
        # Who likes the first tags returns anyway: tastes for them go with return.
        base = 0.6 + 0.08 * np.tanh(taste[:, :4].sum(axis=1)) + mood * 0.1 * np.tanh(good)
        parts.append((user, item, np.full(user.size, week), random))
        there = rng.random(users) < np.clip(base + dose, 0.02, 0.98)
    user, item, week, random = (np.concatenate(one) for one in zip(*parts, strict=True))
    log = log_from_arrays(
        user=user,
        item=item,
        ts=MIDNIGHT + 7 * DAY * (week + rng.random(user.size)),
        randomized=random,
        outcomes={"x": np.arange(user.size) % 2.0},
        derived=(RETURN,),
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    return log, tags_from_arrays(log.items, carried[order], [f"t{at}" for at in range(TAGS)])


def told(log: EventLog, tags: TagMatrix, using: Joint) -> list[Effect]:
    question = Question(outcomes=("back",), min_items=15)
    return list(estimate_effects(log, tags, using, question).effects)


def numbers(effects: list[Effect]) -> tuple[Floats, Floats]:
    estimate = np.array([one.estimate for one in effects], dtype=np.float64)
    return estimate, np.array([one.se for one in effects], dtype=np.float64)


def chosen_periods(log: EventLog) -> Periods:
    return gather_periods(log, RETURN, survey(log, None), shown="chosen")


def test_counts_of_random_and_chosen_rows_are_all_rows() -> None:
    log, _ = platform(1, users=60)
    seen = survey(log, None)
    random = gather_periods(log, RETURN, seen)
    every = gather_periods(log, RETURN, seen, shown="any")
    both = random.counts + chosen_periods(log).counts
    np.testing.assert_array_equal(both.toarray(), every.counts.toarray())


def test_instrument_is_the_dose_beyond_the_users_earlier_periods() -> None:
    log, tags = platform(2, users=150)
    periods = chosen_periods(log)
    held = tags.carried().toarray().astype(float)
    counts = periods.counts.toarray()
    by_hand = np.zeros_like(counts)
    for at, (user, period) in enumerate(zip(periods.user, periods.period, strict=True)):
        before = counts[(periods.user == user) & (periods.period < period)]
        if before.sum() > 0:
            share = before.sum(axis=0) / before.sum()
            by_hand[at] = counts[at] - counts[at].sum() * share
    moved = beyond_usual(periods)
    np.testing.assert_allclose(moved.toarray(), by_hand, atol=1e-12)
    fit = fit_dose(make_doses(log, held, periods, moved), np.ones(TAGS, dtype=bool))
    week = (periods.period[:, None] == np.arange(WEEKS - 1)).astype(float)
    number = counts.sum(axis=1)[:, None]
    controls = np.hstack([week, week * number, week * number**2])
    shown = counts.sum(axis=0)
    centred = held - shown @ held / shown.sum()
    z = by_hand @ centred
    z = z - controls @ np.linalg.lstsq(controls, z, rcond=None)[0]
    expected = np.linalg.solve(z.T @ (counts @ centred), z.T @ periods.returned)
    np.testing.assert_allclose(fit.coef, expected, rtol=1e-6)


def test_tastes_that_go_with_return_do_not_bias_it() -> None:
    """Against the plain slope on chosen doses, which they do bias."""
    within, plain = [], []
    for seed in range(12):
        log, tags = platform(10 + seed)
        held, periods = tags.carried().toarray().astype(float), chosen_periods(log)
        every = np.ones(TAGS, dtype=bool)
        for found, doses in (
            (within, make_doses(log, held, periods, beyond_usual(periods))),
            (plain, make_doses(log, held, periods)),
        ):
            fit = fit_dose(doses, every)
            found.append((fit.coef - EFFECT) / np.sqrt(np.diag(fit.cov)))
    liked = slice(0, 4)
    assert np.abs(np.mean(plain, axis=0)[liked]).min() > 1.0
    assert np.abs(np.mean(within, axis=0)).max() < 1.0
    assert np.mean(np.abs(within) < 2.0) > 0.9


def test_neither_drifting_feeds_nor_survival_pass_for_an_effect() -> None:
    """Users who leave for good, and a tag that feeds turn to: against the usual of all periods."""
    own, whole = [], []
    for seed in range(8):
        log, tags = platform(70 + seed, drift=3.0, users=1_500, random_share=0.1)
        held, periods = tags.carried().toarray().astype(float), chosen_periods(log)
        every = np.ones(TAGS, dtype=bool)
        for found, moved in (
            (own, beyond_usual(periods)),
            (whole, beyond_usual_of_all_periods(periods)),
        ):
            fit = fit_dose(make_doses(log, held, periods, moved), every)
            found.append((fit.coef - EFFECT) / np.sqrt(np.diag(fit.cov)))
    assert np.abs(np.mean(whole, axis=0)).max() > 2.0  # a null tag, surely told
    assert np.abs(np.mean(own, axis=0)).max() < 1.0
    assert np.mean(np.abs(own) < 2.0) > 0.9


def beyond_usual_of_all_periods(periods: Periods) -> sparse.csr_array:
    counts = periods.counts.toarray()
    users = np.eye(int(periods.user.max()) + 1)[:, periods.user]
    usual = users @ counts / np.maximum(users @ counts.sum(axis=1), 1.0)[:, None]
    return sparse.csr_array(counts - counts.sum(axis=1)[:, None] * usual[periods.user])


def test_items_shown_both_ways_share_their_errors() -> None:
    """Items' own effects enter both answers; without the covariance intervals are too short."""
    apart, shares = [], []
    for seed in range(24):
        log, tags = platform(90 + seed, own=0.03, n_items=60, users=1_500)
        held, seen = tags.carried().toarray().astype(float), survey(log, None)
        periods, every = gather_periods(log, RETURN, seen), np.ones(TAGS, dtype=bool)
        ways = both_ways(log, RETURN, seen, held, periods, fused=True)
        assert ways.chosen is not None
        random, chosen = fit_dose(ways.random, every), fit_dose(ways.chosen, every)
        shared = shared_error((ways.random, random), (ways.chosen, chosen))
        apart.append((random.coef - EFFECT) * (chosen.coef - EFFECT))
        shares.append(np.diag(shared))
    assert np.mean(shares) > 0
    assert 0.5 < np.mean(shares) / np.mean(apart) < 1.5


def test_both_ways_are_more_precise_and_still_cover() -> None:
    covered, narrower = [], []
    for seed in range(8):
        log, tags = platform(30 + seed)
        fused, random = (told(log, tags, Joint(rows=rows)) for rows in ("auto", "random"))
        estimate, se = numbers(fused)
        covered.append(np.abs(estimate - EFFECT) < 2.0 * se)
        narrower.append(np.median(se / numbers(random)[1]))
        assert {one.diagnostics["rows"] for one in fused} == {"random+chosen"}
        assert {one.diagnostics["rows"] for one in random} == {"random"}
    assert np.mean(covered) > 0.92
    assert np.mean(narrower) < 0.9


def test_moods_that_bring_back_and_choose_show_in_the_learned_bias() -> None:
    weight = {}
    for mood in (0.0, 2.0):
        effects = told(*platform(50, mood=mood, users=6_000, random_share=0.4), Joint())
        weight[mood] = max(float(one.diagnostics["chosen_weight"] or 0.0) for one in effects)
        estimate, se = numbers(effects)
        assert np.mean(np.abs(estimate - EFFECT) < 2.5 * se) > 0.9
    assert weight[2.0] < 0.7 * weight[0.0]


def test_a_log_that_is_all_random_has_nothing_to_fuse() -> None:
    log, tags = platform(3, users=200, random_share=1.0)
    seen = survey(log, None)
    held, periods = tags.carried().toarray().astype(float), gather_periods(log, RETURN, seen)
    assert both_ways(log, RETURN, seen, held, periods, fused=True).chosen is None
    found = told(log, tags, Joint())
    assert found == [replace(one) for one in told(log, tags, Joint(rows="random"))]


def test_few_tags_are_told_by_random_rows_alone() -> None:
    log, tags = platform(4, users=300)
    held = tags.carried().toarray()[:, :5]
    few = tags_from_arrays(log.items, held, [f"t{at}" for at in range(5)])
    assert {one.diagnostics["rows"] for one in told(log, few, Joint())} == {"random"}


def test_users_are_drawn_where_chosen_rows_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    log, _ = platform(5, users=800)
    whole = chosen_periods(log)
    monkeypatch.setattr("tagcf.effects.dose.periods.MOST_CHOSEN", log.n_rows)
    some = chosen_periods(log)
    assert some.counts.sum() < 0.4 * whole.counts.sum()
    kept = np.asarray(some.counts.sum(axis=1)).ravel() > 0
    users = np.unique(some.user[kept])
    at = np.isin(whole.user, users)
    np.testing.assert_array_equal(whole.counts[at].toarray(), some.counts[at].toarray())
