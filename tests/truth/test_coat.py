"""Contrasts from self-selected ratings come closer to the random ones than inverse propensity."""

from pathlib import Path

from benchmarks.coat import errors


def test_beats_inverse_propensity(shared_data: Path) -> None:
    found = errors(shared_data / "coat")["root mean square error"]
    assert 0.17 < found["naive"] < 0.19
    assert 0.15 < found["inverse propensity, the authors' own"] < 0.18
    assert found["response model"] < 0.13
    assert found["response model, weighted by the authors' propensity"] < 0.11
