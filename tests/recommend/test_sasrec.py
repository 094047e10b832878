"""RecTools' SASRec, in its own process and environment."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from tagcf.errors import MissingExtraError
from tagcf.recommend.baselines.sasrec import SASRec, SASRecSearch
from tagcf.recommend.evaluate.splits import leave_one_out
from tagcf.recommend.histories import Histories


def ring(n_items: int = 12, n_users: int = 200) -> Histories:
    """Everybody walks forward around the ring."""
    rng = np.random.default_rng(0)
    starts = rng.integers(n_items, size=n_users)
    sequences = [((start + np.arange(6)) % n_items).tolist() for start in starts]
    return Histories.of(sequences, n_items + 1)  # and one item that nobody had


def test_without_an_environment_the_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGCF_RECTOOLS", "/nowhere/bin/python")
    with pytest.raises(MissingExtraError, match="make rectools"):
        SASRec().fit(ring())


def test_a_process_that_breaks_off_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named rectools' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("TAGCF_RECTOOLS", str(python))
    with pytest.raises(MissingExtraError, match="broke off: No module named rectools"):
        SASRec().fit(ring())


@pytest.mark.truth
def test_learns_what_follows(absent: Callable[[str, str], NoReturn]) -> None:
    split = leave_one_out(ring())
    search = SASRecSearch([SASRec(factors=16, rate=1e-2, batch=32)], every=2, most=12)
    try:
        chosen = search.choose(split.valid)
    except MissingExtraError as missing:
        absent("RECTOOLS", str(missing))
    live = Histories.of([[3, 4, 5], [], [12]], 13)
    scores = chosen.fitted.scores(live)
    assert np.isfinite(scores).all()
    assert scores[0, :12].argmax() == 6
    assert (scores[:, 12] < scores[:, :12].min(axis=1)).all()  # nobody had it
    assert max(one.value for one in chosen.tried) > 0.9
    np.testing.assert_allclose(chosen.fitted.scores(live.users(slice(0, 1))), scores[:1], rtol=1e-4)
