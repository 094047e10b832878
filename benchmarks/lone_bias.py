"""A few tags biased in the recommender's rows, all others not: what fusing makes of them.

Run ``python -m benchmarks.lone_bias [WORLDS]``; it writes ``benchmarks/results/lone_bias.json``.
Simulated: 24 tags without any effect, 500 items, 16,000 rows of which 15% are random; in chosen
rows, three of the tags go with a higher outcome. One variance of the bias, shared by all tags,
cannot describe that: the hardest case for `tagcf.effects.joint.fuse`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks.record import write_result
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.estimates import CLAIMS
from tagcf.effects.methods import Joint, Using
from tagcf.types import EventLog, TagMatrix

N_ITEMS, N_USERS, N_ROWS, N_TAGS, N_BIASED = 500, 500, 16_000, 24, 3
METHODS: dict[str, Using] = {"fused": Joint(), "random rows alone": Joint(rows="random")}


def make_world(seed: int, bias: float) -> tuple[EventLog, TagMatrix]:
    """One log without any effect, and its tags."""
    random = np.random.default_rng(seed)
    carried = (random.random((N_ITEMS, N_TAGS)) < 0.3).astype(float)
    by_chance = random.random(N_ROWS) < 0.15
    popularity = np.exp(0.5 * random.normal(size=N_ITEMS))
    shown = random.choice(N_ITEMS, N_ROWS, p=popularity / popularity.sum())
    item = np.where(by_chance, random.integers(0, N_ITEMS, N_ROWS), shown)
    lifted = carried[item, :N_BIASED].sum(axis=1) * bias
    y = 0.15 * random.normal(size=N_ITEMS)[item] + random.normal(size=N_ROWS)
    log = log_from_arrays(
        item=item,
        user=random.integers(0, N_USERS, N_ROWS),
        outcomes={"y": y + np.where(by_chance, 0.0, lifted)},
        randomized=by_chance,
        simulated=True,
    )
    order = [int(log.items[at]) for at in range(len(log.items))]
    return log, tags_from_arrays(log.items, carried[order], [f"t{at}" for at in range(N_TAGS)])


def study(worlds: int, bias: float) -> list[dict[str, Any]]:
    """Coverage of zero and claims, for biased tags, the others, and all."""
    rows: dict[tuple[str, str], list[tuple[float, bool, bool]]] = {}
    for seed in range(worlds):
        log, tags = make_world(seed, bias)
        for name, using in METHODS.items():
            for at, effect in enumerate(estimate_effects(log, tags, using).effects):
                if effect.ci_low is None or effect.ci_high is None or effect.estimate is None:
                    continue
                told = (
                    effect.estimate,
                    effect.ci_low <= 0 <= effect.ci_high,
                    effect.verdict in CLAIMS,
                )
                for kind in ("biased" if at < N_BIASED else "others", "all"):
                    rows.setdefault((name, kind), []).append(told)
    return [
        {
            "bias": bias,
            "method": name,
            "tags": kind,
            "intervals": len(told),
            "mean estimate": round(float(np.mean([one[0] for one in told])), 4),
            "coverage": round(float(np.mean([one[1] for one in told])), 4),
            "claims": round(float(np.mean([one[2] for one in told])), 4),
        }
        for (name, kind), told in rows.items()
    ]


def main() -> None:
    """Measure and record."""
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    found = [row for bias in (0.06, 0.10, 0.15) for row in study(worlds, bias)]
    write_result("lone_bias", {"worlds": worlds, "rows": found})


if __name__ == "__main__":
    main()
