"""Return by doses of random impressions: against brute force, and where the truth is nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.dose.model import DoseFit, fit_dose, gather_periods, make_doses
from tagcf.effects.dose.periods import DAY, Periods, inverse_weights, observed_until
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.linear.design import survey
from tagcf.effects.methods import Joint, Naive
from tagcf.effects.task import Question
from tagcf.types import Effect, EventLog, Outcome, TagMatrix

MIDNIGHT = 19_700 * DAY
RETURN = Outcome("back", "binary", derive="return", days=7, period_days=7)
Given = dict[str, Any]


def shown(
    seed: int, *, users: int = 300, items: int = 120, weeks: int = 5, tags: int = 2
) -> tuple[Given, np.ndarray]:
    """Users who come back by chance, shown items at random."""
    random = np.random.default_rng(seed)
    carried = (random.random((items, tags)) < 0.4).astype(float)
    there, user, week = np.ones(users, dtype=bool), [], []
    for at in range(weeks):
        count = (random.poisson(5, users) + 1) * there
        user.append(np.repeat(np.arange(users), count))
        week.append(np.full(count.sum(), at))
        there = random.random(users) < 0.6
    who, when = np.concatenate(user), np.concatenate(week)
    given: Given = {
        "user": who,
        "item": random.integers(0, items, who.size),
        "ts": MIDNIGHT + 7 * DAY * (when + random.random(who.size)),
        "randomized": np.ones(who.size, dtype=bool),
    }
    return given, carried


def log_of(given: Given, carried: np.ndarray) -> tuple[EventLog, TagMatrix]:
    n = np.size(given["item"])
    rest: Given = {"outcomes": {"x": np.arange(n) % 2.0}, "derived": (RETURN,)}
    log = log_from_arrays(**(rest | given))
    order = [int(log.items[at]) for at in range(len(log.items))]
    names = [f"t{at}" for at in range(carried.shape[1])]
    return log, tags_from_arrays(log.items, carried[order], names)


def effects(
    given: Given, carried: np.ndarray, using: Joint | Naive | None = None, **asked: object
) -> list[Effect]:
    question = Question(**({"outcomes": ("back",), "min_items": 15} | asked))  # type: ignore[arg-type]
    return list(estimate_effects(*log_of(given, carried), using, question).effects)


def number(effect: Effect, name: str) -> float:
    value = effect.diagnostics[name]
    assert isinstance(value, float)
    return value


def fitted(given: Given, carried: np.ndarray) -> tuple[DoseFit, Periods, np.ndarray]:
    log, tags = log_of(given, carried)
    periods = gather_periods(log, RETURN, survey(log, None))
    held = tags.carried().toarray().astype(float)
    return fit_dose(make_doses(log, held, periods), np.ones(2, dtype=bool)), periods, held


def controls_by_hand(periods: Periods) -> np.ndarray:
    n = np.asarray(periods.counts.sum(axis=1)).ravel()
    dummies = (periods.period[:, None] == np.arange(periods.period.max() + 1)).astype(float)
    return np.hstack([dummies, dummies * n[:, None], dummies * n[:, None] ** 2])


def test_is_least_squares_on_recentred_doses() -> None:
    fit, periods, carried = fitted(*shown(1))
    assert periods.weighted is periods.counts
    dose = periods.counts @ (carried - carried.mean(axis=0))
    by_hand = np.linalg.lstsq(
        np.hstack([dose, controls_by_hand(periods)]), periods.returned, rcond=None
    )[0]
    np.testing.assert_allclose(fit.coef, by_hand[:2], rtol=1e-8)


def test_equal_chances_weigh_nothing() -> None:
    given, carried = shown(1)
    plain = fitted(given, carried)[0]
    logged = fitted(given | {"propensity": np.full(np.size(given["item"]), 1 / 120)}, carried)[0]
    np.testing.assert_array_equal(plain.coef, logged.coef)
    np.testing.assert_array_equal(plain.cov, logged.cov)


def test_unequal_chances_make_the_weighted_sum_the_instrument() -> None:
    given, carried = shown(2)
    chance = np.random.default_rng(0).choice([1 / 60, 1 / 240], np.size(given["item"]))
    fit, periods, held = fitted(given | {"propensity": chance}, carried)
    weight = np.asarray(periods.weighted.sum(axis=0)).ravel()
    centred = held - weight @ held / weight.sum()
    controls = controls_by_hand(periods)
    projection = controls @ np.linalg.pinv(controls)
    z = periods.weighted @ centred
    z = z - projection @ z
    by_hand = np.linalg.solve(z.T @ (periods.counts @ centred), z.T @ periods.returned)
    np.testing.assert_allclose(fit.coef, by_hand, rtol=1e-7)
    assert periods.effective_rows < 0.9 * periods.counts.sum()


def test_weights_have_mean_one_in_each_period_and_are_cut() -> None:
    chance = np.array([0.1, 0.2, np.nan, 0.01, 0.01, 0.02])
    period = np.array([0, 0, 0, 1, 1, 1])
    weight = inverse_weights(chance, period)
    np.testing.assert_allclose(weight, [4 / 3, 2 / 3, 1, 1.2, 1.2, 0.6])
    tiny = inverse_weights(np.r_[1e-12, np.full(99, 0.5)], np.zeros(100, dtype=np.int64))
    assert tiny.mean() == pytest.approx(1)
    assert tiny[1:].min() > 0.4


def uniform(seed: int) -> Effect:
    return effects(*shown(seed))[0]


def two_policies(seed: int) -> Effect:
    """Those who come back more often explore more of what carries the tag."""
    random = np.random.default_rng(seed)
    given, carried = shown(seed)
    user = np.asarray(given["user"])
    chance = np.where((user % 2)[:, None] > 0, 1 + 2 * carried[:, 0], 1.0)
    chance /= chance.sum(axis=1, keepdims=True)
    item = (chance.cumsum(axis=1) < random.random(user.size)[:, None]).sum(axis=1)
    stays = (user % 2 > 0) | (np.asarray(given["ts"]) < MIDNIGHT + 14 * DAY)
    given |= {"item": item, "propensity": chance[np.arange(user.size), item]}
    return effects({name: np.asarray(values)[stays] for name, values in given.items()}, carried)[0]


def new_catalogue(seed: int) -> Effect:
    """Items live for two weeks; the tag spreads while activity comes to matter for return."""
    random = np.random.default_rng(seed)
    born = random.integers(0, 6, 240)
    carried = (random.random(240) < np.linspace(0.15, 0.75, 6)[born]).astype(float)[:, None]
    active, there = random.gamma(2, 3, 300), np.ones(300, dtype=bool)
    user, week, item = [], [], []
    for at in range(6):
        who = np.repeat(np.arange(300), (random.poisson(active) + 1) * there)
        user.append(who)
        week.append(np.full(who.size, at))
        item.append(random.choice(np.flatnonzero((born == at) | (born == at - 1)), who.size))
        chance = np.clip(0.5 + (at - 2) / 6 * (active - 6) / 8, 0.05, 0.95)
        there = random.random(300) < chance
    rows = np.concatenate(week)
    given: Given = {
        "user": np.concatenate(user),
        "item": np.concatenate(item),
        "ts": MIDNIGHT + 7 * DAY * (rows + random.random(rows.size)),
        "randomized": np.ones(rows.size, dtype=bool),
    }
    return effects(given, carried)[0]


def half_of_the_authors_unknown(seed: int) -> Effect:
    """The tag goes with the author's quality, and quality brings people back."""
    random = np.random.default_rng(seed)
    author = np.arange(120) % 24
    quality = random.normal(size=24)[author]
    carried = (random.random(120) < 1 / (1 + np.exp(-1.5 * quality))).astype(float)[:, None]
    there = np.ones(300, dtype=bool)
    user, week, item = [], [], []
    for at in range(5):
        who = np.repeat(np.arange(300), (random.poisson(5, 300) + 1) * there)
        user.append(who)
        week.append(np.full(who.size, at))
        item.append(random.integers(0, 120, who.size))
        pull = 0.05 * np.bincount(who, quality[item[-1]], 300)
        there = random.random(300) < np.clip(0.55 + pull, 0.05, 0.95)
    rows, what = np.concatenate(week), np.concatenate(item)
    names = {str(at): f"a{author[at]}" for at in range(1, 120, 2)}
    given: Given = {
        "user": np.concatenate(user),
        "item": what,
        "ts": MIDNIGHT + 7 * DAY * (rows + random.random(rows.size)),
        "randomized": np.ones(rows.size, dtype=bool),
        "author": names,
    }
    return effects(given, carried)[0]


