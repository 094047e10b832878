"""Coat: tag contrasts from self-selected ratings, judged on randomly assigned ones.

Run ``python -m benchmarks.coat``; it writes ``benchmarks/results/coat.json``. The contrast of a tag
is the mean rating of coats that carry it minus that of coats that don't, every user rating every
coat. Schnabel et al. (2016), "Recommendations as Treatments".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import shared_data, write_result
from tagcf.counterfactual.model import fit_response
from tagcf.data.arrays import log_from_arrays


def contrasts(values: np.ndarray, weight: np.ndarray, carried: np.ndarray) -> np.ndarray:
    """(T,) weighted mean of values (users × items) with each tag minus without."""
    total, mass = (values * weight).sum(axis=0), weight.sum(axis=0)
    with_tag, without = carried.T, 1 - carried.T
    return (with_tag @ total) / (with_tag @ mass) - (without @ total) / (without @ mass)


def response_contrasts(
    ratings: np.ndarray, carried: np.ndarray, propensity: np.ndarray | None
) -> np.ndarray:
    """Contrasts of our response model: users' and items' deviations, shrunken, all items alike.

    With `propensity` a rating stands for as many as it hides: 1 / propensity.
    """
    user, item = np.nonzero(ratings)
    weight = None
    if propensity is not None:
        weight = 1 / propensity[user, item]
        weight = weight / weight.mean()
    log = log_from_arrays(
        item=item,
        user=user,
        outcomes={"rating": ratings[user, item]},
        kinds={"rating": "real"},
        weight=weight,
    )
    model = fit_response(log)
    at = log.items.find([str(one) for one in range(ratings.shape[1])])
    level = np.where(at < 0, 0.0, model.item.value[at, 0])
    return contrasts(level[None], np.ones((1, len(level))), carried)


def errors(folder: Path) -> dict[str, Any]:
    """Pooled root-mean-square errors against the randomly assigned ratings."""
    chosen = np.loadtxt(folder / "train.ascii")
    random = np.loadtxt(folder / "test.ascii")
    carried = np.loadtxt(folder / "item_features.ascii")
    propensity = np.load(folder / "propensities.npz")["p"].astype(float)
    seen = (chosen > 0).astype(float)
    truth = contrasts(random, (random > 0).astype(float), carried)
    found = {
        "naive": contrasts(chosen, seen, carried),
        "inverse propensity, the authors' own": contrasts(chosen, seen / propensity, carried),
        "response model": response_contrasts(chosen, carried, None),
        "response model, weighted by the authors' propensity": response_contrasts(
            chosen, carried, propensity
        ),
    }
    error = {name: float(np.sqrt(np.mean((one - truth) ** 2))) for name, one in found.items()}
    return {
        "tags": carried.shape[1],
        "root mean square error": error,
        "error of the truth itself": truth_error(random, carried),
    }


def truth_error(random: np.ndarray, carried: np.ndarray, draws: int = 200) -> float:
    """Bootstrap error, over users, of the contrasts that are taken as the truth."""
    generator = np.random.default_rng(0)
    users = len(random)
    drawn = []
    for _ in range(draws):
        sample = random[generator.integers(0, users, users)]
        drawn.append(contrasts(sample, (sample > 0).astype(float), carried))
    return float(np.sqrt(np.mean(np.var(drawn, axis=0))))


def main() -> None:
    """Measure and record."""
    write_result("coat", errors(shared_data() / "coat"))


if __name__ == "__main__":
    main()
