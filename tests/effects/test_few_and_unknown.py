"""Rare outcomes, authors of one work, users without a name, and one heavy user."""

from dataclasses import replace

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.linear import scores
from tagcf.effects.methods import Joint, Matching, Robust
from tagcf.effects.task import Question
from tagcf.types import Effect, EventLog

N_ITEMS, N_USERS, N_ROWS = 200, 300, 8_000
CARRIED = (np.random.default_rng(1).random((N_ITEMS, 4)) < 0.4).astype(float)


def world(seed: int = 0, **changes: object) -> EventLog:
    random = np.random.default_rng(seed)
    item = random.integers(0, N_ITEMS, N_ROWS)
    user = random.integers(0, N_USERS, N_ROWS)
    y = 0.5 * CARRIED[item, 0] + 0.3 * random.normal(size=N_ITEMS)[item]
    given = {
        "item": item,
        "user": user,
        "outcomes": {"y": y + random.normal(size=N_ROWS)},
    }
    return log_from_arrays(**(given | changes))


def told(log: EventLog) -> list[Effect]:
    order = [int(log.items[at]) for at in range(len(log.items))]
    tags = tags_from_arrays(log.items, CARRIED[order], list("abcd"))
    return list(estimate_effects(log, tags, Joint(), Question()).effects)


def test_an_outcome_that_happens_three_times_is_not_told() -> None:
    click = np.zeros(N_ROWS)
    click[[5, 50, 500]] = 1.0
    found = told(world(outcomes={"click": click}))
    assert {one.reason.key for one in found if one.reason} == {"reason.few_events"}
    click[:40] = 1.0
    assert told(world(outcomes={"click": click}))[0].reason is None


def test_authors_of_one_work_are_not_compared_with_themselves() -> None:
    found = told(world(author={str(at): f"author {at}" for at in range(N_ITEMS)}))
    assert found[0].verdict == "raises"
    assert found[0].rung == "observational"


def test_rows_without_a_user_are_not_one_user() -> None:
    random = np.random.default_rng(3)
    known = random.integers(0, N_USERS, N_ROWS).astype(np.int32)
    users = np.where(random.random(N_ROWS) < 0.7, -1, known).astype(np.int32)
    log = world(user=known)
    whole = next(iter(log.batches()))
    clusters = whole.clusters.copy()
    clusters[:, 0] = users
    nameless = replace(log, batches=lambda: iter([replace(whole, clusters=clusters)]))
    assert [one.verdict for one in told(nameless)] == [one.verdict for one in told(log)]
    assert told(nameless)[0].diagnostics["df"] > 40


def test_what_rests_on_one_user_is_wide_or_not_told() -> None:
    random = np.random.default_rng(4)
    taste = 0.6 * random.normal(size=(N_USERS, 4))
    item = random.integers(0, N_ITEMS, N_ROWS)

    def with_heavy_user(share: float) -> list[Effect]:
        user = np.where(random.random(N_ROWS) < share, 0, random.integers(1, N_USERS, N_ROWS))
        y = (CARRIED[item] * taste[user]).sum(axis=1) + random.normal(size=N_ROWS)
        return told(world(item=item, user=user, outcomes={"y": y}))

    even, heavy = with_heavy_user(0.0), with_heavy_user(0.3)
    assert all(one.reason is None for one in even)
    keys = [one.reason.key if one.reason else None for one in heavy]
    assert "reason.few_users" in keys
    for one, other in zip(even, heavy, strict=True):
        assert other.reason is not None or other.diagnostics["df"] < one.diagnostics["df"] / 3


def test_clusters_that_nobody_knows_are_not_one() -> None:
    """Rows of an unknown brand: each item stands for itself, as if it had a brand of its own."""
    item = np.random.default_rng(5).integers(0, N_ITEMS, N_ROWS)
    brand = (item // 5).astype(object)
    brand[item >= 120] = None
    own = np.where(item >= 120, 1_000 + item, item // 5)
    found = told(world(item=item, clusters={"brand": brand}))
    for one, other in zip(found, told(world(item=item, clusters={"brand": own})), strict=True):
        assert (one.estimate, one.se) == pytest.approx((other.estimate, other.se), rel=1e-9)


def test_rows_of_an_unknown_stratum_tell_nothing() -> None:
    item = np.random.default_rng(5).integers(0, N_ITEMS, N_ROWS)
    known = item < 150
    stratum = (item % 30).astype(object)
    stratum[~known] = None
    given = world(item=item)
    y = next(iter(given.batches())).outcomes[:, 0]
    found = told(world(item=item, stratum=stratum, outcomes={"y": y}))
    some = {"item": item[known], "user": None, "stratum": item[known] % 30}
    without = told(world(**some, outcomes={"y": y[known]}))
    for one, other in zip(found, without, strict=True):
        assert one.rung == "within-stratum"
        assert one.estimate == pytest.approx(other.estimate, abs=0.01)
        assert one.se == pytest.approx(other.se, rel=0.05)


def test_an_outcome_that_a_segment_never_measured_is_not_told() -> None:
    random = np.random.default_rng(6)
    tier = random.integers(1, 3, N_ROWS)
    y = np.where(tier == 1, random.normal(size=N_ROWS), np.nan)
    log = world(outcomes={"y": y}, segments={"tier": tier.astype(str)})
    tags = tags_from_arrays(log.items, CARRIED, list("abcd"))
    for using in (Joint(), Robust(), Matching()):
        found = estimate_effects(log, tags, using, Question(by=(("tier",),), min_items=20)).effects
        keys = {one.reason.key if one.reason else None for one in found if one.segment == "tier=2"}
        assert keys == {"reason.no_outcome_values"}


def test_a_segment_s_errors_are_those_of_its_own_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where of the whole log's (user, item) pairs only some are looked at."""
    monkeypatch.setattr(scores, "MOST_PAIR_ROWS", 400)
    random = np.random.default_rng(7)
    item, user = random.integers(0, N_ITEMS, N_ROWS), random.integers(0, N_USERS, N_ROWS)
    y, small = random.normal(size=N_ROWS), user % 12 == 0
    log = world(item=item, user=user, outcomes={"y": y}, segments={"small": small.astype(str)})
    tags = tags_from_arrays(log.items, CARRIED, list("abcd"))
    question = Question(by=(("small",),), min_items=20)
    inside = estimate_effects(log, tags, Joint(), question).effects
    alone = told(world(item=item[small], user=user[small], outcomes={"y": y[small]}))
    segment = [one for one in inside if one.segment == "small=True"]
    for one, other in zip(segment, alone, strict=True):
        assert (one.estimate, one.se) == pytest.approx((other.estimate, other.se), rel=1e-9)