@pytest.mark.parametrize(
    "draw", [uniform, two_policies, new_catalogue, half_of_the_authors_unknown]
)
def test_no_effect_is_covered(draw: Callable[[int], Effect]) -> None:
    drawn = [draw(seed) for seed in range(40)]
    assert {one.reason for one in drawn} == {None}
    covered = [one.ci_low <= 0 <= one.ci_high for one in drawn]  # type: ignore[operator]  # told
    assert np.mean(covered) >= 0.85  # .95 falls below by chance once in 150


def test_items_of_unknown_author_say_nothing() -> None:
    given, carried = shown(3)
    known = {str(at): f"a{at % 6}" for at in range(60)}
    changed = carried.copy()
    changed[60:] = 1 - changed[60:]
    before = effects(given | {"author": known}, carried)[0]
    after = effects(given | {"author": known}, changed)[0]
    assert before.rung == "within-author"
    assert before.estimate == pytest.approx(after.estimate, rel=1e-9)


def test_tags_outside_the_held_list_are_told() -> None:
    given, carried = shown(4)
    first, second = effects(given, carried, hold=("t0",))
    assert (first.reason, second.reason) == (None, None)
    assert second.estimate == pytest.approx(effects(given, carried)[1].estimate)
    assert first.estimate == pytest.approx(effects(given, carried[:, :1])[0].estimate)
    assert number(second, "df") > 8
    assert second.effective_items > 8


