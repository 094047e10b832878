"""Host reports: visits, measures, comparisons, against hand-made rooms and known truth."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.host_report import ALIKE, NULL, VARIED, judge_world
from benchmarks.host_world import made_up
from tagcf.errors import DataError, UnknownNameError
from tagcf.live.hosts import list_hosts, measure_platform, report_host
from tagcf.live.hosts.compare import rate_of
from tagcf.live.hosts.visits import find_visits, see_segments
from tagcf.live.rooms.segments import cut_rooms
from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.wire import BadEvents, from_rows


def row(user: str, ts: float, action: str, value: float | None = None) -> dict[str, object]:
    return {"user_id": user, "room_id": "r", "ts": ts, "action": action, "value": value}


def segments() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "room_id": ["r", "r"],
            "start_ts": [1_000.0, 1_300.0],
            "end_ts": [1_300.0, 1_600.0],
            "streamer_id": ["h", "h"],
        }
    )


def test_visits_and_what_they_saw() -> None:
    events = from_rows(
        [
            row("stays", 1_100, "click"),
            row("stays", 1_220, "dwell", 120),
            row("stays", 1_340, "dwell", 120),
            row("stays", 1_460, "dwell", 120),
            row("stays", 1_599, "leave", 499),
            row("goes", 1_200, "click"),
            row("goes", 1_400, "leave", 200),
            row("swipes", 1_350, "dwell", 3),
            row("bot", 1_350, "danmaku"),
        ]
    )
    visits = find_visits(events)
    assert len(visits) == 2
    viewing = see_segments(visits, cut_rooms(segments()))
    assert viewing.segment.tolist() == [0, 0, 1, 1]
    assert viewing.minutes.sum() == pytest.approx((499 + 200) / 60)
    second = viewing.segment == 1
    assert viewing.there[second].all()
    # Who leaves as the show closes has not left.
    assert viewing.lost[second].sum() == 1
    assert viewing.leaves.sum() == 1
    assert viewing.at_risk[second].sum() == pytest.approx((299 + 100) / 60)


def test_a_rates_interval_is_that_of_a_poisson_count() -> None:
    rng = np.random.default_rng(0)
    for mean in (3.0, 20.0):
        inside = 0
        for total in rng.poisson(mean, 400).tolist():
            rate = rate_of(float(total), 2.0, 1.0)
            inside += rate.low <= mean / 2 <= rate.high
        assert 0.9 <= inside / 400 <= 0.99


@pytest.mark.parametrize("seed", [300, 301])
def test_intervals_hold_the_truth(seed: int) -> None:
    told = judge_world(seed, VARIED)
    assert len(told) > 100
    assert np.mean([one["covered"] for one in told]) > 0.86
    assert abs(np.median([one["error"] for one in told])) < 0.15


def test_what_is_planted_is_found_and_little_else() -> None:
    called = [one for one in judge_world(310, ALIKE) if one["side"] in ("more", "less")]
    right = [one for one in called if (one["truth"] > NULL) == (one["side"] == "more")]
    assert len(called) >= 5
    assert len(right) >= 0.7 * len(called)


def test_verdicts_follow_from_the_figures() -> None:
    platform = measure_platform(made_up(320, ALIKE).tables)
    report = report_host(platform, "host00")
    assert [one.start for one in report.segments] == sorted(one.start for one in report.segments)
    for one in report.segments:
        sides = {
            figure.measure: {figure.own.side, figure.peers.side} & {"more", "less"}
            for figure in one.figures
        }
        if "held" in one.verdicts:
            assert "more" in sides["watch"] or "less" in sides.get("held", ()) | sides["lost"]
        if "cannot tell" in one.verdicts or "usual" in one.verdicts:
            assert len(one.verdicts) == 1
            assert not (sides["watch"] | sides["lost"])
        assert one.stayed <= one.at_start <= one.viewers
    lines = list_hosts(platform)
    assert [line.host for line in lines] == [f"host{k:02d}" for k in range(12)]
    assert sum(line.segments for line in lines) == 360


def test_a_lonely_host_cannot_be_told_from_peers() -> None:
    world = made_up(330, VARIED)
    frame = world.tables.segments
    assert frame is not None
    alone = frame.filter(pl.col("streamer_id") == "host00")
    tables = LiveTables(world.tables.events, alone, None, BadEvents(), 0, 0)
    report = report_host(tables, "host00")
    assert {figure.peers.side for one in report.segments for figure in one.figures} == {
        "cannot tell"
    }
    own = {figure.own.side for one in report.segments for figure in one.figures}
    assert own - {"cannot tell"}
    assert report.shows
    assert max(show.viewers.max() for show in report.shows) > 20


def test_unknown_hosts_and_missing_segments_are_told() -> None:
    world = made_up(340, VARIED)
    with pytest.raises(UnknownNameError, match="host01"):
        report_host(world.tables, "hots01")
    with pytest.raises(DataError, match="segments"):
        measure_platform(LiveTables(world.tables.events, None, None, BadEvents(), 0, 0))
