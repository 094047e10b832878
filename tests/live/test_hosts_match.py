"""Matching: effects against known ones, and on a small simulated platform."""

from __future__ import annotations

import numpy as np
import pytest

from tagcf.data.simulate.live import LivePlatform, simulate_live
from tagcf.errors import UnknownNameError
from tagcf.live.hosts.match import fit_matcher, match_hosts, match_viewers
from tagcf.live.hosts.match.effects import fit_effects
from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.wire import BadEvents, from_table


def test_effects_are_found_and_shrunk() -> None:
    rng = np.random.default_rng(3)
    n, hosts = 20_000, 40
    host, viewer = rng.integers(1, hosts + 1, n), rng.integers(1, 501, n)
    true = rng.normal(0, 0.4, hosts + 1)
    own = rng.normal(0, 0.3, 501)
    interest = rng.normal(size=(n, 2))
    y = 3.0 + interest @ [0.8, -0.2] + true[host] + own[viewer] + rng.normal(0, 1.0, n)
    keys = {"host": host.astype(np.uint64), "viewer": viewer.astype(np.uint64)}
    effects = fit_effects(y, interest, keys)
    assert effects.slopes == pytest.approx([0.8, -0.2], abs=0.03)
    assert effects.noise == pytest.approx(1.0, rel=0.05)
    mean, variance, visits = effects.of["host"].at(np.arange(1, hosts + 1, dtype=np.uint64))
    off = (mean - mean.mean()) - (true[1:] - true[1:].mean())
    assert np.mean(np.abs(off) <= 1.96 * np.sqrt(variance) * 1.5) > 0.9
    assert visits.sum() == n
    unseen = effects.of["host"].at(np.array([999], np.uint64))
    assert unseen[0][0] == 0.0
    assert unseen[1][0] == pytest.approx(np.var(true[1:]), rel=0.6)


def test_matches_are_ranked_and_explained() -> None:
    world = simulate_live(LivePlatform(users=80, rooms=6, days=1, seed=31))
    events = from_table(world.events)
    tables = LiveTables(events, world.segments, world.tags, BadEvents(), 0, 0)
    matcher, engine = fit_matcher(tables)
    found = match_hosts(matcher, engine, "u000003", 3)
    assert [one.seconds for one in found] == sorted((one.seconds for one in found), reverse=True)
    slugs = {tag.slug for tag in world.tags.tags}
    for one in found:
        assert one.low <= one.seconds <= one.high
        assert set(one.tags) <= slugs
        assert {name for name, _ in one.parts} >= {"interest", "host"}
    on_air = {found[1].host: world.segments["segment_id"][0]}
    assert [one.host for one in match_hosts(matcher, engine, "u000003", 3, on_air=on_air)] == [
        found[1].host
    ]
    users = [f"u{k:06d}" for k in range(30)]
    viewers = match_viewers(matcher, engine, "h001", users, 5)
    assert len(viewers) == 5
    assert len({one.user for one in viewers}) == 5
    with pytest.raises(UnknownNameError, match="h001"):
        match_viewers(matcher, engine, "h0001", users)
