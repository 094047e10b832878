"""Coverage, precision and false claims over simulated worlds; writes ``results/coverage.json``.

Run ``python -m benchmarks.coverage [WORLDS]``. All data are simulated. Kinds of worlds:

- plain: the default platform, 400 users, 600 items, 24 tags, about 31,000 impressions
- popular: Zipf popularity, a few items carry most of the recommender's rows
- biased: Zipf, strong tastes and strong confounding, so that the recommender's rows mislead
- linear: identity link instead of logistic
- little random: 10% random exposure instead of 30%
"""

from __future__ import annotations

import sys
from typing import Any

import polars as pl

from benchmarks.record import write_result
from benchmarks.worlds import METHODS, answers, judged, segment_answers
from tagcf.effects.methods import Joint, Matching, Robust, Using

KINDS: dict[str, dict[str, object]] = {
    "plain": {},
    "popular": {"zipf": 1.0},
    "biased": {"zipf": 1.0, "taste_heterogeneity": 3.0, "confounding": 2.0},
    "linear": {"link": "identity"},
    "little random": {"random_share": 0.1},
}
STUDIED: dict[str, Using] = {
    **METHODS,
    "joint, random rows only": Joint(rows="random"),
    "robust": Robust(),
    "matching": Matching(exact=("duration_s",)),
}


def study(worlds: int) -> list[dict[str, Any]]:
    """One row per kind of world, method and outcome."""
    rows: list[dict[str, Any]] = []
    for number, (kind, platform) in enumerate(KINDS.items()):
        seeds = range(1_000 * (number + 1), 1_000 * (number + 1) + worlds)
        table = judged(answers(seeds, STUDIED, **platform)).sort("outcome", "name")
        rows += [{"worlds": kind, **row} for row in table.iter_rows(named=True)]
    return rows


def segments(worlds: int) -> list[dict[str, Any]]:
    """Effects by city tier: raw and shrunken, per outcome."""
    return segment_answers(range(9_000, 9_000 + worlds)).sort("outcome").to_dicts()


def main() -> None:
    """Measure and record."""
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with pl.Config(float_precision=4):
        result = {
            "worlds of each kind": worlds,
            "rows": study(worlds),
            "segments": segments(worlds),
        }
    write_result("coverage", result)


if __name__ == "__main__":
    main()
