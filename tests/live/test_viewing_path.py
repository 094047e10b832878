"""Paths through rooms made here: budgets, order, muted tags, redundancy, how good they are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from tagcf.errors import SettingsError
from tagcf.live.interest import TagInterest
from tagcf.live.rooms.highlights import Highlight
from tagcf.live.viewing.parts import Airing, RoomPart
from tagcf.live.viewing.path import PathSettings, ViewingPath, viewing_path
from tagcf.live.viewing.path.pieces import cut_part
from tagcf.live.viewing.path.worth import Worth, greedy_max

NOW = 10_000.0


def part(
    start: float,
    minutes: float,
    tags: dict[str, float],
    airing: Airing = "past",
    *,
    bright: Sequence[tuple[float, float]] = (),
    hold: float = 1.0,
) -> RoomPart:
    found = tuple(Highlight("r", a, b, 9.0, (), None, ()) for a, b in bright)
    return RoomPart(
        f"r@{start:.0f}", "r", start, start + 60 * minutes, airing, tuple(tags.items()), None,
        None, None, "", found, hold,
    )  # fmt: skip


def wants(**strengths: float) -> list[TagInterest]:
    return [TagInterest(tag, strength, ()) for tag, strength in strengths.items()]


def some_tags(rng: np.random.Generator) -> dict[str, float]:
    return {tag: rng.random() for tag in "abc" if rng.random() < 0.6}


def shown(path: ViewingPath) -> list[str]:
    return [stop.part.segment_id for stop in path.stops]


def test_what_is_liked_is_shown_in_the_order_it_was() -> None:
    parts = [
        part(0, 5, {"food": 1.0}),
        part(300, 5, {"games": 1.0}),
        part(600, 5, {"cats": 1.0}),
        part(900, 5, {"games": 1.0}),
    ]
    path = viewing_path(parts, wants(games=0.8), NOW, 10)
    assert shown(path) == ["r@300", "r@900"]
    assert [stop.begin for stop in path.stops] == [NOW, NOW + 300]
    assert path.watched == pytest.approx(10)
    for stop in path.stops:
        assert stop.replay
        assert stop.because[0][0] == "games"
        assert sum(share for _, share in stop.because) + stop.rest == pytest.approx(1)
    assert sum(stop.gain for stop in path.stops) == pytest.approx(path.value)


def test_the_best_comes_first_or_what_was_first() -> None:
    parts = [part(0, 2, {"games": 0.3}), part(120, 2, {"games": 1.0})]
    assert shown(viewing_path(parts, wants(games=1.0), NOW, 10)) == ["r@120", "r@0"]
    as_it_was = PathSettings(best_first=False)
    path = viewing_path(parts, wants(games=1.0), NOW, 10, using=as_it_was)
    assert shown(path) == ["r@0", "r@120"]


def test_the_time_is_kept() -> None:
    rng = np.random.default_rng(1)
    parts = [part(600 * k, rng.uniform(1, 10), {"a": rng.random()}) for k in range(12)]
    for minutes in (0.5, 3, 7.5, 20, 1000):
        path = viewing_path(parts, wants(a=1.0), 20_000.0, minutes)
        assert path.watched <= minutes + 1e-6
        times = [(stop.begin, stop.begin + stop.end - stop.start) for stop in path.stops]
        assert all(one[1] <= two[0] + 1e-6 for one, two in itertools.pairwise(times))


def test_a_muted_tag_bars_a_part_however_weak_it_is() -> None:
    parts = [part(0, 5, {"games": 1.0, "gambling": 0.01}), part(300, 5, {"food": 1.0})]
    told = [*wants(games=1.0, food=0.1), TagInterest("gambling", 0.0, (), "mute")]
    path = viewing_path(parts, told, NOW, 60)
    assert shown(path) == ["r@300"]
    assert [(one.segment_id, tag) for one, tag in path.left_out] == [("r@0", "gambling")]


def test_more_of_the_same_is_worth_less() -> None:
    parts = [part(300 * k, 5, {"games": 1.0}) for k in range(6)]
    parts += [part(1800, 5, {"food": 1.0})]
    told = wants(games=0.6, food=0.4)
    assert "r@1800" in shown(viewing_path(parts, told, NOW, 20, using=PathSettings(saturation=6)))
    endless = PathSettings(saturation=1e6)
    assert "r@1800" not in shown(viewing_path(parts, told, NOW, 20, using=endless))


def test_what_was_seen_is_not_shown_again_and_counts() -> None:
    parts = [
        part(0, 10, {"games": 1.0}),
        part(600, 10, {"games": 1.0}),
        part(1200, 10, {"food": 1.0}),
    ]
    told = wants(games=0.5, food=0.45)
    assert "r@0" in shown(viewing_path(parts, told, NOW, 10))
    path = viewing_path(parts, told, NOW, 10, seen=[(0.0, 600.0)])
    assert "r@0" not in shown(path)
    assert "r@1200" in shown(path)


def test_what_is_disliked_is_worth_nothing() -> None:
    parts = [part(0, 5, {"games": 1.0, "ads": 1.0}), part(300, 5, {"games": 0.7})]
    path = viewing_path(parts, wants(games=0.8, ads=-1.0), NOW, 5)
    assert shown(path) == ["r@300"]


def test_what_is_on_comes_when_it_is_on_and_replays_fill_the_gaps() -> None:
    parts = [
        part(NOW - 3000, 10, {"food": 1.0}),
        part(NOW - 120, 5, {"cats": 1.0}, "on"),
        part(NOW + 600, 5, {"games": 1.0}, "announced"),
    ]
    path = viewing_path(parts, wants(games=1.0, food=0.5), NOW, 20)
    live = [stop for stop in path.stops if not stop.replay]
    assert all(stop.begin == stop.start >= NOW for stop in live)
    assert any(stop.part.segment_id == f"r@{NOW + 600:.0f}" for stop in live)
    spans = sorted((stop.begin, stop.begin + stop.end - stop.start) for stop in path.stops)
    assert all(one[1] <= two[0] + 1e-6 for one, two in itertools.pairwise(spans))
    soon = viewing_path(parts, wants(games=1.0), NOW, 9)
    assert all(stop.part.start < NOW + 540 for stop in soon.stops)


def test_highlights_and_reception_decide_where_interest_does_not() -> None:
    parts = [part(0, 5, {}), part(300, 5, {}, bright=[(400.0, 430.0)]), part(600, 5, {}, hold=1.8)]
    assert viewing_path(parts, [], NOW, 1.0).stops[0].highlights == 1
    assert shown(viewing_path(parts, [], NOW, 5.0))[-1] == "r@600"


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf")])
def test_no_time_is_refused(minutes: float) -> None:
    with pytest.raises(SettingsError, match="minutes"):
        viewing_path([], [], NOW, minutes)


def test_nothing_to_see_is_an_empty_path() -> None:
    path = viewing_path([], wants(a=1.0), NOW, 10)
    assert (path.stops, path.value, path.best_possible) == ((), 0.0, 0.0)


def test_greedy_against_every_set_of_small_cases() -> None:
    """At least half of the best, and the bound holds; on average far better."""
    rng, shares = np.random.default_rng(3), []
    using = PathSettings(piece=1e9, saturation=5)
    for _ in range(60):
        parts = [
            part(2000.0 * k, rng.uniform(1, 12), some_tags(rng), hold=rng.uniform(0.5, 2))
            for k in range(9)
        ]
        pieces = [one for each in parts for one in cut_part(each, 1e5, 1e5, (), using)]
        worth = Worth(pieces, {"a": 0.8, "b": 0.5, "c": 0.2}, {"a": rng.uniform(0, 4)}, using)
        cost = np.array([piece.minutes for piece in pieces])
        chosen, bound = greedy_max(worth, cost, 15.0)
        assert cost[chosen].sum() <= 15.0 + 1e-6
        sets = (
            some
            for n in range(len(pieces) + 1)
            for some in itertools.combinations(range(len(pieces)), n)
            if cost[list(some)].sum() <= 15.0
        )
        best = max(worth.of(some) for some in sets)
        assert worth.of(chosen) >= 0.5 * best
        assert best <= bound + 1e-9
        shares.append(worth.of(chosen) / best)
    assert np.mean(shares) > 0.95


def test_worth_is_submodular_and_monotone() -> None:
    rng, using = np.random.default_rng(4), PathSettings(piece=1e9)
    parts = [part(2000.0 * k, 5, {t: rng.random() for t in "abcd"}) for k in range(6)]
    pieces = [one for each in parts for one in cut_part(each, 1e5, 1e5, (), using)]
    worth = Worth(pieces, {"a": 0.9, "b": 0.4, "c": -0.5, "d": 0.1}, {}, using)
    for _ in range(50):
        small = [k for k in range(5) if rng.random() < 0.4]
        large = sorted({*small, *(k for k in range(5) if rng.random() < 0.5)})
        gain = worth.of([*small, 5]) - worth.of(small)
        less = worth.of([*large, 5]) - worth.of(large)
        assert gain >= less - 1e-12 >= -1e-9


def test_epoch_seconds_are_coarse_and_paths_end_all_the_same() -> None:
    rng, now = np.random.default_rng(5), 1_738_612_800.123
    for _ in range(40):
        starts = now - 7200 + np.cumsum(rng.uniform(60, 700, 30))
        parts = [
            part(float(a), float(b - a) / 60, {"a": rng.random()}, _airing(a, b, now))
            for a, b in itertools.pairwise(starts)
        ]
        path = viewing_path(parts, wants(a=1.0), now, rng.uniform(1, 40))
        assert path.watched <= path.minutes + 1e-6


def _airing(start: float, end: float, now: float) -> Airing:
    return "past" if end <= now else "on" if start <= now else "announced"
