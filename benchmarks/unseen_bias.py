"""Purely observational logs with unseen confounding, and a bias that was learned elsewhere.

Run ``python -m benchmarks.unseen_bias [WORLDS]``; it writes ``results/unseen_bias.json``.
Simulated: 24 tags, half without any effect, and for each an unseen bias. One platform has some
randomisation (tests with four arms, or a sixth of its exposure) and learns how large its biases are
(`learn_bias_within`). Another has none, other effects, other biases drawn from the same
distribution; its intervals allow for the learned size. Biases are normal over tags, of equal size,
or sit on three tags alone, which one variance for all tags describes worst.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from benchmarks.record import write_result
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.bias_halves import learn_bias_within, without_randomness
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.estimates import CLAIMS
from tagcf.effects.learned_bias import as_option
from tagcf.effects.methods import Joint
from tagcf.effects.task import Question
from tagcf.types import EventLog, TagEffects, TagMatrix

N_TAGS, ARMS, ROWS_PER_ITEM = 24, 4, 16
N_ITEMS = 1_200
Shape = Literal["normal", "equal", "lone"]
Kind = Literal["tests", "exposure"]


@dataclass(frozen=True, slots=True)
class World:
    """A log, its tags and what they do."""

    log: EventLog
    tags: TagMatrix
    effects: np.ndarray  # (T,)


def draw_bias(random: np.random.Generator, size: float, shape: Shape) -> np.ndarray:
    """(T,) biases of this root mean square."""
    if shape == "normal":
        return size * random.normal(size=N_TAGS)
    sign = random.choice([-1.0, 1.0], N_TAGS)
    if shape == "equal":
        return size * sign
    alone = np.zeros(N_TAGS)
    alone[random.choice(N_TAGS, 3, replace=False)] = size * np.sqrt(N_TAGS / 3)
    return alone * sign


def make_world(seed: int, size: float, shape: Shape, kind: Kind) -> World:
    """One platform. With tests, stories that like a tag are better; with exposure, its viewers."""
    random = np.random.default_rng(seed)
    effects = np.where(np.arange(N_TAGS) % 2, 0.12 * random.normal(size=N_TAGS), 0.0)
    bias = draw_bias(random, size, shape)
    story = np.repeat(np.arange(N_ITEMS // ARMS), ARMS)
    leaning = random.normal(size=(N_ITEMS // ARMS, N_TAGS))[story]
    carried = (leaning + random.normal(size=(N_ITEMS, N_TAGS)) > 0.6).astype(float)
    item = np.repeat(np.arange(N_ITEMS), ROWS_PER_ITEM)
    y = (carried @ effects)[item] + 0.15 * random.normal(size=N_ITEMS)[item]
    y += random.normal(size=item.size)
    # Half of a tag's variance lies between stories, so that pooled arms show about half of this.
    liked = leaning @ bias + 0.1 * random.normal(size=N_ITEMS // ARMS)[story]
    by_chance = random.random(item.size) < 1 / 6
    y += liked[item] if kind == "tests" else np.where(by_chance, 0.0, (carried @ bias)[item])
    log = log_from_arrays(
        item=item,
        user=random.integers(0, 800, item.size),
        outcomes={"y": y},
        stratum=story[item] if kind == "tests" else None,
        randomized=by_chance if kind == "exposure" else None,
        clusters={"story": story[item]} if kind == "tests" else None,
        simulated=True,
    )
    tags = tags_from_arrays(log.items, carried, [f"t{at}" for at in range(N_TAGS)])
    return World(log, tags, effects)


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of the tags of one world. m tags that can be told."""

    covered: np.ndarray  # (m,) bool
    claimed: np.ndarray  # (m,) bool
    false: np.ndarray  # (m,) bool: claimed without an effect, or with the other sign
    width: np.ndarray  # (m,)


def judge(found: TagEffects, effects: np.ndarray) -> Told:
    """Hold effects against the truth."""
    told = [
        (one.estimate or 0.0, one.ci_low, one.ci_high, one.verdict in CLAIMS, effects[at])
        for at, one in enumerate(found.effects)
        if one.ci_low is not None and one.ci_high is not None and one.verdict != "cannot tell"
    ]
    estimate, low, high, claimed, truth = (np.array(column) for column in zip(*told, strict=True))
    covered = (low <= truth) & (truth <= high)
    return Told(covered, claimed, claimed & (estimate * truth <= 0), high - low)


def study(worlds: int, size: float, shape: Shape, kind: Kind) -> dict[str, Any]:
    """Coverage and false discoveries over pairs of platforms, without and with the bias."""
    learned, plain, allowed = [], [], []
    for seed in range(worlds):
        teacher = make_world(2 * seed, size, shape, kind)
        bias = learn_bias_within(teacher.log, teacher.tags, Joint(), Question(), seed=seed)
        learned.append(bias[0].sd)
        other = make_world(2 * seed + 1, size, shape, kind)
        log = without_randomness(other.log, np.ones(N_ITEMS, dtype=bool))
        for using, told in ((Joint(), plain), (Joint(bias=as_option(bias)), allowed)):
            told.append(judge(estimate_effects(log, other.tags, using), other.effects))
    return {
        "kind": kind,
        "bias": size,
        "shape": shape,
        "worlds": worlds,
        "learned bias sd": round(float(np.sqrt(np.mean(np.square(learned)))), 4),
        "as observed": _over(plain),
        "with learned bias": _over(allowed),
    }


def _over(told: list[Told]) -> dict[str, float | int]:
    proportions = [one.false.sum() / max(one.claimed.sum(), 1) for one in told]
    return {
        "intervals": sum(one.covered.size for one in told),
        "coverage": round(float(np.concatenate([one.covered for one in told]).mean()), 4),
        "mean width": round(float(np.concatenate([one.width for one in told]).mean()), 4),
        "claims per world": round(float(np.mean([one.claimed.sum() for one in told])), 2),
        "false discovery rate": round(float(np.mean(proportions)), 4),
    }


def main() -> None:
    """Measure and record."""
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    cases: list[tuple[Kind, Shape, float]] = [
        (kind, shape, size)
        for kind in ("tests", "exposure")
        for shape in ("normal", "equal", "lone")
        for size in (0.0, 0.03, 0.05, 0.1)
        if size or shape == "normal"
    ]
    found = [study(worlds, size, shape, kind) for kind, shape, size in cases]
    write_result("unseen_bias", {"tags": N_TAGS, "items": N_ITEMS, "studies": found})


if __name__ == "__main__":
    main()
