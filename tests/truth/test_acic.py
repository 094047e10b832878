"""ACIC 2016, draws 1 to 5: covariates of real children, outcomes drawn with known effects.

Dorie, Hill, Shalit, Scott and Cervone (2019), "Automated versus do-it-yourself methods".
"""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.acic import DRAWS, Draw, read_draw, task_of
from tagcf.effects.methods import Boosted, Robust
from tagcf.effects.robust.individual import IndividualEffects, individual_effects

Answer = tuple[Draw, IndividualEffects]


@pytest.fixture(scope="module")
def answers(shared_data: Path) -> list[Answer]:
    using = Robust(nuisances=Boosted())
    draws = [read_draw(shared_data / "acic2016", number) for number in DRAWS]
    return [(draw, individual_effects(task_of(draw), "z", "y", using)) for draw in draws]


def supported_truth(draw: Draw, found: IndividualEffects) -> np.ndarray:
    """Effects of the units that the estimate is about: those with a comparable counterpart."""
    return draw.effect[np.isfinite(found.effect)]


def test_intervals_cover(answers: list[Answer]) -> None:
    covered = [
        abs(found.average - supported_truth(draw, found).mean())
        < stats.t.ppf(0.975, found.df) * found.se
        for draw, found in answers
    ]
    assert sum(covered) >= 4  # of five at .95; three or fewer has a chance of .02


def test_average_effects_are_near(answers: list[Answer]) -> None:
    for draw, found in answers:
        assert abs(found.average - supported_truth(draw, found).mean()) < 3 * found.se
        assert found.se < 0.05 * draw.y.std()


def test_overlap_is_poor_in_the_first_draw_only(answers: list[Answer]) -> None:
    shares = [np.isnan(found.effect).mean() for _, found in answers]
    assert shares[0] > 0.2
    assert max(shares[1:]) < 0.05


def test_individual_effects_beat_the_average(answers: list[Answer]) -> None:
    """Where effects vary, most of it is found; where they don't, hardly any is made up."""
    for draw, found in answers:
        truth = supported_truth(draw, found)
        error = np.sqrt(np.nanmean((found.effect - draw.effect) ** 2))
        assert error < max(0.4 * truth.std(), 0.15)
