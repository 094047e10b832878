"""Where every row is its own item, rows are not summed: the answers stay the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.linear import own_rows, seen
from tagcf.effects.methods import Joint
from tagcf.effects.task import Question
from tagcf.types import EventLog, TagMatrix

ROWS, USERS = 3_000, 400

Errors = Literal["CR3", "CR1"]


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
    case: Case, errors: Errors, monkeypatch: pytest.MonkeyPatch
) -> None:
    using = Joint(errors=errors)
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


def _both(
    monkeypatch: pytest.MonkeyPatch, log: EventLog, carried: np.ndarray, question: Question | None
) -> None:
    """Compare what both paths tell."""
    order = [int(log.items[at]) for at in range(len(log.items))]
    tags = tags_from_arrays(log.items, carried[order], list("abcd"))
    using = Joint(knots=0)
    monkeypatch.setattr(own_rows, "FEWEST_CONTROLS", 10**12)
    summed = estimate_effects(log, tags, using, question).effects
    monkeypatch.setattr(own_rows, "FEWEST_CONTROLS", 0)
    kept = estimate_effects(log, tags, using, question).effects
    assert sum(one.estimate is not None for one in summed) >= 4
    for one, other in zip(summed, kept, strict=True):
        assert (one.verdict, one.reason) == (other.verdict, other.reason)
        if one.estimate is not None and one.se is not None:
            assert other.estimate == pytest.approx(one.estimate, abs=1e-3 * one.se)
            assert other.se == pytest.approx(one.se, rel=1e-3)


def test_a_control_that_is_narrow_within_a_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits that a sample of everybody cannot save: such a fit is summed after all."""
    random = np.random.default_rng(1)
    inside = random.random(ROWS) < 0.2
    x = np.where(inside, 3 + 1e-4 * random.normal(size=ROWS), random.normal(size=ROWS))
    carried = (random.random((ROWS, 4)) < 0.3).astype(float)
    carried[:, 0] = np.where(inside, x > 3, carried[:, 0])
    y = np.where(inside, (x - 3) * 5e4, 0) + carried[:, 1] + random.normal(size=ROWS)
    log = log_from_arrays(
        item=np.arange(ROWS),
        outcomes={"y": y},
        covariates={"x": x},
        segments={"s": np.where(inside, "b", "a")},
    )
    _both(monkeypatch, log, carried, Question(by=(("s",),)))


def test_first_rows_may_all_be_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    carried = (random.random((ROWS, 4)) < 0.3).astype(float)
    y = np.where(np.arange(ROWS) < 200, 0.1, 1e4 * random.normal(size=ROWS) + carried[:, 0])
    covariates = {"x": random.normal(size=ROWS)}
    log = log_from_arrays(
        item=np.arange(ROWS), outcomes={"y": y}, covariates=covariates, batch_rows=100
    )
    _both(monkeypatch, log, carried, None)


def test_directions_that_the_sample_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two covariates are the same in the rows drawn, and differ in few others."""
    random = np.random.default_rng(3)
    one = random.normal(size=ROWS)
    few = random.random(ROWS) < 0.01
    other = np.clip(one + few * random.normal(size=ROWS), one.min(), one.max())
    carried = (random.random((ROWS, 4)) < 0.3).astype(float)
    carried[:, 0] = (other > one) | (random.random(ROWS) < 0.02)
    y = 3 * one + 20 * (other - one) + carried[:, 1] + random.normal(size=ROWS)
    monkeypatch.setattr(seen, "SAMPLE_ROWS", 50)
    covariates = {"one": one, "other": other}
    log = log_from_arrays(item=np.arange(ROWS), outcomes={"y": y}, covariates=covariates)
    _both(monkeypatch, log, carried, None)


@pytest.mark.parametrize("errors", ["CR3", "CR1"])
def test_a_tag_on_one_cluster_is_not_told(errors: Errors) -> None:
    """Its score is nothing, by least squares; all the others say nothing of it."""
    random = np.random.default_rng(0)
    cluster = np.arange(ROWS) // 50
    carried = np.column_stack([cluster == 0, random.random(ROWS) < 0.4]).astype(float)
    y = 0.5 * random.normal(size=ROWS // 50)[cluster] + random.normal(size=ROWS)
    log = log_from_arrays(
        item=np.arange(ROWS),
        outcomes={"y": y},
        covariates={"x": random.normal(size=ROWS)},
        clusters={"series": np.array([f"c{at:03}" for at in cluster])},
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    tags = tags_from_arrays(log.items, carried[order], ["t", "u"])
    found = estimate_effects(log, tags, Joint(errors=errors)).effects
    assert [one.verdict == "cannot tell" for one in found] == [True, False]


@pytest.mark.parametrize("errors", ["CR3", "CR1"])
def test_authors_and_no_controls(errors: Errors) -> None:
    random = np.random.default_rng(0)
    item = np.concatenate([np.arange(400), random.integers(400, size=2_600)])
    author = np.arange(400) // 4
    carried = (random.random((400, 3)) < 0.4).astype(float)
    log = log_from_arrays(
        item=item,
        outcomes={"y": carried[item, 0] + random.normal(size=item.size)},
        author=author.astype(str),
        clusters={"author": author[item].astype(str), "week": (item % 7).astype(str)},
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    tags = tags_from_arrays(log.items, carried[order], list("abc"))
    found = estimate_effects(log, tags, Joint(errors=errors)).effects
    assert found[0].estimate == pytest.approx(1.0, abs=0.2)