def test_a_total_effect_brings_its_own_error_with_it() -> None:
    given, carried = shown(5)
    caused = {"t0": frozenset({"t1"})}
    total = effects(given, carried, estimand="total", descendants=caused)[0]
    alone = effects(given, carried[:, :1])[0]
    for name in ("estimate", "se", "ci_low", "effective_items"):
        assert getattr(total, name) == pytest.approx(getattr(alone, name))
    assert total.diagnostics == alone.diagnostics


def test_few_users_are_refused() -> None:
    given, carried = shown(6, users=3, weeks=40)
    assert {one.reason.key for one in effects(given, carried) if one.reason} == {"reason.few_users"}
    more = effects(*shown(6, users=14, weeks=30))[0]
    assert more.reason is None
    assert number(more, "df") <= 13


def test_rows_without_time_or_user_are_left_out() -> None:
    given, carried = shown(7)
    n = np.size(given["item"])
    ts, user = np.array(given["ts"]), np.array(given["user"]).astype(str).astype(object)
    ts[3], user[10:20] = np.nan, None
    keep = np.isfinite(ts) & (user != None)  # noqa: E711 - elementwise
    some = effects(given | {"ts": ts, "user": user}, carried)[0]
    cut = {name: np.asarray(values)[keep] for name, values in given.items()}
    assert some.diagnostics["rows_without_time_or_user"] == n - keep.sum() == 11
    assert some.estimate == pytest.approx(effects(cut, carried)[0].estimate)


@pytest.mark.parametrize("user", ["absent", "nobody"])
def test_without_users_nothing_is_told(user: str) -> None:
    given, carried = shown(8)
    given = {name: values for name, values in given.items() if name != "user"}
    if user == "nobody":
        given["user"] = np.full(np.size(given["item"]), "—")
    assert {one.reason.key for one in effects(given, carried) if one.reason} == {"reason.no_users"}
    assert effects(given, carried, Naive()) == []


def test_when_everybody_returns_nothing_is_told() -> None:
    given, carried = shown(9)
    n = np.size(given["item"])
    given["user"] = np.arange(n) % 100
    given["ts"] = MIDNIGHT + 7 * DAY * ((np.arange(n) // 100) % 4 + 0.9)
    found = effects(given, carried)
    assert {one.reason.key for one in found if one.reason} == {"reason.no_outcome_variation"}
    assert {one.estimate for one in found} == {None}


def observed(until: float, rows: int) -> float:
    """Days that a log with evenly spread rows up to a time is taken to cover."""
    ts = MIDNIGHT + np.linspace(0, until, rows)
    log, _ = log_of({"item": np.arange(rows), "ts": ts}, np.zeros((rows, 1)))
    return (observed_until(survey(log, None)) - MIDNIGHT) / DAY


def test_the_last_day_counts_as_whole_only_if_the_rest_of_it_is_a_lull() -> None:
    assert observed(28 * DAY - 600, 10_000) == 28
    assert observed(27 * DAY + 3_600, 10_000) == pytest.approx(27 + 1 / 24)
    assert observed(28 * DAY - 600, 20) < 28


def test_a_log_cut_early_on_its_last_day_loses_the_period() -> None:
    given, carried = shown(10)
    log, _ = log_of(given, carried)
    whole = gather_periods(log, RETURN, survey(log, None))
    ts = np.asarray(given["ts"])
    keep = ts < MIDNIGHT + 34 * DAY + 3_600
    log, _ = log_of({name: np.asarray(values)[keep] for name, values in given.items()}, carried)
    cut = gather_periods(log, RETURN, survey(log, None))
    assert whole.period.max() == 3
    assert cut.period.max() == 2
