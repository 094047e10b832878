"""Popularity taken off scores: how much is validation's to say."""

import numpy as np
import pytest

from tagcf.recommend.baselines.co_visitation import CoVisitation
from tagcf.recommend.baselines.popularity import Popularity
from tagcf.recommend.evaluate.beyond import coverage, gini
from tagcf.recommend.evaluate.ranking import rank_targets
from tagcf.recommend.evaluate.search import Grid
from tagcf.recommend.evaluate.splits import leave_one_out
from tagcf.recommend.histories import Histories
from tagcf.recommend.spread.tempered import (
    Reach,
    Tempered,
    TemperedSearch,
    log_frequency,
    most_even,
)

N_ITEMS = 120


def skewed(seed: int = 0) -> Histories:
    """Pairs that follow each other, among items of very different popularity."""
    rng = np.random.default_rng(seed)
    usual = 1 / np.arange(1, N_ITEMS // 2 + 1)
    usual /= usual.sum()
    sequences = []
    for _ in range(500):
        firsts = rng.choice(N_ITEMS // 2, 4, replace=False, p=usual)
        sequences.append([int(one) for first in firsts for one in (2 * first, 2 * first + 1)])
    return Histories.of(sequences, N_ITEMS)


def test_frequency_is_standardised_and_unknown_items_are_usual() -> None:
    value = log_frequency(Histories.of([[0] * 8 + [1] * 2 + [2]], 5))
    logs = np.log([8, 2, 1])
    np.testing.assert_allclose(value[:3], (logs - logs.mean()) / logs.std(), rtol=1e-5)
    assert (value[3:] == 0).all()
    assert (log_frequency(Histories.of([[]], 3)) == 0).all()


def test_strength_spreads_lists_and_zero_is_the_model() -> None:
    split = leave_one_out(skewed())
    test = split.test
    plain = Tempered(CoVisitation(), 0.0).fit(test.train)
    alone = CoVisitation().fit(test.train).scores(test.history)
    np.testing.assert_array_equal(plain.scores(test.history), alone)
    tops = [
        rank_targets(Tempered(CoVisitation(), one).fit(test.train), test).top
        for one in (0.0, 0.1, 0.3)
    ]
    ginis = [gini(top[:, :10], N_ITEMS) for top in tops]
    assert ginis[0] > ginis[1] > ginis[2]
    assert coverage(tops[2], N_ITEMS) >= coverage(tops[0], N_ITEMS)


def test_most_even_within_the_loss() -> None:
    reach = [
        Reach(0.100, 0.5, 0.9),
        Reach(0.1005, 0.6, 0.8),
        Reach(0.0996, 0.7, 0.7),  # within .001 of the best
        Reach(0.0990, 0.9, 0.5),  # not
        Reach(0.1004, 0.4, 0.3),  # covers less than the model
    ]
    assert most_even(reach, 0.001) == 2
    assert most_even(reach, 0.01) == 3
    assert most_even(reach[:1], 0.001) == 0


@pytest.mark.parametrize("seed", range(2))
def test_search_gives_up_no_more_than_allowed(seed: int) -> None:
    split = leave_one_out(skewed(seed))
    inner = Grid("popularity", [Popularity(), CoVisitation()])
    chosen = TemperedSearch(inner, strengths=(0.0, 0.2, 5.0)).choose(split.valid)
    assert isinstance(chosen.model, Tempered)
    values = {
        one.model.strength: one.value for one in chosen.tried if isinstance(one.model, Tempered)
    }
    assert values[chosen.model.strength] >= max(values.values()) - 0.001
    assert isinstance(chosen.model.model, CoVisitation)
