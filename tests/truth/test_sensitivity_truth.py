"""Which claims doubt withdraws over simulated worlds: false ones where authors confound, few else.

"Large" is a true effect beyond four of its standard errors; "wrong" a claim of a tag without effect
or of the other sign.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl
import pytest

from tagcf.data.simulate import Platform, simulate
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint
from tagcf.effects.sensitivity.doubt import cast_doubt
from tagcf.effects.sensitivity.evidence import Doubting
from tagcf.effects.task import Question

pytestmark = pytest.mark.truth

WORLDS = 6
DOUBTING = Doubting(permutations=99, exact=("duration_s",), curve=False)


@dataclass
class Tally:
    """Claims over worlds, and how many of them were withdrawn."""

    large: int = 0
    large_withdrawn: int = 0
    wrong: int = 0
    wrong_withdrawn: int = 0
    null_placebo: list[float] = field(default_factory=list)
    families: list[bool] = field(default_factory=list)  # outcome of a world: any next-item alarm
    stops: Counter[str] = field(default_factory=Counter)


def tally(seeds: Iterable[int], using: Joint, **platform: object) -> Tally:
    found = Tally()
    for seed in seeds:
        world = simulate(Platform(seed=seed, **platform))  # type: ignore[arg-type]  # by name
        question = Question(estimand="direct", min_items=30)
        effects = estimate_effects(world.log, world.tags, using, question)
        cast = cast_doubt(world.log, world.tags, effects, using, question, DOUBTING)
        truth = {
            (row["tag"], row["outcome"]): row["effect"]
            for row in world.truth.filter(
                pl.col("segment").is_null() & (pl.col("estimand") == "direct")
            ).to_dicts()
        }
        told = {(one.tag, one.outcome): one for one in effects.effects if one.segment is None}
        alarms: dict[str, bool] = {}
        for doubt in cast.doubts:
            effect, real = told[doubt.tag, doubt.outcome], truth[doubt.tag, doubt.outcome]
            past = any(one.name == "next_item" and one.q <= 0.05 for one in doubt.negatives)
            alarms[doubt.outcome] = alarms.get(doubt.outcome, False) or past
            if real == 0:
                found.null_placebo.append(doubt.placebo_p)
            if effect.verdict not in ("raises", "lowers"):
                continue
            gone = doubt.stopped_by is not None
            wrong = real * (effect.estimate or 0.0) <= 0
            large = not wrong and abs(real) > 4 * (effect.se or 1.0)
            found.wrong += wrong
            found.wrong_withdrawn += wrong and gone
            found.large += large
            found.large_withdrawn += large and gone
            found.stops[str(doubt.stopped_by)] += 1
        found.families += list(alarms.values())
    return found


@pytest.fixture(scope="module")
def random() -> Tally:
    """Random exposure, authors held: the ground is firm."""
    return tally(range(100, 100 + WORLDS), Joint())


@pytest.fixture(scope="module")
def clean() -> Tally:
    """The recommender chose everything, and nothing confounds."""
    return tally(
        range(200, 200 + WORLDS),
        Joint(author_effects=False),
        random_share=0.0,
        confounding=0.0,
        taste_heterogeneity=0.0,
    )


@pytest.fixture(scope="module")
def confounded() -> Tally:
    """Authors' quality goes with tags, and the model does not hold authors."""
    return tally(
        range(300, 300 + WORLDS), Joint(author_effects=False), random_share=0.0, confounding=1.0
    )


def test_large_effects_stand_where_the_ground_is_firm(random: Tally, clean: Tally) -> None:
    assert random.large >= 40
    assert clean.large >= 40
    assert random.large_withdrawn <= 0.05 * random.large
    assert clean.large_withdrawn <= 0.10 * clean.large


def test_most_false_claims_of_confounded_authors_are_withdrawn(confounded: Tally) -> None:
    assert confounded.wrong >= 15
    assert confounded.wrong_withdrawn >= 0.6 * confounded.wrong
    assert confounded.large_withdrawn <= 0.10 * confounded.large


def test_the_past_rarely_alarms_without_reason(random: Tally, clean: Tally) -> None:
    families = random.families + clean.families
    assert sum(families) <= 0.05 * len(families) + 3  # binomial noise over 60


def test_placebo_p_is_honest_about_null_tags(random: Tally) -> None:
    share = sum(p <= 0.05 for p in random.null_placebo) / len(random.null_placebo)
    assert share <= 0.10
