"""Resonance against rooms whose link is known: none, strong, late; and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.resonance import late_series
from tagcf.errors import EstimationError
from tagcf.live.danmaku.labels import EMOTIONS
from tagcf.live.viewing.parts import RoomPart
from tagcf.live.viewing.resonance import (
    EmotionSeries,
    Shifts,
    emotion_series,
    find_partings,
    fit_forecast,
    resonance,
)
from tagcf.live.wire import from_rows

QUICK = Shifts(draws=199)


def made(follows: float, lag: int = 0, n: int = 12, seed: int = 0) -> list[EmotionSeries]:
    rng = np.random.default_rng(seed)
    return [late_series(lag, follows, rng) for _ in range(n)]


def test_no_link_is_seldom_found_though_both_sides_have_a_memory() -> None:
    p = np.array([one.p for one in resonance(made(0.0, n=40), QUICK)])
    assert stats.binomtest(int((p <= 0.05).sum()), len(p), 0.05, "greater").pvalue > 0.01
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_a_link_is_found_with_its_strength_and_lag() -> None:
    found = resonance(made(0.5, lag=20), QUICK)
    assert all(one.verdict == "follows" for one in found)
    assert np.median([abs(one.lag - 20) for one in found]) <= 5
    # The rest of the mood is caught from others, so that less than .5 comes from the content.
    assert 0.25 < np.mean([one.strength for one in found]) < 0.6
    assert all(one.low <= one.strength <= one.high for one in found)
    joy = [link for one in found for link in one.emotions if link.emotion == "joy"]
    assert np.nanmean([link.difference for link in joy]) > 0.2  # NaN: too few segments to tell
    assert all(0 <= one.q <= 1 for one in found)


def unlinked(rng: np.random.Generator, course: str) -> EmotionSeries:
    """Four shows in which nobody follows anybody, with a course on both sides."""
    shows, per, bins = 4, 4, 96
    content = rng.integers(2, size=(shows, per))
    time = np.arange(bins)
    if course == "glad opening":
        content[:, 0] = 0
        glad = 0.2 + 0.4 * np.exp(-time / 24)
    else:
        content = np.sort(content, axis=1)
        glad = 0.6 - 0.4 * time / bins
    segment = np.repeat(np.arange(shows * per), bins // per).astype(np.int32)
    lines = rng.poisson(3, shows * bins)
    audience = np.zeros((shows * bins, len(EMOTIONS)))
    audience[:, 0] = rng.binomial(lines, np.tile(glad, shows))
    audience[:, -1] = lines - audience[:, 0]
    return EmotionSeries(
        "r", np.arange(shows * bins) * 5.0, np.repeat(np.arange(shows), bins).astype(np.int32),
        segment, np.eye(len(EMOTIONS))[content.ravel()[segment]], audience,
        tuple(room()[0] * shows), 0,
    )  # fmt: skip


@pytest.mark.parametrize("course", ["glad opening", "rise"])
def test_a_course_that_both_sides_share_is_no_link(course: str) -> None:
    rng = np.random.default_rng(1)
    p = np.array([one.p for one in resonance([unlinked(rng, course) for _ in range(100)], QUICK)])
    p = p[np.isfinite(p)]
    assert len(p) > 50
    assert stats.binomtest(int((p <= 0.05).sum()), len(p), 0.05, "greater").pvalue > 0.01


def test_the_verdict_goes_by_all_rooms_that_are_asked_about() -> None:
    found = resonance([*made(0.0, n=30, seed=3), *made(0.5, n=3)], QUICK)
    assert all((one.verdict == "follows") == (one.q <= 0.05) for one in found)
    assert any(one.p <= 0.05 < one.q for one in found)


def few(series: EmotionSeries, share: float) -> EmotionSeries:
    rng = np.random.default_rng(0)
    audience = rng.binomial(series.audience.astype(int), share).astype(float)
    return EmotionSeries(
        series.room_id, series.start, series.stretch, series.segment, series.content, audience,
        series.parts, series.told,
    )  # fmt: skip


def test_what_cannot_be_told_is_said_to_be() -> None:
    whole = made(0.5, n=1)[0]
    silent = few(whole, 0.005)
    one_mood = EmotionSeries(
        whole.room_id, whole.start, whole.stretch, whole.segment,
        np.tile(np.eye(len(EMOTIONS))[0], (len(whole.start), 1)), whole.audience, whole.parts, 0,
    )  # fmt: skip
    found = resonance([silent, one_mood, few(whole, 0.0)], QUICK)
    assert [one.verdict for one in found] == ["cannot tell"] * 3
    assert [one.reason for one in found] == ["few_lines", "one_emotion", "few_lines"]
    assert all(np.isnan(one.p) and np.isnan(one.q) for one in found)


def test_the_same_seed_gives_the_same_answer() -> None:
    series = made(0.2, n=2)
    assert repr(resonance(series, QUICK)) == repr(resonance(series, QUICK))


def room() -> tuple[list[RoomPart], list[dict[str, object]]]:
    """A room whose second segment is glad while viewers are angry."""
    parts = [
        RoomPart(f"s{k}", "r", 600.0 * k, 600.0 * k + 600, "past", (), None, None, mood, "")
        for k, mood in enumerate(["joy", "快乐", "none", "happy"])
    ]
    rows: list[dict[str, object]] = []
    for second in range(5, 2400, 10):
        angry = 700 <= second < 900
        text = "气死我了太差劲" if angry else "哈哈哈哈太开心了"
        rows.append(
            {"event_id": f"e{second}", "user_id": f"u{second % 50}", "room_id": "r",
             "ts": float(second), "action": "danmaku", "text": text}
        )  # fmt: skip
        rows.append(rows[-1] | {"event_id": f"f{second}", "user_id": "v"})
    return parts, rows


def test_texts_become_series_and_opposite_moods_are_found() -> None:
    parts, rows = room()
    (series,) = emotion_series(parts, from_rows(rows))
    assert series.told == 4
    assert series.lines == len(rows)
    assert series.content.sum(axis=1) == pytest.approx(1)
    (parting,) = find_partings([series])
    assert (parting.segment_id, parting.content, parting.audience) == ("s1", "joy", "anger")
    assert abs(parting.start - 700) <= 60
    assert abs(parting.end - 900) <= 60
    assert parting.usual < 0.2


def test_an_emotion_that_is_not_told_is_read_from_the_text() -> None:
    part = RoomPart(
        "s", "r", 0.0, 600.0, "past", (), None, None, "?", "太感动了，好喜欢你们，爱你们"
    )
    event = {"event_id": "e", "user_id": "u", "room_id": "r", "ts": 1.0, "action": "danmaku"}
    (series,) = emotion_series([part], from_rows([event | {"text": "好"}]))
    assert series.told == 0
    assert series.content[0].argmax() == EMOTIONS.index("affection")


def test_a_forecast_knows_what_content_and_room_bring() -> None:
    rng = np.random.default_rng(2)
    rooms = []
    for k in range(4):
        one = late_series(0, 0.1 + 0.2 * k, rng)
        named = tuple(
            RoomPart(f"{k}-{g}", f"r{k}", p.start, p.end, "past", (("games", 1.0),), None, None,
                     p.emotion, "")
            for g, p in enumerate(one.parts)
        )  # fmt: skip
        rooms.append(
            EmotionSeries(f"r{k}", one.start, one.stretch, one.segment, one.content, one.audience,
                          named, one.told)
        )  # fmt: skip
    model = fit_forecast(rooms)
    glad, sad = (
        RoomPart("x", "r3", 0, 1, "announced", (), None, None, mood, "")
        for mood in ("joy", "disappointment")
    )
    elsewhere = RoomPart("x", "new", 0, 1, "announced", (), None, None, "joy", "")
    of_glad, of_sad, of_new = model.expect([glad, sad, elsewhere])
    joy, gloom = EMOTIONS.index("joy"), EMOTIONS.index("disappointment")
    assert of_glad.emotion == "joy"
    assert of_glad.shares[joy] > of_sad.shares[joy] + 0.2
    assert of_sad.shares[gloom] > of_glad.shares[gloom] + 0.2
    assert of_glad.shares[joy] > of_new.shares[joy]
    assert sum(of_new.shares) == pytest.approx(1)


def test_too_little_past_is_refused() -> None:
    with pytest.raises(EstimationError, match="segments"):
        fit_forecast([few(made(0.5, n=1)[0], 0.0)])
