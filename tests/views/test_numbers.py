from __future__ import annotations

import itertools

import pytest

from tagcf.text import choose_language
from tagcf.views.numbers import MINUS, Scale, plain, probability, scale_of, signed
from tagcf.views.svg import Axis, fit_text, text_width, tick_label, ticks


@pytest.mark.parametrize(
    ("half_width", "points", "decimals"),
    [(0.0003, True, 3), (0.004, True, 2), (0.012, True, 1), (0.3, True, 0), (2.0, False, 1)],
)
def test_digits_follow_the_interval(half_width: float, points: bool, decimals: int) -> None:
    assert scale_of(points, [half_width] * 3).decimals == decimals


def test_points_are_told_in_both_languages() -> None:
    scale = Scale(points=True, decimals=1)
    assert scale.change(0.0123) == "+1.2 pp"
    assert scale.change(-0.0123) == f"{MINUS}1.2 pp"
    assert scale.interval(-0.001, 0.02) == f"[{MINUS}0.1,\N{NO-BREAK SPACE}+2.0]"
    assert scale.level(0.1234) == "12.3%"
    choose_language("zh")
    assert scale.change(0.0123) == "+1.2 个百分点"


def test_units_other_than_shares_are_left_alone() -> None:
    scale = Scale(points=False, decimals=2)
    assert scale.change(1.234) == "+1.23"
    assert scale.level(1234.5) == "1,234.50"


def test_nothing_rounds_to_a_signed_zero() -> None:
    assert signed(-0.001, 2) == "0.00"
    assert signed(1234.5, 1) == "+1,234.5"
    assert plain(-2.5, 1) == f"{MINUS}2.5"
    assert [probability(p) for p in (None, 0.0004, 0.25)] == ["", "<0.001", "0.250"]


@pytest.mark.parametrize(
    ("low", "high"), [(-0.0031, 0.0042), (0, 1), (-7.3, 120), (12.2, 12.4), (-1e-6, 3e-6)]
)
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    found = ticks(low, high, 6)
    assert 2 <= len(found) <= 7
    assert low - 1e-12 <= found[0]
    assert found[-1] <= high + 1e-9
    steps = {round(b - a, 12) for a, b in itertools.pairwise(found)}
    assert len(steps) == 1
    labels = [tick_label(v, found[1] - found[0], Scale(True, 1), as_change=True) for v in found]
    assert len(set(labels)) == len(labels)


def test_an_axis_keeps_what_lies_outside_at_its_edge() -> None:
    axis = Axis(-1.0, 1.0, 100.0, 300.0)
    assert [axis.at(v) for v in (-1, 0, 1, 9)] == [100.0, 200.0, 300.0, 300.0]


def test_text_is_shortened_only_when_it_has_to_be() -> None:
    assert fit_text("怀旧音乐", 60) == "怀旧音乐"
    short = fit_text("Aerial cinematography with a rather long name", 120)
    assert short.endswith("…")
    assert text_width(short) <= 120
