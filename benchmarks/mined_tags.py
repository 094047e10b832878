"""False claims of tags that were found in behaviour, on worlds where no tag does anything.

Run ``python -m benchmarks.mined_tags``; it writes ``benchmarks/results/mined_tags.json``.

Co-use proposes sub-tags (`benchmarks.mined_world`), all are accepted, and their effects on clicks
are estimated by community of users. p-values below .05 are to be 5 %. Sub-tags of names drawn at
random say how near to that the estimator comes by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.mined_world import MinedWorld, fair, found_tags, mined_world, random_tags
from benchmarks.record import write_result
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.estimates import CLAIMS
from tagcf.effects.methods import Joint
from tagcf.effects.task import Question
from tagcf.types import EventBatch, EventLog, TagMatrix

WORLDS = 8
MIDDLE = 5e5  # seconds: half of a world's rows


def half_of(log: EventLog, *, second: bool) -> EventLog:
    """Rows of the first or the second half of a log."""

    def batches() -> Iterator[EventBatch]:
        for batch in log.batches():
            yield batch.rows((batch.ts > MIDDLE) == second)

    n_rows = sum(batch.n_rows for batch in batches())
    return replace(log, batches=batches, n_rows=n_rows)


def told(log: EventLog, tags: TagMatrix) -> tuple[list[float], int]:
    """p-values of the sub-tags by community, and claims among them."""
    if len(tags.tags) < 2:
        return [], 0
    question = Question(min_items=20, by=(("community",),))
    found = estimate_effects(log, tags, Joint(), question)
    own = [one for one in found.effects if one.segment and one.tag != "warmth"]
    told_ones = [one.p for one in own if one.verdict != "cannot tell" and one.p is not None]
    return told_ones, sum(one.verdict in CLAIMS for one in own)


def ways(world: MinedWorld, seed: int) -> dict[str, tuple[list[float], int]]:
    """Four ways to estimate, and names drawn at random."""
    early, _ = found_tags(world, 1.0, MIDDLE)
    half, mined = found_tags(world, 0.5)
    return {
        "same rows": told(half_of(world.log, second=False), early),
        "later rows of the same items": told(half_of(world.log, second=True), early),
        "items that had no part (enforced)": told(world.log, fair(world, half, mined)),
        "names drawn at random": told(world.log, random_tags(world, seed)),
    }


def main() -> None:
    """Measure and write."""
    sums: dict[str, list[tuple[list[float], int]]] = {}
    for seed in range(WORLDS):
        for name, one in ways(mined_world(seed), seed).items():
            sums.setdefault(name, []).append(one)
    result = {}
    for name, parts in sums.items():
        p = np.array([value for values, _ in parts for value in values])
        result[name] = {
            "estimates": len(p),
            "share of p < .05": round(float((p < 0.05).mean()), 4),
            "claims": sum(claims for _, claims in parts),
            "worlds with a claim": sum(claims > 0 for _, claims in parts),
            "worlds": WORLDS,
        }
    write_result("mined_tags", {"simulated": True, "ways": result})


if __name__ == "__main__":
    main()
