"""Hints: their chance is exact, quiet rooms give few, and what is planted is told in time."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.host_guide import HOURS, ROOMS, hints_of, stream
from tagcf.live.danmaku.labels import INTENTS
from tagcf.live.hosts.guide import Guidance, Guide
from tagcf.live.hosts.guide.chance import falls_an_hour, rises_an_hour
from tagcf.live.hosts.subjects import numbers_of, subjects_of
from tagcf.live.wire.batch import cut
from tagcf.views.host_words import hint_text


def test_the_chance_of_a_rise_is_that_of_a_mixed_poisson_process() -> None:
    rng = np.random.default_rng(1)
    shape, mean, window, hours = 3.0, 1.2, 30.0, 2_000
    ends = 0
    for rate in rng.gamma(shape, mean / shape, hours) / window:
        at = np.sort(rng.uniform(0, 3_600 + window, rng.poisson(rate * (3_600 + window))))
        inside = np.arange(len(at)) - np.searchsorted(at, at - window) + 1
        ends += int(((inside >= 5) & (at > window)).sum())
    told = rises_an_hour(*(np.array([one]) for one in (5.0, mean, shape, window)))[0]
    assert ends / hours == pytest.approx(told, rel=0.08)


def test_the_chance_of_a_fall_bounds_what_happens() -> None:
    rng = np.random.default_rng(2)
    shape, mean = 10.0, 30.0
    drawn = rng.poisson(rng.gamma(shape, mean / shape, 200_000))
    told = falls_an_hour(np.array([8.0]), np.array([mean]), np.array([shape]), 30.0)[0]
    assert (drawn <= 8).mean() * 120 == pytest.approx(told, rel=0.1)


def test_quiet_rooms_stay_below_the_budget() -> None:
    hints, _ = hints_of(stream(400, 0.0, []))
    assert len(hints) <= Guidance().by_chance * ROOMS * HOURS


def test_questions_are_told_with_their_numbers_and_not_again_at_once() -> None:
    plants = [(room, "ask_price", 2_400.0) for room in range(0, ROOMS, 2)]
    plants += [(room, "complaint", 3_600.0) for room in range(1, ROOMS, 2)]
    events = stream(401, 0.0, plants)
    hints, _ = hints_of(events)
    asked = [one for one in hints if one.kind == "ask_price"]
    assert len({one.room_id for one in asked}) >= 5
    for one in asked:
        assert 2_400 <= one.at - 1.7386e9 <= 2_440
        assert one.count >= 3
        assert one.count > 2 * one.usual
        assert one.by_chance <= Guidance().by_chance
        assert one.said
        assert str(int(one.count)) in hint_text(one)
    times = {}
    for one in hints:
        same = one.room_id, one.kind, one.subject
        assert one.at - times.get(same, 0.0) >= Guidance().again
        times[same] = one.at


def test_batches_do_not_change_what_is_told() -> None:
    events = cut(stream(402, 0.0, [(3, "arrivals", 900.0)]), 0, 90_000)
    told = []
    for size in (997, 90_000):
        guide = Guide()
        hints = [
            one
            for start in range(0, len(events), size)
            for one in guide.update(cut(events, start, start + size))
        ]
        told.append([(one.room_id, one.at, one.kind) for one in (*hints, *guide.finish())])
    assert told[0] == told[1]
    assert any(kind == "arrivals" for _, _, kind in told[0])


def test_subjects_and_numbers_are_read() -> None:
    lines = pl.Series(["声音好小听不清", "又卡了", "160穿多大码", "2号多少钱", "link 3 pls", "嗯"])
    names = ["complaint", "complaint", "ask_detail", "ask_price", "ask_link", "none"]
    intent = np.array([INTENTS.index(name) for name in names], np.int8)
    assert subjects_of(lines, intent) == ["sound", "picture", "size", "price", "link", ""]
    assert numbers_of(pl.Series(["2号多少钱", "三号链接", "number 7", "多少钱"])).tolist() == [
        2,
        3,
        7,
        -1,
    ]
