"""Intervals that allow for a known bias: which are widened, by how much, and what follows."""

from dataclasses import replace

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint, Matching, ObservationalBias, Robust
from tagcf.effects.multiplicity import critical_value, false_discovery
from tagcf.effects.task import Question
from tagcf.errors import EstimationError, UnknownNameError
from tagcf.types import Effect, EventLog, TagMatrix

N_ITEMS, N_ROWS, N_TAGS = 400, 12_000, 12
SD = 0.05
BIAS = ObservationalBias({"y": SD})


def world(**changes: object) -> tuple[EventLog, TagMatrix]:
    random = np.random.default_rng(11)
    carried = (random.random((N_ITEMS, N_TAGS)) < 0.35).astype(float)
    item = np.concatenate([np.arange(N_ITEMS), random.integers(0, N_ITEMS, N_ROWS - N_ITEMS)])
    effects = np.zeros(N_TAGS)
    effects[:3] = 0.4, 0.12, -0.12
    y = (carried @ effects)[item] + 0.2 * random.normal(size=N_ITEMS)[item]
    given: dict[str, object] = {
        "item": item,
        "user": random.integers(0, 300, N_ROWS),
        "outcomes": {"y": y + random.normal(size=N_ROWS), "x": y + random.normal(size=N_ROWS)},
        "segments": {"tier": np.where(random.random(N_ROWS) < 0.5, "1", "2")},
    }
    log = log_from_arrays(**(given | changes))  # type: ignore[arg-type]
    return log, tags_from_arrays(log.items, carried, [f"t{at}" for at in range(N_TAGS)])


def pairs(
    using: Joint | Matching | Robust, question: Question | None = None, **changes: object
) -> list[tuple[Effect, Effect]]:
    """Effects without and with the bias."""
    log, tags = world(**changes)
    plain = estimate_effects(log, tags, using, question).effects
    allowing = estimate_effects(log, tags, replace(using, bias=BIAS), question).effects
    return list(zip(plain, allowing, strict=True))


def half(effect: Effect) -> float:
    assert effect.ci_low is not None
    assert effect.ci_high is not None
    return (effect.ci_high - effect.ci_low) / 2


@pytest.mark.parametrize("using", [Joint(), Matching(), Robust()], ids=lambda one: one.name)
def test_every_observational_method_is_widened_for_the_worst_bias(
    using: Joint | Matching | Robust,
) -> None:
    both = [(a, b) for a, b in pairs(using) if a.outcome == "y" and a.verdict != "cannot tell"]
    assert len(both) >= 10
    for plain, allowing in both:
        assert plain.rung == "observational"
        assert plain.se is not None
        assert allowing.estimate == plain.estimate
        assert allowing.diagnostics["bias_sd"] == SD
        worst = critical_value(np.array([SD**2 / plain.se**2]))[0] / critical_value(np.zeros(1))[0]
        assert half(allowing) / half(plain) == pytest.approx(worst, rel=1e-6)
        # Never less than a normal bias asks for, nor more than Chebyshev's inequality does.
        normal = np.hypot(plain.se, SD) / plain.se
        assert normal * 0.999 < worst < 1 + np.sqrt(1 / 0.05) * SD / plain.se / 1.95


def test_false_discovery_and_verdicts_rest_on_the_wider_errors() -> None:
    both = [(a, b) for a, b in pairs(Joint()) if a.outcome == "y"]
    plain = {a.tag: a for a, _ in both}
    allowing = {b.tag: b for _, b in both}
    assert {tag for tag, one in plain.items() if one.verdict in ("raises", "lowers")} >= {
        "t0",
        "t1",
    }
    assert [t for t, one in allowing.items() if one.verdict in ("raises", "lowers")] == ["t0"]
    p = np.array([one.p for one in allowing.values()])
    q = np.array([one.q for one in allowing.values()])
    assert np.allclose(q, false_discovery(p))
    assert all((b.p or 0.0) > (a.p or 0.0) for a, b in both)
    assert abs(allowing["t1"].shrunk or 0.0) < abs(plain["t1"].shrunk or 0.0)


