"""Learning the bias from contrasts: known Gaussian estimates, and halves of one log."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.bias_halves import (
    half_of,
    learn_bias_within,
    pieces_of,
    randomised_part,
    without_randomness,
)
from tagcf.effects.learned_bias import as_option, contrasts_of, learn_bias
from tagcf.effects.methods import Joint, ObservationalBias
from tagcf.effects.task import Question
from tagcf.errors import EstimationError
from tagcf.types import Effect, EventLog, Rung, TagEffects

NORMAL = float(stats.norm.ppf(0.975))


def told(
    values: np.ndarray, se: float, rung: Rung, outcome: str = "y", rows: str = "any"
) -> TagEffects:
    effects = [
        Effect(
            **{"tag": f"t{at}", "tag_zh": f"t{at}", "tag_en": f"t{at}", "outcome": outcome},
            **{"segment": None, "method": "joint", "estimand": "direct"},
            **{"estimate": float(value), "se": se, "ci_low": float(value - NORMAL * se)},
            **{"ci_high": float(value + NORMAL * se), "p": 0.5, "q": 0.5, "shrunk": 0.0},
            **{"shrunk_low": 0.0, "shrunk_high": 0.0, "baseline": 0.0, "relative": None},
            **{"n_rows": 1, "n_items": 1, "n_treated_items": 1, "effective_items": 9.0},
            **{"rung": rung, "verdict": "no clear effect", "reason": None},
            diagnostics={"rows": rows},
        )
        for at, value in enumerate(values)
    ]
    return TagEffects(tuple(effects))  # type: ignore[arg-type]


def both(bias: float, m: int, seed: int = 0) -> tuple[TagEffects, TagEffects]:
    random = np.random.default_rng(seed)
    truth = random.normal(size=m)
    seen = truth + bias * random.normal(size=m) + 0.3 * random.normal(size=m)
    return told(seen, 0.3, "observational"), told(
        truth + 0.4 * random.normal(size=m), 0.4, "within-stratum"
    )


@pytest.mark.parametrize("bias", [0.5, 1.0, 2.0])
def test_finds_the_size_of_the_bias(bias: float) -> None:
    learned = [learn_bias(*both(bias, 60, seed))[0] for seed in range(50)]
    assert np.sqrt(np.mean([one.sd**2 for one in learned])) == pytest.approx(bias, rel=0.08)
    assert np.mean([one.seen for one in learned]) > 0.9
    assert np.mean([one.beyond_with_bias for one in learned]) < 0.07
    assert {(one.tags, one.contrasts, one.rung) for one in learned} == {(60, 60, "observational")}


def test_without_bias_it_gives_what_cannot_be_ruled_out() -> None:
    learned = [learn_bias(*both(0.0, 60, seed))[0] for seed in range(50)]
    assert np.mean([one.seen for one in learned]) < 0.15
    assert all(0 < one.sd < 0.4 for one in learned)
    assert np.mean([one.beyond_two_errors for one in learned]) == pytest.approx(0.0455, abs=0.015)


def test_tags_are_matched_by_slug_and_outcome() -> None:
    seen, true = both(1.0, 30)
    turned = replace(true, effects=true.effects[::-1])
    assert learn_bias(seen, turned)[0].sd == pytest.approx(learn_bias(seen, true)[0].sd)
    other = replace(true, effects=tuple(replace(one, outcome="z") for one in true.effects))
    assert learn_bias(seen, other) == ()
    two = replace(true, effects=true.effects + other.effects)
    assert [one.outcome for one in learn_bias(seen, two)] == ["y"]


def test_only_answers_for_everybody_that_can_be_told_count() -> None:
    seen, true = both(1.0, 30)
    refused = tuple(replace(one, verdict="cannot tell") for one in seen.effects[:5])
    inside = tuple(replace(one, segment="a=1", estimate=99.0) for one in seen.effects)
    some = replace(seen, effects=refused + seen.effects[5:] + inside)
    assert learn_bias(some, true)[0].tags == 25
    assert abs(contrasts_of(some, true)[0].gap).max() < 50


def test_fewer_than_ten_tags_tell_nothing() -> None:
    assert learn_bias(*both(1.0, 9)) == ()
    assert len(learn_bias(*both(1.0, 10))) == 1


def test_sides_of_the_wrong_kind_do_not_count() -> None:
    seen, true = both(1.0, 30)
    assert learn_bias(true, seen) == ()
    fused = told(np.zeros(30), 0.4, "randomised exposure", rows="random+chosen")
    assert learn_bias(seen, fused) == ()
    random = told(np.zeros(30), 0.4, "within-author", rows="random")
    assert len(learn_bias(seen, random)) == 1
    allowed = [replace(one, diagnostics={"rows": "any", "bias_sd": 0.3}) for one in seen.effects]
    assert learn_bias(replace(seen, effects=tuple(allowed)), true) == ()


def test_becomes_an_option() -> None:
    learned = learn_bias(*both(1.0, 30))
    assert as_option(learned) == ObservationalBias({"y": learned[0].sd})


# ── halves of one log ───────────────────────────────────────────────────────
def small(**changes: object) -> EventLog:
    """120 items of 30 stories with 4 arms each, 12 authors with 10 items, 40 users."""
    random = np.random.default_rng(0)
    item = np.repeat(np.arange(120), 10)
    given: dict[str, object] = {
        "item": item,
        "user": random.integers(0, 40, item.size),
        "outcomes": {"y": random.normal(size=item.size)},
    }
    return log_from_arrays(**(given | changes))  # type: ignore[arg-type]


def test_strata_and_authors_are_not_parted() -> None:
    item = np.repeat(np.arange(120), 10)
    assert len(np.unique(pieces_of(small()))) == 120
    log = small(stratum=item // 4)
    number = np.array([int(str(one)) for one in log.items.ids.to_pylist()])
    by_story = pieces_of(log)
    by_author = pieces_of(small(author={str(at): str(at // 10) for at in range(120)}))
    for pieces, size in ((by_story, 4), (by_author, 10)):
        assert len(np.unique(pieces)) == 120 // size
        assert len(np.unique(np.column_stack([pieces, number // size]), axis=0)) == 120 // size
    # Stories of one author each: the coarser of the two.
    both = small(stratum=item // 4, author={str(at): str(at // 8) for at in range(120)})
    assert len(np.unique(pieces_of(both))) == 15
    # A stratum that every item is in, and authors of half the platform each, tie nothing.
    assert len(np.unique(pieces_of(small(stratum=np.arange(1_200) % 10)))) == 120
    halves = {str(at): str(at % 2) for at in range(120)}
    assert len(np.unique(pieces_of(small(author=halves)))) == 120


def test_halves_hold_whole_pieces_and_half_of_the_items() -> None:
    random = np.random.default_rng(1)
    pieces = np.repeat(np.arange(40), random.integers(1, 9, 40)).astype(np.int32)
    drawn = [half_of(pieces, random) for _ in range(20)]
    for half in drawn:
        assert all(len(np.unique(half[pieces == one])) == 1 for one in range(40))
        assert abs(half.mean() - 0.5) < 0.06
    assert 0.3 < np.mean(drawn, axis=0).mean() < 0.7
    assert len({half.tobytes() for half in drawn}) > 15


def test_what_is_hidden() -> None:
    by_chance = np.arange(1_200) % 3 == 0
    log = small(randomized=by_chance)
    items = np.arange(120) % 2 == 0
    hidden = without_randomness(log, items)
    assert not hidden.has_randomized
    assert hidden.n_rows == sum(batch.n_rows for batch in hidden.batches()) == 400
    assert all(batch.randomized is None for batch in hidden.batches())
    assert {int(one) % 2 for batch in hidden.batches() for one in batch.item} == {0}
    shown = randomised_part(log, ~items)
    assert shown.n_rows == 600
    assert sum(int(np.sum(batch.randomized)) for batch in shown.batches()) == 200
    strata = small(randomized=by_chance, stratum=np.arange(1_200) // 40)
    assert without_randomness(strata, items).n_rows == 600
    assert without_randomness(strata, items).n_strata == 0
    assert randomised_part(strata, items).n_strata == 30


def test_nothing_random_teaches_nothing() -> None:
    log = small()
    tags = tags_from_arrays(log.items, np.eye(120)[:, :12], [f"t{at}" for at in range(12)])
    with pytest.raises(EstimationError, match="neither strata"):
        learn_bias_within(log, tags, Joint(), Question())
