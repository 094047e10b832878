"""Social heat, transfer, phases and context of the live dynamics, against known truths."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from tagcf.errors import DataError, SettingsError
from tagcf.live.dynamics import coming
from tagcf.live.dynamics.context import FriendsColumn, context_columns
from tagcf.live.dynamics.evidence import Evidence, no_evidence
from tagcf.live.dynamics.next_interest import FEATURES, NextTag
from tagcf.live.dynamics.phase import PHASES, PhaseReader, fit_phases
from tagcf.live.dynamics.sentences import (
    coming_sentence,
    next_sentence,
    phase_sentence,
    switch_sentence,
)
from tagcf.live.dynamics.social import FriendsInterest, friends_of
from tagcf.live.dynamics.transfer import fit_transfer
from tagcf.live.wire import from_table
from tagcf.text import choose_language
from tagcf.types import Tag
from tagcf.types.live import ACTIONS, EVENT_SCHEMA


def test_friends_heat_is_their_mean_and_halves_in_a_half_life() -> None:
    social = pl.DataFrame({"user_id": ["a", "a", "x"], "friend_id": ["b", "c", "a"]})
    friends = friends_of(social, ["a", "b", "c"])
    assert friends.toarray().tolist() == [[0, 0.5, 0.5], [0, 0, 0], [0, 0, 0]]
    heat = FriendsInterest(friends, 3, half_life=100.0)
    heat.update(1, 2, 1000.0)
    assert heat.around(0, 1000.0).tolist() == [0, 0, 0.5]
    assert heat.around(0, 1100.0)[2] == pytest.approx(0.25)
    assert heat.around(1, 1100.0).tolist() == [0, 0, 0]
    heat.update(1, 0, 1100.0)  # moved on: little of the earlier remains
    assert heat.around(0, 1100.0).tolist() == pytest.approx([0.5, 0, 0.05])


def test_transfer_finds_shared_taste_and_falls_back_on_the_mean() -> None:
    draw = np.random.default_rng(0)
    shared = draw.normal(size=(600, 2))
    loading = draw.normal(size=(2, 10))
    strength = np.exp(shared @ loading + 0.3 * draw.normal(size=(600, 10)))
    inside = np.arange(10) < 4
    made = fit_transfer(strength[:400], inside)
    told = made.expected(strength[400:][:, ~inside])
    best = strength[400:][:, inside].argmax(axis=1)
    right = (told.argmax(axis=1) == best).mean()
    assert right > (best == made.mean.argmax()).mean() + 0.2
    nobody = fit_transfer(np.zeros((5, 10)), inside)
    assert nobody.expected(np.ones((1, 6))).tolist() == [[0.25] * 4]


def test_no_transfer_is_claimed_where_there_is_none() -> None:
    draw = np.random.default_rng(4)
    inside = np.arange(12) < 5
    claimed = 0
    for _ in range(60):
        there, elsewhere = draw.gamma(0.5, size=(150, 5)), draw.gamma(0.5, size=(150, 7))
        made = fit_transfer(np.hstack([there, elsewhere]), inside)
        claimed += made.shown
        if not made.shown:
            told = made.expected(draw.gamma(0.5, size=(4, 7)))
            assert np.allclose(told, told[0])
    assert claimed <= 4


def test_friends_column_is_high_where_a_friend_has_just_turned_to_the_tags() -> None:
    friends = friends_of(pl.DataFrame({"user_id": ["a"], "friend_id": ["b"]}), ["a", "b"])
    column = FriendsColumn(friends, sparse.csr_array(np.array([[1.0, 0.0], [0.0, 1.0]])))
    column.update(np.array([1]), np.array([0]), np.array([1000.0]))
    users, contents = np.array([0, 0, 0, 1]), np.array([0, 1, -1, 0])
    near = column.column(users, contents, np.full(4, 1000.0))
    assert near[0] == pytest.approx(np.log(21) / 3)
    assert near[1:].tolist() == [0, 0, 0]
    assert 0 < column.column(users[:1], contents[:1], np.array([2200.0]))[0] < near[0]


def test_phase_weights_are_those_of_a_logit_that_made_the_labels() -> None:
    draw = np.random.default_rng(1)
    features = np.column_stack([np.ones(20_000), draw.normal(size=(20_000, 2))])
    table = np.array([[0, 0, 0], [0.5, 1.0, -1.0], [-1.0, 0.3, 0.8]])
    logit = features @ table.T + draw.gumbel(size=(20_000, 3))
    found = fit_phases(features, logit.argmax(axis=1))
    assert np.abs(found.table - table).max() < 0.08


def live_events(actions: list[str], gap: float, value: float | None) -> pa.Table:
    n = len(actions)
    columns = {name: [None] * n for name in EVENT_SCHEMA.names}
    columns["event_id"] = [f"e{at}" for at in range(n)]
    columns["user_id"], columns["room_id"] = ["a"] * n, ["r"] * n
    columns["ts"] = [1.7e9 + gap * at for at in range(n)]
    columns["action"] = [ACTIONS.index(one) for one in actions]
    columns["value"] = [value if one == "dwell" else None for one in actions]
    return pa.table(columns, schema=EVENT_SCHEMA)


def test_fast_swiping_is_searching_and_staying_is_settled() -> None:
    user = np.zeros(12, np.int64)
    swipes = from_table(live_events(["impression", "dwell"] * 6, 2.0, 1.5))
    reader = PhaseReader(1)
    reader.update(swipes, user)
    assert reader.phase(0)[0] == "searching"
    stays = from_table(live_events(["impression", "click", *["dwell"] * 10], 120.0, 120.0))
    reader = PhaseReader(1)
    chances = reader.update(stays, user)
    name, sure = reader.phase(0)
    assert name == "settled"
    assert sure == chances[-1].max()
    assert chances.shape == (12, len(PHASES))
    assert np.allclose(chances.sum(axis=1), 1)


def test_hours_and_days_are_those_of_the_platforms_clock() -> None:
    events = from_table(live_events(["click"], 1.0, None))  # 2023-11-14 22:13:20 UTC
    *_, hour, weekday = context_columns(events)
    *_, later, next_day = context_columns(events, utc_offset=8.0)
    assert (hour[0] - 1, later[0] - 1) == (22, 6)
    assert next_day[0] == weekday[0] % 7 + 1


@pytest.mark.parametrize("speaks", ["zh", "en"])
def test_every_reason_and_phase_has_a_sentence(speaks: Literal["zh", "en"]) -> None:
    choose_language(speaks)
    tag = Tag("camping", "露营", "camping", "topic")
    try:
        for because in FEATURES:
            said = next_sentence(NextTag(0, 0.25, because), tag)
            assert "25%" in said
            assert (tag.zh if speaks == "zh" else tag.en) in said
        for because in coming.FEATURES:
            assert "30" in coming_sentence(coming.ComingTag(0, 0.25, because), tag)
        assert all("60%" in phase_sentence(phase, 0.6) for phase in PHASES)
        assert "90%" in switch_sentence(tag, tag, 0.9)
    finally:
        choose_language(None)


@pytest.mark.parametrize("threshold", [0.0, 1.0, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(threshold: float) -> None:
    with pytest.raises(SettingsError, match="threshold"):
        no_evidence(threshold=threshold)
    with pytest.raises(DataError, match="shape"):
        Evidence(np.zeros((3, 3)))


def test_no_friends_no_heat() -> None:
    heat = FriendsInterest(sparse.csr_array((2, 2), dtype=np.float64), 3)
    assert not heat.around(0, 1.0).any()
