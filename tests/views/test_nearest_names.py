"""Names near to a wrong one: the nearest first."""

from __future__ import annotations

import pytest

from tagcf.text import did_you_mean


@pytest.mark.parametrize(
    ("wrong", "first"),
    [
        ("u00007", "u000007"),  # a zero too few, not a digit too few
        ("u0000011", "u000011"),
        ("u000510", "u000511"),  # one letter off, the longest start in common
    ],
)
def test_the_nearest_name_comes_first(wrong: str, first: str) -> None:
    known = [f"u{k:06}" for k in range(600) if f"u{k:06}" != wrong]
    assert did_you_mean(wrong, known).startswith(f" Did you mean: {first}, ")


def test_names_of_any_length_are_compared() -> None:
    assert did_you_mean("x" * 4_000, ["x" * 3_999, "y"]) != ""
    assert did_you_mean("", ["a"]) == ""