def test_an_outcome_that_is_not_named_keeps_its_interval_and_says_so() -> None:
    for plain, allowing in (pair for pair in pairs(Joint()) if pair[0].outcome == "x"):
        assert (allowing.ci_low, allowing.q) == (plain.ci_low, plain.q)
        assert "bias_sd" not in plain.diagnostics
        assert allowing.diagnostics["bias_sd"] is None


def test_segments_are_widened_too() -> None:
    both = pairs(Joint(), Question(by=(("tier",),), outcomes=("y",)))
    inside = [(a, b) for a, b in both if a.segment is not None and a.verdict != "cannot tell"]
    assert len(inside) >= 20
    assert all(half(b) > half(a) for a, b in inside)
    assert {b.diagnostics["bias_sd"] for _, b in inside} == {SD}


def test_authors_do_not_make_it_experimental() -> None:
    both = pairs(Joint(), author={str(at): str(at % 40) for at in range(N_ITEMS)})
    told = [(a, b) for a, b in both if a.outcome == "y" and a.verdict != "cannot tell"]
    assert {a.rung for a, _ in told} == {"within-author"}
    assert all(half(b) > half(a) for a, b in told)


@pytest.mark.parametrize("kind", ["strata", "random rows", "fused", "random rows of authors"])
def test_randomised_answers_stay_as_they_are(kind: str) -> None:
    random = np.random.default_rng(3)
    by_chance = random.random(N_ROWS) < 0.4
    changes: dict[str, object] = {"randomized": by_chance}
    if kind == "strata":
        changes = {"stratum": random.integers(0, 30, N_ROWS)}
    if kind == "random rows of authors":
        changes["author"] = {str(at): str(at % 40) for at in range(N_ITEMS)}
    using = Joint() if kind in {"strata", "fused"} else Joint(rows="random")
    both = pairs(using, **changes)
    assert [a for a, _ in both] == [b for _, b in both]
    assert all("bias_sd" not in b.diagnostics for _, b in both)
    if kind == "fused":
        assert {b.diagnostics.get("rows") for _, b in both} == {"random+chosen"}


def test_what_ifs_carry_each_tag_s_own_bias() -> None:
    log, tags = world()
    plain = estimate_effects(log, tags, Joint(), Question(outcomes=("y",))).joint[0]
    found = estimate_effects(log, tags, Joint(bias=BIAS), Question(outcomes=("y",)))
    allowing = found.joint[0]
    se = np.array([one.se for one in found.effects])
    assert np.allclose(np.sqrt(np.diag(allowing.cov)), se)
    off = ~np.eye(N_TAGS, dtype=bool)
    assert np.array_equal(allowing.cov[off], plain.cov[off])
    assert np.linalg.eigvalsh(allowing.cov).min() > 0
    # Swapping one tag for another moves by two biases, whatever their estimates share.
    swap = np.zeros(N_TAGS)
    swap[:2] = -1.0, 1.0
    added = swap @ (allowing.cov - plain.cov) @ swap
    assert added >= 2 * SD**2


def test_no_bias_changes_nothing_but_the_diagnostics() -> None:
    log, tags = world()
    plain = estimate_effects(log, tags, Joint())
    none = estimate_effects(log, tags, Joint(bias=ObservationalBias({"y": 0.0})))
    for a, b in zip(plain.effects, none.effects, strict=True):
        assert b.ci_low == pytest.approx(a.ci_low, rel=1e-9)
        assert a.verdict == b.verdict


def test_wrong_biases_are_errors() -> None:
    log, tags = world()
    with pytest.raises(UnknownNameError, match="yy"):
        estimate_effects(log, tags, Joint(bias=ObservationalBias({"yy": 0.1})))
    for value in (-0.1, np.nan, np.inf):
        with pytest.raises(EstimationError, match="from 0 on"):
            ObservationalBias({"y": value})
