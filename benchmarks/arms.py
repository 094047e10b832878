"""Three arms of one ranker on simulated platforms: no effects of tags, naive ones, causal ones.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.arms [SEEDS [FIRST]]``, one process for each kind of
world; it writes ``benchmarks/results/arms.json``. Everything is simulated, so that what a list
truly leads to is known: completion and like as means over its items, return after a week of seeing
just them. `SEEDS` worlds are confounded, half as many of each other kind. The ranker was developed
on the worlds of seeds 0 to 9; those that are reported start at `FIRST` and were not looked at
before.

Half of the items and a fifth of the users are kept out of the log: candidates are half new, as on
a platform whose catalogue turns over. Every arm is the same `Ranker` on the same log; only the
effects that it is given differ. Worlds:

confounded
    The simulator as it is: a policy that shows people what suits them, authors whose quality goes
    with tags and popularity, tags that lengthen items, active users who return anyway.
unconfounded
    None of these ties, everything shown at random, activity without a bearing on outcomes.
travelling quality
    Ties twice as strong, and authors not logged: quality travels with tags and nothing else in
    the log tells it. Here also ``toggles``: the ranker given the *true* toggle effects, which say
    nothing of that quality, alone and mended.

The three arms are ``Ranker(association=False)``: nothing but the effects says anything of a tag.
Beside them, rankers that learn what tags' association with items' records under random exposure
adds to the effects (``naive mended``, ``causal mended``) or tells without any (``association``).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from benchmarks.record import write_result
from tagcf.data.simulate import Platform, World, simulate
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint, Naive
from tagcf.effects.task import Question
from tagcf.recommend.rank.fitted import Context, FittedRanker
from tagcf.recommend.rank.ranker import Ranker
from tagcf.recommend.rank.utility import Utility
from tagcf.types import Codes, Effect, EventBatch, EventLog, Floats, Mask, TagEffects

SIZE: dict[str, Any] = {
    "users": 4_000,
    "items": 2_000,
    "days": 42,
    "impressions_per_user_day": 2.8,
}
WORLDS: dict[str, dict[str, Any]] = {
    "confounded": {},
    "unconfounded": {"confounding": 0.0, "random_share": 1.0, "loyalty": 0.0},
    "travelling quality": {"confounding": 2.0},
}
ALONE = ("completion", "like", "return_7d")  # each also wanted for itself, by a list of its own
JUDGED = (*ALONE, "worth", *(f"{outcome} alone" for outcome in ALONE))
NEW_ITEMS, NEW_USERS = 0.5, 0.2
READERS, CANDIDATES, LENGTH = 200, 500, 5
# A list is worth its mean completion and like, and the chance that it brings its reader back: five
# impressions share one return.
UTILITY = Utility({"completion": 1.0, "like": 1.0, "return_7d": float(LENGTH)})


@dataclass(frozen=True, slots=True)
class Stage:
    """A world with what the log shows of it and who is to be served."""

    world: World
    log: EventLog
    shown: Mask  # (I,) items that the log may show
    readers: Codes  # (READERS,)
    candidates: Codes  # (READERS, CANDIDATES) each reader's own


def make_stage(seed: int, name: str) -> Stage:
    """Simulate, and keep some items and users out of the log."""
    world = simulate(Platform(seed=seed, **SIZE, **WORLDS[name]))
    rng = np.random.default_rng(10_000 + seed)
    shown = rng.random(SIZE["items"]) >= NEW_ITEMS
    known = rng.random(SIZE["users"]) >= NEW_USERS
    log = only(world.log, shown, known)
    if name == "travelling quality":
        log = replace(log, item_author=None, n_authors=0)
    return Stage(
        world=world,
        log=log,
        shown=shown,
        readers=np.sort(rng.permutation(SIZE["users"])[:READERS]).astype(np.int32),
        candidates=own_candidates(rng),
    )


def own_candidates(rng: np.random.Generator) -> Codes:
    """(READERS, CANDIDATES) items drawn for each reader: lists of one world are not all alike."""
    drawn = [rng.permutation(SIZE["items"])[:CANDIDATES] for _ in range(READERS)]
    return np.sort(np.stack(drawn), axis=1).astype(np.int32)


def only(log: EventLog, items: Mask, users: Mask) -> EventLog:
    """The log's rows of some items and users."""

    def batches() -> Iterator[EventBatch]:
        for batch in log.batches():
            yield batch.rows(items[batch.item] & users[batch.user])

    return replace(log, batches=batches, n_rows=sum(batch.n_rows for batch in batches()))


def arms_of(stage: Stage) -> dict[str, tuple[Ranker, TagEffects | None]]:
    """Every arm: its settings and its effects."""
    log, tags = stage.log, stage.world.tags
    naive = estimate_effects(log, tags, Naive())
    causal = estimate_effects(log, tags, Joint(), Question(estimand="direct"))
    alone, mended = Ranker(association=False), Ranker()
    arms: dict[str, tuple[Ranker, TagEffects | None]] = {
        "none": (alone, None),
        "naive": (alone, naive),
        "causal": (alone, causal),
        "association": (mended, None),
        "naive mended": (mended, naive),
        "causal mended": (mended, causal),
    }
    if not log.n_authors:
        toggles = true_toggles(stage.world, causal)
        arms |= {"toggles": (alone, toggles), "toggles mended": (mended, toggles)}
    return arms


def true_toggles(world: World, found: TagEffects) -> TagEffects:
    """The true direct effects in the place of estimates, as an experiment of any size tells."""
    truth = world.truth.filter(pl.col("segment").is_null() & (pl.col("estimand") == "direct"))
    effect = {(row["tag"], row["outcome"]): row["effect"] for row in truth.iter_rows(named=True)}

    def known(one: Effect) -> Effect:
        return replace(one, estimate=effect[one.tag, one.outcome], se=1e-4)

    return TagEffects(tuple(known(one) for one in found.effects))


