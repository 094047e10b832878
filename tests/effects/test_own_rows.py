"""Where every row is its own item, rows are not summed: the answers stay the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.linear import own_rows
from tagcf.effects.methods import Joint
from tagcf.effects.task import Question
from tagcf.types import EventLog, TagMatrix

ROWS, USERS = 3_000, 400


@dataclass(frozen=True, slots=True)
class Case:
    log: EventLog
    tags: TagMatrix


def make_case(
    *, sort: bool = True, weighted: bool = False, users: bool = True, far: float = 0.0
) -> Case:
    """Rows of users with a taste of their own; one covariate is skewed, one a copy of another."""
    random = np.random.default_rng(8)
    user = random.integers(USERS, size=ROWS) if not sort else np.arange(ROWS) * USERS // ROWS
    taste = random.normal(size=USERS)[user]
    skewed = np.exp(1.5 * random.normal(size=ROWS))
    hour = random.normal(size=ROWS) + 0.5 * taste
    carried = (random.random((ROWS, 6)) < 0.2 + 0.2 * (hour > 0)[:, None]).astype(float)
    carried[:, 5] = carried[:, 4]  # an alias
    y = (
        far
        + taste
        + 3 * np.log(skewed)
        + carried[:, 0]
        + random.normal(size=ROWS) * (1 + (hour > 1))
    )
    seen = (random.random(ROWS) < 0.3).astype(float)
    log = log_from_arrays(
        item=np.arange(ROWS),
        user=user if users else None,
        outcomes={"y": y, "seen": seen},
        kinds={"y": "real", "seen": "binary"},
        covariates={"skewed": skewed, "hour": hour, "copy": 2 * hour + 1, "still": np.ones(ROWS)},
        weight=random.integers(1, 5, ROWS).astype(float) if weighted else None,
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    return Case(log, tags_from_arrays(log.items, carried[order], list("abcdef")))


@pytest.mark.parametrize("errors", ["CR3", "CR1"])
@pytest.mark.parametrize(
    "case",
    [
        make_case(),
        make_case(sort=False),
        make_case(sort=False, weighted=True),
        make_case(users=False),
        make_case(far=1e6),
    ],
    ids=["sorted", "unsorted", "weighted", "items alone", "far from zero"],
)
def test_same_answers_as_from_sums(
    case: Case, errors: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    using = Joint(errors=errors)  # type: ignore[arg-type]
    summed = estimate_effects(case.log, case.tags, using).effects
    monkeypatch.setattr(own_rows, "FEWEST_CONTROLS", 0)
    kept = estimate_effects(case.log, case.tags, using).effects
    assert len(kept) == len(summed) == 12
    for one, other in zip(summed, kept, strict=True):
        assert one.verdict == other.verdict
        assert one.reason == other.reason
        if one.estimate is None:
            continue
        assert one.se is not None
        assert other.estimate == pytest.approx(one.estimate, abs=1e-3 * one.se)
        assert other.se == pytest.approx(one.se, rel=1e-4)
        assert other.baseline == pytest.approx(one.baseline, rel=1e-5)
        assert other.ci_low == pytest.approx(one.ci_low, abs=2e-3 * one.se)
        assert (other.n_rows, other.n_items) == (one.n_rows, one.n_items)
        assert (other.n_treated_items, other.rung) == (one.n_treated_items, one.rung)


def test_total_effects_refit_what_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case()
    question = Question(descendants={"a": frozenset({"b"})})
    summed = estimate_effects(case.log, case.tags, Joint(), question).effects
    monkeypatch.setattr(own_rows, "FEWEST_CONTROLS", 0)
    kept = estimate_effects(case.log, case.tags, Joint(), question).effects
    totals = {one.tag: one for one in summed if one.estimand == "total" and one.outcome == "y"}
    direct = {one.tag: one for one in summed if one.estimand == "direct" and one.outcome == "y"}
    assert totals["a"].estimate != direct["a"].estimate
    for one, other in zip(summed, kept, strict=True):
        if one.estimate is not None and one.se is not None:
            assert other.estimate == pytest.approx(one.estimate, abs=1e-3 * one.se)
            assert other.se == pytest.approx(one.se, rel=1e-4)


def test_a_value_unseen_in_the_sample_still_counts() -> None:
    """A column that is constant in the sample may vary in the log."""
    sample = np.column_stack([np.ones(50), np.arange(50.0)])
    whiten = own_rows.Whitening.of(sample)
    rows = np.array([[1.0, 3.0], [5.0, 3.0]])
    assert np.linalg.matrix_rank(whiten(rows) - whiten(rows)[0]) == 1
    assert whiten(sample)[:, 1:].std() == pytest.approx(1.0, rel=0.5)
