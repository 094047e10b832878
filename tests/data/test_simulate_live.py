"""The simulated live platform does what its equations say, and is as hard as it claims."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from benchmarks.live_sim import (
    Spans,
    best_f1,
    matched,
    oracle_spans,
    overlapping,
    true_highlights,
    z_score_f1,
)
from tagcf.data.simulate.live import LivePlatform, LiveWorld, simulate_live
from tagcf.data.simulate.live.bursts import INTERACTIONS, KINDS
from tagcf.data.simulate.live.interests import next_logits
from tagcf.data.simulate.live.match import leaving_rate, opening_chance
from tagcf.data.simulate.live.purchases import count_before, purchase_logit
from tagcf.data.simulate.live.visits import best_on_air, on_air
from tagcf.data.simulate.sector import SECTORS, SectorName
from tagcf.errors import SettingsError
from tagcf.types.live import ACTIONS, EVENT_SCHEMA


@cache
def world_of(seed: int = 0) -> LiveWorld:
    return simulate_live(LivePlatform(seed=seed))


def kind(world: LiveWorld, name: str) -> pl.DataFrame:
    return world.truth.filter(pl.col("kind") == name)


def test_events_are_in_the_schema_and_in_the_order_of_arrival() -> None:
    world = world_of()
    assert world.events.schema.equals(EVENT_SCHEMA)
    assert 250_000 < world.events.num_rows < 550_000
    arrived = world.events["ts"].to_numpy() + world.arrival.delay
    assert (np.diff(arrived) > -0.01).all()
    done = np.bincount(world.events["action"].to_numpy(), minlength=len(ACTIONS))
    assert (done > 0).all()
    opens, closes = world.settings.epoch(np.array([0.0, world.settings.seconds - 1e-6]))
    ts = world.events["ts"].to_numpy()
    assert ts.min() >= opens
    assert ts.max() <= closes


def test_disorder_is_known() -> None:
    world = world_of()
    ids = world.events["event_id"].to_pylist()
    seen: set[str] = set()
    again = []
    for name in ids:
        if name in seen:
            again.append(name)
        seen.add(name)
    assert sorted(again) == sorted(kind(world, "duplicate")["event_id"].to_list())
    assert 0.003 < len(again) / len(ids) < 0.007
    late = kind(world, "late")
    assert 0.015 < late.height / len(ids) < 0.025
    assert late["value"].min() >= 30
    calm = simulate_live(LivePlatform(users=60, rooms=6, disorder=0))
    assert kind(calm, "late").height == kind(calm, "duplicate").height == 0


def test_times_of_the_inner_clock_and_back() -> None:
    settings = LivePlatform(days=3, hours=2)
    inner = np.linspace(0, settings.seconds - 1, 500)
    np.testing.assert_allclose(settings.inner(settings.epoch(inner)), inner, atol=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_highlights_are_there_but_not_for_a_rolling_z_score(seed: int) -> None:
    world = world_of(seed)
    truth, oracle = true_highlights(world), oracle_spans(world)
    assert len(truth.room) > 60
    assert best_f1(oracle, truth)["f1"] >= 0.92
    for count in (matched, overlapping):
        assert z_score_f1(world, count)["f1"] <= 0.6
        assert z_score_f1(world, count, interactions=True)["f1"] <= 0.6


def test_matching_is_one_to_one_and_within_the_tolerance() -> None:
    truth = Spans(*np.array([[0, 0], [100.0, 300.0], [140.0, 340.0], [1.0, 1.0]]))
    found = Spans(*np.array([[0, 0, 1], [110.0, 111.0, 300.0], [150.0, 151.0, 340.0], [3.0, 2, 1]]))
    assert matched(found, truth) == 1
    assert overlapping(found, truth) == 1
    shifted = Spans(truth.room, truth.start + 16, truth.end + 16, truth.score)
    assert matched(shifted, truth) == 0
    assert overlapping(shifted, truth) == 2


def test_counts_outside_highlights_are_what_the_rates_say() -> None:
    world = world_of()
    seen, expected = world.observed_counts(), world.expected_counts()
    quiet = np.ones(seen.shape[::2], bool)
    bursts = world.course.bursts
    for room, a, z in zip(bursts.room, bursts.start, bursts.end, strict=True):
        quiet[room, int(a / 5) : int(z / 5) + 1] = False
    for a, name in enumerate(INTERACTIONS):
        n, mean = seen[:, a][quiet].sum(), expected[:, a][quiet].sum()
        assert abs(n - mean) < 5 * np.sqrt(mean) + 0.03 * mean, name
    # Within highlights the planted factors show.
    ratio = []
    for b in np.flatnonzero(bursts.kind == KINDS.index("highlight")):
        here = (bursts.room[b], 0, slice(int(bursts.start[b] / 5), int(bursts.end[b] / 5)))
        ratio.append((seen[here].sum(), expected[here].sum(), bursts.factor[b, 0]))
    n, mean, factor = np.array(ratio).T
    assert abs(n.sum() / (mean * factor).sum() - 0.9) < 0.15  # edges rise and fall


def test_decoys_are_what_they_are_called() -> None:
    world = world_of()
    acts, bursts = world.course.acts, world.course.bursts
    room = acts.room
    users, danmaku, gifts = {}, {}, {}
    for k, name in enumerate(KINDS):
        here = [
            (room == bursts.room[b]) & (acts.at >= bursts.start[b]) & (acts.at < bursts.end[b])
            for b in np.flatnonzero(bursts.kind == k)[:25]
        ]
        shares = [np.sort(np.bincount(acts.user[one]))[-7:].sum() / one.sum() for one in here]
        users[name] = np.mean(shares)
        danmaku[name] = np.mean([np.mean(acts.action[one] == 8) for one in here if one.any()])
        gifts[name] = np.mean([np.mean(acts.action[one] == 9) for one in here if one.any()])
    assert ACTIONS[8:10] == ("danmaku", "gift")
    assert users["bots"] > users["highlight"] + 0.1
    assert danmaku["lottery"] > 2 * danmaku["highlight"]
    assert gifts["combo"] > 4 * gifts["highlight"]


def test_purchases_happen_as_often_as_their_probability_says() -> None:
    world = world_of()
    chances, made = world.course.chances, world.course.bought
    assert len(chances) >= 20_000
    p, y = made.probability, made.bought
    assert 0.004 < y.mean() < 0.03
    assert abs(y.sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())
    edges = np.quantile(p, np.linspace(0.5, 1, 11))
    for low, high in pairwise(edges):
        here = (p >= low) & (p <= high)
        assert abs(y[here].sum() - p[here].sum()) < 4 * np.sqrt((p * (1 - p))[here].sum()) + 1
    bought = kind(world, "purchase")
    assert bought.height == y.sum()
    assert not bought.select("user_id", "product_id").is_duplicated().any()
    fresh = chances.seconds == 60
    one = np.flatnonzero(fresh & (p > 0))[::50]
    logit = purchase_logit(
        chances.want[one],
        chances.dwell[one],
        chances.views[one],
        chances.asked[one],
        chances.price[one],
        made.before[one],
        chances.offer[one],
        chances.trust[one],
        chances.skill[one],
        chances.buyer[one],
    )
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), p[one], rtol=1e-9)


def test_purchase_probabilities_are_looked_up_by_user_room_and_time() -> None:
    world = world_of()
    chances, made = world.course.chances, world.course.bought
    rows = np.random.default_rng(0).choice(len(chances), 400, replace=False)
    ts = world.settings.epoch(chances.at[rows] + 0.5 * chances.seconds[rows])
    found = world.purchase_probability(chances.user[rows], chances.room[rows], ts)
    np.testing.assert_allclose(found, made.probability[rows])
    assert np.isnan(world.purchase_probability([0], [0], [world.settings.start])).all()


def test_counting_what_came_before() -> None:
    rng = np.random.default_rng(3)
    user, thing, at = rng.integers(0, 4, 300), rng.integers(0, 3, 300), rng.uniform(0, 900, 300)
    of, which, until = rng.integers(0, 5, 80), rng.integers(0, 4, 80), rng.uniform(0, 1000, 80)
    for within in (np.inf, 200.0):
        counted = count_before(
            user.astype(np.int32), thing.astype(np.int32), at,
            of.astype(np.int32), which.astype(np.int32), until, within,
        )  # fmt: skip
        by_hand = [
            ((user == u) & (thing == t) & (at < z) & (at >= z - within)).sum()
            for u, t, z in zip(of, which, until, strict=True)
        ]
        np.testing.assert_array_equal(counted, by_hand)


def test_interests_in_the_truth_are_those_that_the_world_tells() -> None:
    world = world_of()
    slugs = [tag.slug for tag in world.tags.tags]
    switches = kind(world, "switch")
    inner = world.settings.inner(switches["start"].to_numpy())
    switches = switches.filter(inner % world.settings.window > 1)  # not as the doors open
    user = switches["user_id"].str.slice(1).cast(pl.Int32).to_numpy()
    after = world.interest(user, switches["start"].to_numpy() + 1e-3)
    before = world.interest(user, switches["start"].to_numpy() - 1e-3)
    assert [slugs[t] for t in after] == switches["to"].to_list()
    assert [slugs[t] for t in before] == switches["from"].to_list()
    spells = world.course.episodes
    within = ~spells.opening
    assert 0.7 < np.median((spells.end - spells.start)[within]) / 60 / 20 < 1.4


def test_the_next_interest_can_be_guessed_better_than_by_popularity_or_the_last_tag() -> None:
    world = world_of()
    spells, made = world.course.episodes, world.mechanism
    moved = (spells.before >= 0) & (spells.before != spells.tag)
    user, last, to, at = (
        column[moved] for column in (spells.user, spells.before, spells.tag, spells.start)
    )
    fit, n_tags = at < np.median(at), len(made.topics.tags)
    judged = ~fit
    pairs = np.zeros((n_tags, n_tags))
    np.add.at(pairs, (last[fit], to[fit]), 1)
    popular = np.bincount(to[fit], minlength=n_tags)
    air = on_air(world.settings, made.segments, world.settings.rooms)
    offered = best_on_air(made.segments, air)[(at / 60).astype(int)]
    known = next_logits(
        made.topics,
        made.people,
        user,
        last,
        np.full(len(user), -1, np.int32),
        world.settings.share_of_day(at),
        world.settings.day_of(at),
        np.zeros((len(user), n_tags)),
    )

    def hits(score: np.ndarray) -> float:
        return float((np.argsort(-score, axis=1)[:, :3] == to[judged][:, None]).any(axis=1).mean())

    by_popularity = hits(np.tile(popular, (judged.sum(), 1)))
    by_last = hits(pairs[last[judged]] + 1e-3 * popular)
    by_truth = hits((known + 4 * offered)[judged])
    assert by_popularity + 0.05 < by_last
    assert by_last + 0.2 < by_truth


def test_watching_follows_the_match() -> None:
    match = np.array([0.0, 0.5, 1.0])
    still = np.zeros(3, bool)
    assert (np.diff(1 / leaving_rate(match, np.zeros(3), still)) > 50).all()
    assert opening_chance(match)[0] < 0.05
    assert opening_chance(match)[2] > 0.95
    world = world_of()
    pieces = world.course.pieces
    own = pieces.session >= 0
    strength = world.mechanism.segments.strength[pieces.segment[own], pieces.interest[own]]
    watched = (pieces.end - pieces.start)[own]
    assert watched[strength == 1].sum() / watched.sum() > 0.6
    assert (pieces.end > pieces.start).all()
    assert (pieces.end[own] <= world.course.sessions.end[pieces.session[own]] + 1e-6).all()


def test_newcomers_stay_out_of_their_new_scene_until_they_go_there() -> None:
    world = world_of()
    people, shows = world.mechanism.people, world.course.shows
    known = shows.user < world.settings.users
    user, at = shows.user[known], shows.at[known]
    scene = world.mechanism.rooms.scene[shows.room[known]]
    new = scene == people.new_scene[user]
    assert not (new & (at < people.new_from[user])).any()
    assert (new & (at >= people.new_from[user])).sum() > 100


def test_phases_tile_the_sessions() -> None:
    world = world_of()
    length = pl.col("end") - pl.col("start")
    phases = kind(world, "phase").select(length.sum()).item()
    sessions = kind(world, "session").select(length.sum()).item()
    assert phases == pytest.approx(sessions, rel=0.01)
    shares = kind(world, "phase").group_by("to").agg(length.sum() / sessions)
    assert dict(shares.iter_rows())["settled"] > 0.6


def test_danmaku_mean_what_the_truth_says() -> None:
    world = world_of()
    first = world.events.group_by("event_id", use_threads=False).aggregate([("text", "first")])
    texts = dict(zip(first["event_id"].to_pylist(), first["text_first"].to_pylist(), strict=True))
    talk = kind(world, "danmaku")
    assert all(texts[name] for name in talk["event_id"].to_list()[:2000])
    lottery = [texts[e] for e in talk.filter(pl.col("to") == "lottery")["event_id"]]
    assert np.mean(["1" in text for text in lottery]) > 0.95
    share = dict(talk.group_by("to").agg(pl.len() / talk.height).iter_rows())
    assert share["ask_price"] > 0.01
    assert share["spam"] > 0.01
    assert share["none"] > 0.5


@pytest.mark.parametrize("sector", SECTORS)
def test_every_sector_and_few_tags(sector: SectorName) -> None:
    world = simulate_live(LivePlatform(sector=sector, users=40, rooms=6, tags=12, days=1, hours=2))
    assert world.events.num_rows > 2_000
    assert world.segments["text"].str.len_chars().min() > 4
    assert len(world.tags.items) == world.segments.height + world.products.height


def test_same_seed_same_world_and_another_seed_another() -> None:
    small = {"users": 40, "rooms": 6, "days": 1, "hours": 2.0}
    one, again = (simulate_live(LivePlatform(seed=7, **small)) for _ in range(2))  # type: ignore[arg-type]  # see small
    other = simulate_live(LivePlatform(seed=8, **small))  # type: ignore[arg-type]  # see small
    assert one.events.equals(again.events)
    assert one.truth.equals(again.truth)
    assert not one.events.equals(other.events)


@pytest.mark.parametrize("wrong", [{"users": 3}, {"rooms": 1}, {"hours": 7.0}, {"tags": 4}])
def test_settings_outside_their_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        LivePlatform(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_what_goes_on_until_closing_ends_then() -> None:
    world = simulate_live(LivePlatform(users=80, rooms=4, days=2, seed=12))
    lasts = world.segments["end_ts"] - world.segments["start_ts"]
    assert lasts.min() > 0
    assert lasts.max() < LivePlatform().window
