"""A closed loop on the simulated live platform: the same luck for every policy."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np

from tagcf.data.simulate.live import LivePlatform, LiveSession, LiveWorld, simulate_live
from tagcf.types.live import ACTIONS, EVENT_SCHEMA

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "simulated-live.md"


@cache
def small_world() -> LiveWorld:
    return simulate_live(LivePlatform(users=120, rooms=12, days=1, seed=3))


def strengths(session: LiveSession) -> np.ndarray:
    """(contents, T) of the contents."""
    rows: np.ndarray = session.tags.strength.toarray()[: session.segments.height]
    return rows


def test_knowing_the_interest_is_worth_a_lot_and_luck_is_shared() -> None:
    watch: dict[str, list[float]] = {"knowing": [], "random": []}
    for name, seconds in watch.items():
        session = small_world().session(seed=5)
        carried, rng = strengths(session), np.random.default_rng(0)
        seen = np.zeros((len(session.users), len(carried)))
        for _ in range(15):
            guess = carried[:, session.interest].T if name == "knowing" else rng.random(seen.shape)
            shown = (guess - 0.5 * seen).argmax(axis=1)
            seen[session.users, shown] += 1
            seconds.append(session.respond(shown).watch.mean())
    assert np.mean(watch["knowing"]) > 3 * np.mean(watch["random"])


def test_the_same_shown_gives_the_same_responses() -> None:
    one, again = (small_world().session(seed=6) for _ in range(2))
    other = small_world().session(seed=7)
    shown = np.arange(len(one.users)) % 50
    for _ in range(4):
        first, second, third = one.respond(shown), again.respond(shown), other.respond(shown)
        np.testing.assert_array_equal(first.watch, second.watch)
        np.testing.assert_array_equal(first.purchase, second.purchase)
    assert (first.watch != third.watch).any()
    assert one.segments.equals(again.segments)
    assert not one.segments.equals(other.segments)


def test_interests_follow_the_clock_and_not_the_policy() -> None:
    one, other = (small_world().session(seed=6) for _ in range(2))
    rng = np.random.default_rng(1)
    for _ in range(10):
        one.respond(np.zeros(len(one.users), np.int32))
        other.respond(rng.integers(0, 200, len(one.users)))
    latest = np.maximum(one.ts, other.ts)
    one.ts = other.ts = latest
    np.testing.assert_array_equal(one.interest, other.interest)


def test_what_is_shown_again_and_again_wears_off() -> None:
    session = small_world().session(seed=8)
    best = strengths(session)[:, session.interest].argmax(axis=0)
    watch = [session.respond(best).watch.mean() for _ in range(6)]
    assert watch[-1] < 0.6 * watch[0]


def test_what_people_want_is_what_suits_them() -> None:
    session = small_world().session(seed=9)
    carried = strengths(session)
    wanted = session.wanted()
    np.testing.assert_array_equal(wanted, session.wanted())
    assert (carried[wanted, session.interest] == 1).mean() > 0.6


def test_events_of_responses_can_be_read_by_whoever_reads_events() -> None:
    session = small_world().session(seed=5)
    ts = session.ts
    shown = strengths(session)[:, session.interest].argmax(axis=0)
    done = session.respond(shown)
    events = session.events(done, ts)
    assert events.schema.equals(EVENT_SCHEMA)
    actions = np.bincount(events["action"].to_numpy(), minlength=len(ACTIONS))
    assert actions[ACTIONS.index("impression")] == len(session.users)
    assert actions[ACTIONS.index("click")] == done.click.sum()
    assert actions[ACTIONS.index("leave")] + actions[ACTIONS.index("dwell")] == len(session.users)
    assert set(events["item_id"].to_pylist()) <= set(session.tags.items.ids.to_pylist())
    assert len(set(events["event_id"].to_pylist())) == events.num_rows
    assert (events["ts"].to_numpy() <= session.ts.max()).all()


def test_responses_within_the_log_follow_the_interest_of_the_moment() -> None:
    world = small_world()
    pieces = world.course.pieces
    own = pieces.session >= 0
    rng = np.random.default_rng(2)
    pick = rng.choice(np.flatnonzero(own), 800)
    ts = world.settings.epoch(pieces.start[pick] + 0.1)
    interest = world.interest(pieces.user[pick], ts)
    np.testing.assert_array_equal(interest, pieces.interest[pick])
    strength = world.mechanism.segments.strength
    suits = strength[:, interest].argmax(axis=0)
    misses = strength[:, interest].argmin(axis=0)
    good = world.respond(pieces.user[pick], suits, ts, np.random.default_rng(0))
    bad = world.respond(pieces.user[pick], misses, ts, np.random.default_rng(0))
    assert good.watch.mean() > 5 * bad.watch.mean()
    assert good.click.mean() > 0.8
    assert bad.click.mean() < 0.2
    assert good.probability.max() <= 1
    assert ((good.value > 0) == good.purchase).all()


def test_the_lines_on_the_page_run() -> None:
    (lines,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.S | re.M)
    names: dict[str, object] = {}
    exec(lines, names)  # noqa: S102  # our own page
    assert names["events"].schema.equals(EVENT_SCHEMA)  # type: ignore[attr-defined]
