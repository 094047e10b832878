"""Our side of the peer benchmark, through the public verb; run in fresh processes by `peers`.

``python -m benchmarks.own_tasks '{"task": "joint", …}'`` prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.dgp import Size, World, make_world
from benchmarks.measure import measure
from tagcf.effects import methods
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.instruments.least_squares import two_stage
from tagcf.effects.instruments.stage_sums import StageBlock
from tagcf.effects.methods import Joint, Matching, TwoStage, Using
from tagcf.types import TagEffects

BLOCK = 16_384  # rows of a block of the yardstick


def method(name: str) -> Using:
    """The method by name; covariates enter linearly, as the world has them and the peers do."""
    if name == "robust":
        made: Using = methods.Robust(knots=0)  # where the checkout has it
        return made
    return METHODS[name]


METHODS: dict[str, Using] = {
    "joint, plain": Joint(knots=0, errors="CR1", item_effects="none"),
    "joint, leave one item out": Joint(knots=0, item_effects="none"),
    "joint": Joint(knots=0),
    "matching": Matching(knots=0),
    "two-stage": TwoStage(knots=0),
}


def estimate(order: dict[str, Any]) -> dict[str, Any]:
    """Measure one method on one world: estimates of every tag and outcome."""
    size, using = Size(**order["size"]), method(order["task"])
    small = Size(8_000, 3, 12, size.outcomes, instrumented=size.instrumented)
    _effects(make_world(small), using)  # compiles and imports
    world = make_world(size)
    log, tags = world.log(order.get("outcomes")), world.tags()
    found = measure(lambda: estimate_effects(log, tags, using), int(order.get("repeats", 1)))
    return {
        "method": order["task"],
        "rows": size.rows,
        "cpu": round(found.cpu, 3),
        "spread": round(found.spread, 2),
        "extra_mb": round(found.extra_mb),
        "world": world.fingerprint(),
        **judged(found.value, world, [0]),
        "all_outcomes": judged(found.value, world, list(range(size.outcomes))),
    }


def two_stage_alone(order: dict[str, Any]) -> dict[str, Any]:
    """Coefficients and clustered errors of two-stage least squares: what linearmodels computes."""
    size = Size(**order["size"])
    two_stage(partial(_stage_blocks, make_world(Size(2_000, 3, 3, 1, instrumented=True))))
    world = make_world(size)
    blocks = partial(_stage_blocks, world)
    found = measure(lambda: two_stage(blocks), int(order.get("repeats", 1)))
    fit = found.value
    return {
        "method": order["task"],
        "cpu": round(found.cpu, 4),
        "spread": round(found.spread, 2),
        "world": world.fingerprint(),
        "rmse": round(float(np.sqrt(np.mean((fit.coef[:, 0] - world.theta[:, 0]) ** 2))), 5),
        "mean_se": round(float(np.sqrt(np.diag(fit.cov[0])).mean()), 5),
    }


def _stage_blocks(world: World) -> Iterator[StageBlock]:
    for start in range(0, len(world.x), BLOCK):
        rows = slice(start, start + BLOCK)
        x = world.x[rows].astype(float)
        yield StageBlock(
            y=world.y[rows, :1].astype(float),
            endogenous=world.carried[world.item[rows]].astype(float),
            controls=np.column_stack([np.ones(len(x)), x]),
            instruments=world.moved[rows].astype(float),
            w=np.ones(len(x)),
            clusters=np.column_stack([world.user[rows], world.item[rows]]).astype(np.int32),
        )


def sgemm(order: dict[str, Any]) -> dict[str, Any]:
    """One float32 Gram pass over the data, reading it in blocks: the yardstick."""
    world = make_world(Size(**order["size"]))
    found = measure(lambda: _gram(world), int(order.get("repeats", 1)))
    return {"method": "sgemm", "cpu": round(found.cpu, 3), "spread": round(found.spread, 2)}


def accuracy(order: dict[str, Any]) -> dict[str, Any]:
    """Estimates and errors of one method on the first tags of one world, for pooling."""
    world = make_world(Size(**order["size"]))
    found = measure(lambda: _effects(world, method(order["task"]), outcomes=1))
    return {
        "method": order["task"],
        "cpu": round(found.cpu, 3),
        "world": world.fingerprint(),
        **judged(found.value, world, [0]),
    }


def _effects(world: World, using: Using, outcomes: int | None = None) -> TagEffects:
    return estimate_effects(world.log(outcomes), world.tags(), using)


def judged(found: TagEffects, world: World, outcomes: list[int]) -> dict[str, Any]:
    """Error against the truth and coverage of the 95% intervals; what was not told, apart."""
    rows = [
        (one.estimate, one.se, one.ci_low, one.ci_high, _truth(world, one.tag, one.outcome))
        for one in found.effects
        if one.outcome in {f"y{at}" for at in outcomes} and one.segment is None
    ]
    told = np.array([row for row in rows if None not in row], dtype=float)
    if not len(told):
        return {
            "rmse": None,
            "coverage": None,
            "intervals": 0,
            "mean_se": None,
            "untold": len(rows),
        }
    estimate, se, low, high, truth = told.T
    return {
        "rmse": round(float(np.sqrt(np.mean((estimate - truth) ** 2))), 5),
        "coverage": round(float(np.mean((low <= truth) & (truth <= high))), 4),
        "intervals": len(told),
        "mean_se": round(float(se.mean()), 5),
        "untold": len(rows) - len(told),
    }


def _truth(world: World, tag: str, outcome: str) -> float:
    return float(world.theta[int(tag[1:]), int(outcome[1:])])


def _gram(world: World) -> np.ndarray:
    """Sum the Gram matrix of covariates, tags and outcomes: float32 products, float64 sums."""
    p, t, k = world.x.shape[1], world.carried.shape[1], world.y.shape[1]
    total = np.zeros((p + t + k, p + t + k))
    block = np.empty((BLOCK, p + t + k), np.float32)
    for start in range(0, len(world.x), BLOCK):
        rows = slice(start, min(start + BLOCK, len(world.x)))
        part = block[: rows.stop - rows.start]
        part[:, :p], part[:, p + t :] = world.x[rows], world.y[rows]
        part[:, p : p + t] = world.carried[world.item[rows]]
        total += part.T @ part
    return total


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Measure what the order asks for."""
    if order["task"] == "sgemm":
        return sgemm(order)
    if order["task"] == "two-stage alone":
        return two_stage_alone(order)
    return accuracy(order) if order.get("pooled") else estimate(order)


if __name__ == "__main__":
    print("\n" + json.dumps(run(json.loads(sys.argv[1]))))