def predicted(fitted: FittedRanker, stage: Stage) -> Floats:
    """(READERS · CANDIDATES, K) outcomes of every reader with every candidate."""
    items = stage.candidates.ravel()
    facts = np.full((items.size, len(stage.log.covariates)), np.nan)
    at = [one.name for one in stage.log.covariates].index("duration_s")
    facts[:, at] = stage.world.mechanism.catalogue.duration_s[items]
    users = np.repeat(stage.readers, CANDIDATES)
    return fitted.outcomes(users, items, Context(covariates=facts))


def best_of(fitted: FittedRanker, stage: Stage, outcomes: Floats, utility: Utility) -> Codes:
    """(READERS, LENGTH) the best candidates of each reader."""
    value = utility.of(fitted.names, outcomes).reshape(READERS, CANDIDATES)
    best = np.argsort(-value, axis=1, kind="stable")[:, :LENGTH]
    return np.take_along_axis(stage.candidates, best, axis=1)


def truth_of(stage: Stage, best: Codes) -> dict[str, float]:
    """What these lists truly lead to."""
    world = stage.world
    names = [one.name for one in world.log.outcomes]
    expected = world.expected(np.repeat(stage.readers, LENGTH), best.ravel()).mean(axis=0)
    found = dict(zip(names, expected.tolist(), strict=True))
    found["return_7d"] = float(world.expected_return(stage.readers, best).mean())
    found["worth"] = found["completion"] + found["like"] + found["return_7d"]
    found["new items"] = float((~stage.shown[best]).mean())
    return found


def study(name: str, seeds: range) -> list[dict[str, Any]]:
    """Truth of every arm in every world of a kind."""
    rows = []
    for seed in seeds:
        stage = make_stage(seed, name)
        for arm, (ranker, effects) in arms_of(stage).items():
            fitted = ranker.fit(stage.log, stage.world.tags, effects)
            told = predicted(fitted, stage)
            truth = truth_of(stage, best_of(fitted, stage, told, UTILITY))
            for outcome in ALONE:
                own = best_of(fitted, stage, told, Utility({outcome: 1.0}))
                truth[f"{outcome} alone"] = truth_of(stage, own)[outcome]
            calibration = zip(fitted.names, fitted.described.calibration, strict=True)
            errors = {f"ece {outcome}": one.error for outcome, one in calibration}
            rows.append({"world": name, "seed": seed, "arm": arm, **truth, **errors})
        print(name, seed, f"{time.process_time():.0f} s", file=sys.stderr)
    return rows


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means of the arms, and their paired differences from `none` and from `naive`."""
    found = []
    for world in dict.fromkeys(row["world"] for row in rows):
        here = [row for row in rows if row["world"] == world]
        for arm in dict.fromkeys(row["arm"] for row in here):
            own = [row for row in here if row["arm"] == arm]
            line: dict[str, Any] = {"world": world, "arm": arm, "worlds": len(own)}
            for outcome in (*JUDGED, "new items"):
                values = np.array([row[outcome] for row in own])
                line[outcome] = round(float(values.mean()), 4)
                for other in ("none", "naive"):
                    base = np.array([row[outcome] for row in here if row["arm"] == other])
                    if outcome in JUDGED and other != arm:
                        line[f"{outcome} minus {other}"] = paired(values - base)
            found.append(line)
    return found


def paired(difference: Floats) -> list[float]:
    """Mean and 95% t interval over worlds."""
    n = difference.size
    half = stats.t.ppf(0.975, n - 1) * difference.std(ddof=1) / np.sqrt(n)
    mean = float(difference.mean())
    return [round(mean, 4), round(mean - float(half), 4), round(mean + float(half), 4)]


def against_gain(found: list[dict[str, Any]]) -> dict[str, float]:
    """Causal minus naive without confounding, as a share of causal's gain over none with it."""
    line = {(one["world"], one["arm"]): one for one in found}
    gap, gain = line["unconfounded", "causal"], line["confounded", "causal"]
    return {
        outcome: round(gap[f"{outcome} minus naive"][0] / gain[f"{outcome} minus none"][0], 4)
        for outcome in JUDGED
    }


def result_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What is recorded."""
    found = compared(rows)
    causal = [row for row in rows if row["arm"] == "causal"]
    return {
        "seeds": {
            name: [min(own), max(own)]
            for name in WORLDS
            for own in [[row["seed"] for row in rows if row["world"] == name]]
        },
        "size": SIZE,
        "worlds": WORLDS,
        "utility": dict(UTILITY.weights),
        "readers": READERS,
        "candidates": CANDIDATES,
        "length": LENGTH,
        "new_items": NEW_ITEMS,
        "new_users": NEW_USERS,
        "compared": found,
        "unconfounded_gap_over_confounded_gain": against_gain(found),
        "calibration_error": {
            name: {
                key: round(float(np.mean([row[key] for row in causal if row["world"] == name])), 4)
                for key in causal[0]
                if key.startswith("ece")
            }
            for name in WORLDS
        },
    }


def main() -> None:
    """Measure and record."""
    asked = [int(one) for one in sys.argv[1:]]
    first = asked[1] if len(asked) > 1 else 0
    confounded = asked[0] if asked else 40
    counts = [confounded if name == "confounded" else confounded // 2 for name in WORLDS]
    with ProcessPoolExecutor(len(WORLDS)) as pool:
        found = pool.map(study, WORLDS, [range(first, first + count) for count in counts])
        rows = [row for own in found for row in own]
    write_result("arms", result_of(rows))


if __name__ == "__main__":
    main()
