"""Is an observational answer right? Upworthy's experiments tell, on tests that it has not seen.

The stories of the archive are split in two halves. On one the randomisation is hidden: arms of
all tests are pooled, as in a log of a platform that never experimented, and each tag's effect is
estimated with the test's week and the arm's impressions held. On the other half visitors were
randomised within tests, and the within-test estimate tells the truth, up to its own error. Over
all tags, z = (a - b) / sqrt(se_a² + se_b²) has mean square 1 if the observational interval is
honest. Where it is not, the contrasts of one pair of halves tell the variance of the bias
(`learn_bias`, Peysakhovich and Lada 2016), and the observational half of the other pair is asked
again with it (`Joint(bias=…)`); the four halves' roles (hidden A, randomised B; hidden B,
randomised A) never share an estimate.

Run ``python -m benchmarks.upworthy_halves``; it writes ``results/upworthy_halves.json``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from benchmarks.record import shared_data, write_result
from benchmarks.upworthy import load_archive
from tagcf.data.arrays import log_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.estimates import CLAIMS
from tagcf.effects.learned_bias import as_option, learn_bias
from tagcf.effects.methods import Joint, Matching, Robust
from tagcf.types import Effect, EventLog, TagEffects, TagMatrix

FILE = "upworthy/upworthy_dev.csv.gz"
SPLITS = 10
Observational = Joint | Matching | Robust
METHODS: dict[str, Observational] = {
    "joint": Joint(),
    "matching": Matching(),
    "robust": Robust(),
}


@dataclass(frozen=True, slots=True)
class Arms:
    """The arms of the sound tests. N arms."""

    item: np.ndarray  # (N,) position in the items of `tags`
    tags: TagMatrix
    clicks: np.ndarray  # (N,)
    impressions: np.ndarray  # (N,)
    test: np.ndarray  # (N,) name of the test
    story: np.ndarray  # (N,) stories that share an excerpt, so that a half never knows the other's
    week: np.ndarray  # (N,) weeks since the start of 2013

    def log(self, rows: np.ndarray, *, hidden: bool) -> EventLog:
        """The log of some arms; `hidden`: as if the tests were not known to be tests."""
        stories = self.story[rows]
        return log_from_arrays(
            item=self.item[rows],
            items=self.tags.items,
            outcomes={"ctr": self.clicks[rows]},
            kinds={"ctr": "count"},
            trials={"ctr": self.impressions[rows]},
            covariates=(
                {"week": self.week[rows], "log impressions": np.log(self.impressions[rows])}
                if hidden
                else None
            ),
            stratum=None if hidden else self.test[rows],
            clusters={"story": stories},
        )


def load_arms() -> Arms:
    """Read the archive, with the story and week of each test."""
    file = shared_data() / FILE
    archive = load_archive(file)
    tests = pl.read_csv(file, infer_schema_length=0).unique("clickability_test_id")
    columns = ("clickability_test_id", "story_group", "test_week")
    known = {test: (story, week) for test, story, week in tests.select(columns).iter_rows()}
    batches = list(archive.log.batches())
    item = np.concatenate([batch.item for batch in batches])
    impressions = np.concatenate([batch.weights[:, 0] for batch in batches])
    rate = np.concatenate([batch.outcomes[:, 0] for batch in batches])
    names = archive.log.items.ids.to_pylist()
    test = np.array([str(names[at]).rsplit("-", 1)[0] for at in item])
    weeks = np.array([int(known[one][1]) for one in test])
    return Arms(
        item=item,
        tags=archive.tags,
        clicks=np.round(rate * impressions),
        impressions=impressions,
        test=test,
        story=np.array([known[one][0] for one in test]),
        week=(weeks // 100 - 2013) * 52.0 + weeks % 100,
    )


def split_stories(arms: Arms, seed: int, parts: int = 2) -> list[np.ndarray]:
    """Split the arms by story: every test, and every story told twice, is in one part only."""
    stories, at = np.unique(arms.story, return_inverse=True)
    part = np.random.default_rng(seed).permutation(len(stories)) % parts
    return [np.flatnonzero(part[at] == one) for one in range(parts)]


def split_time(arms: Arms) -> list[np.ndarray]:
    """Split the arms at the median week in which their story was first told."""
    stories, at = np.unique(arms.story, return_inverse=True)
    first = np.full(len(stories), np.inf)
    np.minimum.at(first, at, arms.week)
    late = (first > np.median(first))[at]
    return [np.flatnonzero(~late), np.flatnonzero(late)]


@dataclass(frozen=True, slots=True)
class Answers:
    """What one method says of each tag. T tags; NaN where it cannot tell."""

    estimate: np.ndarray  # (T,)
    se: np.ndarray  # (T,) error whose normal interval is as wide as the one told
    verdict: tuple[str, ...]  # (T,)


def ask(arms: Arms, rows: np.ndarray, using: Observational, *, hidden: bool) -> TagEffects:
    """Estimate all tags on some arms."""
    return estimate_effects(arms.log(rows, hidden=hidden), arms.tags, using)


def answers(arms: Arms, found: TagEffects) -> Answers:
    """What was found, in the order of the tags."""
    of = {one.tag: one for one in found.effects}
    return answers_of([of[tag.slug] for tag in arms.tags.tags])


def answers_of(effects: Sequence[Effect]) -> Answers:
    """Estimates and errors of the effects that can be told."""
    told = [one.verdict != "cannot tell" and one.ci_low is not None for one in effects]
    wide = 2 * stats.norm.ppf(0.975)
    return Answers(
        np.array([one.estimate if ok else np.nan for one, ok in zip(effects, told, strict=True)]),
        np.array(
            [
                (one.ci_high - one.ci_low) / wide if ok else np.nan
                for one, ok in zip(effects, told, strict=True)
            ]
        ),
        tuple(one.verdict for one in effects),
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """Observational answers on one half, randomised ones on the other."""

    seen: Answers
    true: Answers
    bias_sd: float  # learned from other halves
    allowed: Answers  # `seen`, asked again with that bias

    @property
    def told(self) -> np.ndarray:
        """(T,) tags that both tell."""
        return np.isfinite(self.seen.se) & np.isfinite(self.true.se)

    @property
    def noise(self) -> np.ndarray:
        """(T,) variance of the contrast, were both unbiased."""
        return self.seen.se**2 + self.true.se**2

    def z(self, bias: float = 0.0) -> np.ndarray:
        """(tags told,) contrasts in standard errors, with a bias of this variance."""
        gap = self.seen.estimate - self.true.estimate
        return np.asarray((gap / np.sqrt(self.noise + bias))[self.told])

    def z_allowed(self) -> np.ndarray:
        """(tags told,) contrasts in the standard errors that allow for the bias."""
        gap = self.allowed.estimate - self.true.estimate
        return np.asarray((gap / np.hypot(self.allowed.se, self.true.se))[self.told])


def two_pairs(
    arms: Arms, using: Observational, halves: Sequence[tuple[np.ndarray, np.ndarray]]
) -> list[Pair]:
    """Contrasts of two pairs of (hidden, randomised) arms, each with the bias of the other pair."""
    seen = [ask(arms, hidden, using, hidden=True) for hidden, _ in halves]
    true = [ask(arms, randomised, Joint(), hidden=False) for _, randomised in halves]
    pairs = []
    for this, other in ((0, 1), (1, 0)):
        learned = learn_bias(seen[other], true[other])
        allowing = replace(using, bias=as_option(learned))
        allowed = ask(arms, halves[this][0], allowing, hidden=True)
        told = (answers(arms, one) for one in (seen[this], true[this], allowed))
        pairs.append(Pair(next(told), next(told), learned[0].sd, next(told)))
    return pairs


def both_ways(arms: Arms, using: Observational, halves: Sequence[np.ndarray]) -> list[Pair]:
    """Both directions of a split."""
    first, second = halves
    return two_pairs(arms, using, [(first, second), (second, first)])


def nothing_shared(arms: Arms, using: Observational, seed: int) -> Pair:
    """Contrasts of two quarters of the stories; the bias variance is from the other two."""
    one, two, three, four = split_stories(arms, seed, parts=4)
    return two_pairs(arms, using, [(one, two), (three, four)])[0]


def randomised_twice(arms: Arms, seed: int) -> np.ndarray:
    """Contrasts of within-test answers on both halves: no bias, so that they test the errors."""
    one, two = (
        answers(arms, ask(arms, rows, Joint(), hidden=False)) for rows in split_stories(arms, seed)
    )
    z = (one.estimate - two.estimate) / np.hypot(one.se, two.se)
    return np.asarray(z[np.isfinite(z)])


def summary(pairs: list[Pair]) -> dict[str, Any]:
    """Calibration over several pairs of halves, without and with the learned bias variance."""
    plain = np.concatenate([pair.z() for pair in pairs])
    counted = np.concatenate([pair.z(pair.bias_sd**2) for pair in pairs])
    allowed = np.concatenate([pair.z_allowed() for pair in pairs])
    return {
        "contrasts": len(plain),
        "learned bias sd": [round(pair.bias_sd, 6) for pair in pairs],
        "mean se, observational": _mean([np.nanmean(pair.seen.se) for pair in pairs]),
        "mean se, observational, with bias": _mean([np.nanmean(p.allowed.se) for p in pairs]),
        "mean se, randomised": _mean([np.nanmean(pair.true.se) for pair in pairs]),
        "slope of randomised on observational": _mean([slope(pair) for pair in pairs]),
        "without bias variance": _calibration(plain),
        "with learned bias variance": _calibration(counted),
        "as told with the learned bias": _calibration(allowed),
        "verdicts where |z| > 2": verdicts(pairs, learned=False),
        "verdicts where |z| > 2, with bias variance": verdicts(pairs, learned=True),
        "claims": claims(pairs, learned=False),
        "claims, with bias variance": claims(pairs, learned=True),
    }


def _calibration(z: np.ndarray) -> dict[str, float]:
    return {
        "mean z²": round(float(np.mean(z**2)), 3),
        "share |z| > 2": round(float(np.mean(np.abs(z) > 2)), 4),
        "largest |z|": round(float(np.abs(z).max()), 2),
    }


def slope(pair: Pair) -> float:
    """Least squares of the randomised on the observational answer, weighted by precision."""
    a, b = pair.seen.estimate[pair.told], pair.true.estimate[pair.told]
    w = 1 / pair.noise[pair.told]
    a, b = a - w @ a / w.sum(), b - w @ b / w.sum()
    return float((w * a) @ b / ((w * a) @ a))


def verdicts(pairs: list[Pair], *, learned: bool) -> dict[str, int]:
    """What both halves say of the tags on which they differ by more than 2 standard errors.

    Tags are those of the contrasts without a bias variance in both cases, so that the two tables
    are about the same tags.
    """
    said: Counter[str] = Counter()
    for pair in pairs:
        seen = pair.allowed if learned else pair.seen
        far = np.flatnonzero(pair.told)[np.abs(pair.z()) > 2]
        said.update(f"{seen.verdict[t]} / {pair.true.verdict[t]}" for t in far)
    return dict(said.most_common())


def claims(pairs: list[Pair], *, learned: bool) -> dict[str, int]:
    """Observational claims, and how many have the other half's estimate on their side.

    Contradicted: the randomised half claims the opposite. Unsupported: its estimate has the
    other sign.
    """
    found: Counter[str] = Counter()
    for pair in pairs:
        seen = pair.allowed if learned else pair.seen
        for t in np.flatnonzero(pair.told):
            if seen.verdict[t] in CLAIMS:
                theirs = pair.true.verdict[t]
                found["made"] += 1
                found["same claim by randomised"] += theirs == seen.verdict[t]
                found["opposite claim by randomised"] += theirs in CLAIMS and (
                    theirs != seen.verdict[t]
                )
                opposite = pair.seen.estimate[t] * pair.true.estimate[t] < 0
                found["estimate of the other sign"] += bool(opposite)
    return dict(found)


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 6)


def agreement(arms: Arms) -> list[dict[str, Any]]:
    """Tag by tag on the whole archive: within tests, and with the tests hidden, by each method."""
    everything = np.arange(len(arms.item))
    told = {
        f"{where}, {name}": answers(arms, ask(arms, everything, using, hidden=where == "hidden"))
        for where in ("within tests", "hidden")
        for name, using in METHODS.items()
    }
    return [
        {
            "tag": tag.en,
            **{
                name: {
                    "estimate": _known(one.estimate[t]),
                    "se": _known(one.se[t]),
                    "verdict": one.verdict[t],
                }
                for name, one in told.items()
            },
        }
        for t, tag in enumerate(arms.tags.tags)
    ]


def _known(value: float) -> float | None:
    return round(float(value), 7) if np.isfinite(value) else None


def main() -> None:
    """Measure and record."""
    arms = load_arms()
    calibration = {
        name: [
            pair
            for seed in range(SPLITS)
            for pair in both_ways(arms, using, split_stories(arms, seed))
        ]
        for name, using in METHODS.items()
    }
    twice = np.concatenate([randomised_twice(arms, seed) for seed in range(SPLITS)])
    quarters = [nothing_shared(arms, Joint(), seed) for seed in range(SPLITS)]
    write_result(
        "upworthy_halves",
        {
            "outcome": "clicks per impression",
            "arms": len(arms.item),
            "tests": len(np.unique(arms.test)),
            "stories": len(np.unique(arms.story)),
            "splits": SPLITS,
            "randomised against randomised": _calibration(twice),
            "calibration": {name: summary(pairs) for name, pairs in calibration.items()},
            "quarters, joint": summary(quarters),
            "early and late, joint": summary(both_ways(arms, Joint(), split_time(arms))),
            "tags": agreement(arms),
        },
    )


if __name__ == "__main__":
    main()
