"""Two-stage least squares on logs: what a random bucket can tell of a tag, and what it cannot."""

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Naive, TwoStage, Using
from tagcf.types import Effect

N_USERS, N_ITEMS, N_AUTHORS = 300, 200, 40
TRUTH = 0.3


def drawn(random: np.random.Generator, log_odds: np.ndarray, user: np.ndarray) -> np.ndarray:
    """Items shown to these users, by softmax over each user's (U, I) log odds."""
    chance = np.exp(log_odds)
    chance /= chance.sum(axis=1, keepdims=True)
    return (chance.cumsum(axis=1)[user] < random.random(user.size)[:, None]).sum(1).clip(0, 199)


def world(
    seed: int,
    *,
    tie: float = 0.0,
    taste: float = 0.0,
    direct: tuple[float, ...] = (0.0, 0.0),
    effect: float = TRUTH,
    authors: bool = True,
    constant: bool = False,
    boost: float = 1.0,
    n: int = 9_000,
    using: Using | None = None,
) -> Effect:
    """One log and what is said of its tag.

    `tie`: how far authors of quality use the tag; `taste`: how far users who respond more are
    shown it; `direct`: what each bucket does to the outcome besides.
    """
    random = np.random.default_rng(seed)
    author = random.integers(0, N_AUTHORS, N_ITEMS)
    quality = random.normal(size=N_AUTHORS)[author]
    tag = (random.random(N_ITEMS) < 1 / (1 + np.exp(0.8 - tie * quality))).astype(float)
    bucket = random.integers(0, len(direct), N_USERS)
    keen = random.normal(size=N_USERS)
    user = random.integers(0, N_USERS, n)
    pull = boost * (bucket > 0) + taste * keen
    item = drawn(random, 0.5 * quality + pull[:, None] * tag, user)
    y = effect * tag[item] + 0.3 * (quality * np.sign(tie))[item] + np.array(direct)[bucket[user]]
    y += 0.5 * taste * keen[user] + 0.1 * random.normal(size=N_USERS)[user] + random.normal(size=n)
    log = log_from_arrays(
        item=item,
        user=user,
        outcomes={"y": np.full(n, 0.1) if constant else y},
        kinds={"y": "real"},
        author=author[item] if authors else None,
        instruments={"bucket": (bucket[user].astype(str), ["tag"])},
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    tags = tags_from_arrays(log.items, tag[order][:, None], ["tag"])
    return estimate_effects(log, tags, using or TwoStage()).effects[0]


def covers(effect: Effect) -> bool:
    return effect.ci_low is not None and effect.ci_low <= TRUTH <= effect.ci_high


def test_covers_where_a_plain_difference_is_off() -> None:
    found = [world(seed, taste=0.8) for seed in range(20)]
    plain = [world(seed, taste=0.8, using=Naive()) for seed in range(20)]
    assert np.mean([covers(effect) for effect in found]) >= 0.9
    assert np.mean([covers(effect) for effect in plain]) <= 0.2
    assert found[0].diagnostics["identifies"] == "bundle"
    assert found[0].rung == "instrument"


def test_quality_of_authors_is_taken_out_or_nothing_is_told() -> None:
    with_authors = [world(seed, tie=1.5, effect=0.0) for seed in range(15)]
    without = [world(seed, tie=1.5, effect=0.0, authors=False) for seed in range(15)]

    def claims(found: list[Effect]) -> int:
        return sum(effect.verdict in ("raises", "lowers") for effect in found)

    assert claims(without) >= 8  # the bundle does raise the outcome; the tag does not
    assert claims(with_authors) <= 2
    keys = {effect.reason.key for effect in with_authors if effect.reason is not None}
    assert keys == {"reason.author_bundle"}


def test_nothing_is_told_where_buckets_contradict_one_another() -> None:
    found = world(1, direct=(0.0, 0.8, -0.8), n=20_000)
    assert found.verdict == "cannot tell"
    assert found.reason is not None
    assert found.reason.key == "reason.instruments_disagree"
    assert found.ci_low is None
    assert found.p is None
    assert "disagree" in str(found.reason) or "矛盾" in str(found.reason)


@pytest.mark.parametrize("authors", [True, False])
def test_an_outcome_without_variation_is_no_claim(authors: bool) -> None:
    found = world(1, constant=True, authors=authors)
    assert found.verdict == "cannot tell"
    assert found.reason is not None
    assert found.reason.key == "reason.no_outcome_variation"
    assert found.estimate is None


def test_a_bucket_that_moves_nothing_tells_nothing() -> None:
    keys = [world(seed, boost=0.0).reason for seed in range(12)]
    refused = [reason for reason in keys if reason is not None]
    assert len(refused) >= 9
    assert {reason.key for reason in refused} <= {"reason.weak_instrument", "reason.author_bundle"}


@pytest.mark.parametrize("boost", [0.0, 0.1])
def test_weak_buckets_are_rarely_claims(boost: float) -> None:
    """Users who respond more are shown the tag more: least squares would claim throughout."""
    found = [
        world(seed, boost=boost, taste=0.8, effect=0.0, authors=False, n=5_000)
        for seed in range(150)
    ]
    claims = [effect.verdict in ("raises", "lowers") for effect in found]
    assert np.mean(claims) <= 0.05
    assert all(effect.estimate is not None for effect in found)  # shown all the same
    assert all(effect.diagnostics["first_stage_f"] is not None for effect in found)
