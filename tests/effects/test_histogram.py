"""Matching in bins of the score against pairing."""

import numpy as np
import polars as pl

from benchmarks.worlds import with_truth
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.simulate import Platform, simulate
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Histogram, Matching


def test_says_what_pairing_says() -> None:
    gaps, widths = [], []
    for seed in range(3):
        world = simulate(Platform(seed=seed))
        pairs = with_truth(world, Matching(), world.log)
        bins = with_truth(world, Matching(form=Histogram()), world.log)
        both = pairs.join(bins, on=["tag", "outcome"], suffix="_bins").filter(
            pl.col("verdict") != "cannot tell"
        )
        gaps.append(((both["estimate_bins"] - both["estimate"]) / both["se"]).to_numpy())
        widths.append((both["se_bins"] / both["se"]).to_numpy())
    gap, width = np.concatenate(gaps), np.concatenate(widths)
    gap, width = gap[np.isfinite(gap)], width[np.isfinite(width)]
    assert gap.size > 200
    # What is left between them is the noise of pairing itself, which bins average out.
    assert abs(gap.mean()) <= 0.1
    assert np.sqrt((gap**2).mean()) <= 1.0
    assert np.median(width) < 1.0


def test_answers_for_the_treated() -> None:
    """Treated rows lie where the effect is 1; elsewhere it is 0."""
    random = np.random.default_rng(5)
    n_items, n = 800, 16_000
    x = random.normal(size=n_items)
    tag = (random.random(n_items) < 1 / (1 + np.exp(1.0 - 2 * x))).astype(float)
    item = random.integers(0, n_items, n)
    effect = (x > 0).astype(float)
    y = effect[item] * tag[item] + x[item] + 0.1 * random.normal(size=n_items)[item]
    y += random.normal(size=n)
    log = log_from_arrays(
        item=item,
        user=random.integers(0, 500, n),
        outcomes={"y": y},
        kinds={"y": "real"},
        covariates={"x": x[item]},
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    tags = tags_from_arrays(log.items, tag[order][:, None], ["t"])
    found = estimate_effects(log, tags, Matching(form=Histogram())).effects[0]
    treated = effect[item][tag[item] > 0].mean()
    assert found.se is not None
    assert found.ci_low < treated < found.ci_high
    assert abs(found.estimate - treated) < 0.1
    assert treated - effect.mean() > 0.25  # the average over everybody is another
