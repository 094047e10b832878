"""The doubly robust estimator against closed forms, and with one of its two models wrong."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.joint.effects import plan
from tagcf.effects.methods import Boosted, Joint, Linear, Robust
from tagcf.effects.robust.boosted import boosted_scores
from tagcf.effects.robust.fit import fit_robust
from tagcf.effects.robust.folds import cell_folds, deal
from tagcf.effects.robust.individual import individual_effects
from tagcf.effects.robust.influence import weigh
from tagcf.effects.robust.score import fit_slopes, score_data
from tagcf.effects.task import Question, Task
from tagcf.types import Effect

LINEAR = Robust(knots=0)  # numbers enter as they are, so that a square is a wrong model


def units(x: np.ndarray, d: np.ndarray, y: np.ndarray) -> Task:
    """Each unit an item of its own, with one tag."""
    log = log_from_arrays(
        item=np.arange(len(y)), outcomes={"y": y}, kinds={"y": "real"}, covariates={"x": x}
    )
    carried = d.astype(float)[:, None]
    return Task(log, tags_from_arrays(log.items, carried, ["t"]), carried, Question())


def effect_of(task: Task, using: Robust | Joint = LINEAR) -> Effect:
    return estimate_effects(task.log, task.tags, using, task.question).effects[0]


def draw(
    random: np.random.Generator, n: int, *, bent_outcome: bool, bent_score: bool, varying: bool
) -> tuple[Task, float]:
    """Units with an average effect of one; with `varying`, it grows with x."""
    x = random.normal(size=n)
    bend = x**2 - 1
    d = random.random(n) < expit(-0.7 + (bend if bent_score else x))
    effect = 1.0 + x * varying
    y = (2 * bend if bent_outcome else 2 * x) + d * effect + random.normal(size=n)
    return units(x, d, y), float(effect.mean())


def errors_over_draws(using: Robust | Joint, **kind: bool) -> tuple[float, float]:
    """Mean error over draws, in standard errors of that mean, and the share covered."""
    random = np.random.default_rng(3)
    off, covered = [], []
    for _ in range(40):
        task, truth = draw(random, 2_500, **kind)
        found = effect_of(task, using)
        off.append(found.estimate - truth)
        covered.append(found.ci_low < truth < found.ci_high)
    return float(np.mean(off) / (np.std(off) / np.sqrt(len(off)))), float(np.mean(covered))


ONE_WRONG = [
    {"bent_outcome": True, "bent_score": False, "varying": False},
    {"bent_outcome": False, "bent_score": True, "varying": False},
    {"bent_outcome": False, "bent_score": False, "varying": True},
]


@pytest.mark.parametrize("kind", ONE_WRONG, ids=["outcome", "score", "varying"])
def test_one_wrong_model_does_no_harm(kind: dict[str, bool]) -> None:
    off, covered = errors_over_draws(LINEAR, **kind)
    assert abs(off) < 3
    assert covered >= 0.87  # 40 draws of .95: two errors below


@pytest.mark.parametrize("kind", [ONE_WRONG[0], ONE_WRONG[2]], ids=["outcome", "varying"])
def test_least_squares_alone_is_wrong_there(kind: dict[str, bool]) -> None:
    off, _ = errors_over_draws(Joint(knots=0), **kind)
    assert abs(off) > 6


def test_both_wrong_is_wrong() -> None:
    off, _ = errors_over_draws(LINEAR, bent_outcome=True, bent_score=True, varying=False)
    assert abs(off) > 6


def test_agrees_with_a_hand_written_estimate() -> None:
    """The same folds, least squares and maximum likelihood by statsmodels, the textbook sum."""
    task, _ = draw(
        np.random.default_rng(5), 4_000, bent_outcome=True, bent_score=False, varying=True
    )
    using = Robust(nuisances=Linear(penalties=(1e-4,)), knots=0)
    found = effect_of(task, using)
    batch = next(task.log.batches())
    x, y, d = batch.covariates[:, 0], batch.outcomes[:, 0], task.carried[batch.item, 0]
    fold = deal(batch.item, using.folds)
    psi = np.empty(len(y))
    for one in range(using.folds):
        out, rest = fold == one, fold != one
        score = sm.Logit(d[rest], sm.add_constant(x[rest])).fit(disp=0)
        e = score.predict(sm.add_constant(x[out]))
        ols = sm.OLS(y[rest], np.column_stack([np.ones(rest.sum()), x[rest], d[rest]])).fit()
        left = y[out] - ols.params @ np.stack([np.ones(out.sum()), x[out], d[out]])
        psi[out] = ols.params[2] + left * (d[out] - e) / (e * (1 - e))
    assert found.estimate == pytest.approx(psi.mean(), abs=0.2 * found.se)
    assert found.se == pytest.approx(psi.std() / np.sqrt(len(y)), rel=0.1)


def test_slopes_are_those_of_maximum_likelihood() -> None:
    random = np.random.default_rng(0)
    columns = random.normal(size=(800, 4))
    columns[:, 2] = random.random(800) < expit(columns[:, 0] + columns[:, 1])
    columns[:, 3] = random.random(800) < 0.1
    columns -= columns.mean(axis=0)
    carries = (columns[:, 2:] > 0).astype(float)
    own, nowhere = np.array([2, 3], dtype=np.int32), np.zeros(800, dtype=np.int32)
    data = score_data(columns, own, carries, np.ones(800), nowhere, 1)
    slopes = fit_slopes(data, data.weight, 1e-4) / columns.std(axis=0)[:, None]
    for tag, others in ((0, [0, 1, 3]), (1, [0, 1, 2])):
        peer = sm.Logit(carries[:, tag], sm.add_constant(columns[:, others])).fit(disp=0)
        assert slopes[others, tag] == pytest.approx(peer.params[1:], abs=0.02)
        assert slopes[own[tag], tag] == 0


def test_levels_follow_the_group() -> None:
    """With nothing to go by but the author, the score is the author's share of the tag."""
    random = np.random.default_rng(1)
    group = np.repeat(np.arange(40, dtype=np.int32), 10)
    d = (random.random(400) < random.uniform(0.1, 0.9, 40)[group]).astype(float)[:, None]
    data = score_data(np.zeros((400, 1)), np.array([-1]), d, np.ones(400), group, 40)
    share = np.bincount(group, weights=d[:, 0]) / 10
    weighting = weigh(share[group][:, None], d, np.ones(400), group, 40)
    by_group = np.bincount(group, weights=weighting.h[:, 0])
    assert np.abs(by_group).max() < 1e-12
    assert data.share[:, 0] == pytest.approx(share, abs=1e-6)
    assert weighting.lever.sum() == pytest.approx(1.0)
    inside = (share > 0) & (share < 1)
    assert weighting.off_group[0] == pytest.approx(1 - inside.mean())


def test_no_overlap_is_refused() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=4_000)
    d = random.random(4_000) < expit(12 * x)
    found = effect_of(units(x, d, x + d + random.normal(size=4_000)))
    assert found.verdict == "cannot tell"
    assert found.reason.key == "reason.off_support"
    assert found.diagnostics["trimmed_share"] > 0.5


@pytest.mark.parametrize(("value", "key"), [(0, "on_no_item"), (1, "on_every_item")])
def test_nobody_to_compare_with(value: int, key: str) -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=500)
    found = effect_of(units(x, np.full(500, value), x))
    assert found.verdict == "cannot tell"
    assert found.reason.key == f"reason.{key}"


def authors(random: np.random.Generator, n_authors: int = 200) -> Task:
    """Authors of eight items each, who like their tags; features are the author's own."""
    author = np.repeat(np.arange(n_authors), 8)
    quality = random.normal(size=n_authors)[author]
    carried = (random.random((len(author), 2)) < expit(1.5 * quality)[:, None]).astype(float)
    item = np.repeat(np.arange(len(author)), 6)
    y = (0.5 * carried[:, 0] + 2 * quality + 0.3 * random.normal(size=len(author)))[item]
    log = log_from_arrays(
        item=item,
        user=random.integers(0, 300, item.size),
        outcomes={"y": y + random.normal(size=item.size)},
        kinds={"y": "real"},
        covariates={"of_author": random.normal(size=n_authors)[author[item]]},
        author=[f"a{one}" for one in author[item]],
    )
    at = [int(log.items[one]) for one in range(len(log.items))]
    return Task(log, tags_from_arrays(log.items, carried[at], ["a", "b"]), carried[at], Question())


def test_unseen_author_quality_is_held() -> None:
    found = effect_of(authors(np.random.default_rng(4)), Robust())
    assert found.rung == "within-author"
    assert found.ci_low < 0.5 < found.ci_high
    assert found.se < 0.1


def test_folds_hold_whole_authors() -> None:
    task = authors(np.random.default_rng(4))
    _, design = plan(task, Joint())
    fold = cell_folds(task.log, design, 5)
    author = task.log.item_author[design.cell_item]
    for one in np.unique(author):
        assert np.unique(fold[author == one]).size == 1
    assert np.bincount(fold).min() > 0.9 * fold.size / 5


def test_folds_of_items_let_trees_look_the_author_up() -> None:
    """Features that repeat across folds give the author, and with it the tag, away."""
    random = np.random.default_rng(6)
    task = authors(random)
    _, design = plan(task, Joint(author_effects=False))
    # All items of an author carry the tag, or none does; nothing seen says which.
    author = task.log.item_author[design.cell_item]
    tags = (random.random(200) < 0.5).astype(float)[author][:, None]
    fit = fit_robust(
        task.log,
        task.carried,
        design,
        (0,),
        Robust(author_effects=False),
        np.array([True, True]),
    )
    shares = {}
    for name, fold in {
        "ours": cell_folds(task.log, design, 5),
        "leaking": random.integers(0, 5, author.size),
    }.items():
        scores = boosted_scores(
            fit.crossed.model.part,
            fold,
            np.ones(author.size),
            tags,
            np.full(tags.shape, 0.5),
            np.array([True]),
            Boosted(trees=400, leaves=31, min_items=4),
        )
        shares[name] = weigh(
            scores, tags, np.ones(author.size), np.zeros(author.size, dtype=np.int32), 1
        ).own_variance[0]
    assert shares["leaking"] < 0.5
    assert shares["ours"] > 0.9


def test_in_strata_it_is_the_joint_fit() -> None:
    random = np.random.default_rng(8)
    stratum = np.repeat(np.arange(300), 5)
    carried = (random.random((1_500, 3)) < 0.4).astype(float)
    y = random.normal(size=300)[stratum] + 0.3 * carried[:, 1] + random.normal(size=1_500)
    log = log_from_arrays(
        item=np.arange(1_500), outcomes={"y": y}, kinds={"y": "real"}, stratum=stratum
    )
    at = [int(log.items[one]) for one in range(len(log.items))]
    tags = tags_from_arrays(log.items, carried[at], ["a", "b", "c"])
    ours = estimate_effects(log, tags, Robust()).effects
    joint = estimate_effects(log, tags, Joint()).effects
    for one, other in zip(ours, joint, strict=True):
        assert one.rung == "within-stratum"
        assert one.estimate == pytest.approx(other.estimate, rel=1e-12)
        assert one.se == pytest.approx(other.se, rel=1e-12)


def test_total_effects_leave_descendants_free() -> None:
    random = np.random.default_rng(9)
    n = 3_000
    cause = random.random(n) < 0.4
    child = random.random(n) < np.where(cause, 0.8, 0.2)
    y = 0.5 * child + random.normal(size=n)
    log = log_from_arrays(item=np.arange(n), outcomes={"y": y}, kinds={"y": "real"})
    tags = tags_from_arrays(
        log.items, np.column_stack([cause, child]).astype(float), ["up", "down"]
    )
    free = {"up": frozenset({"down"})}
    found = {
        kind: estimate_effects(
            log, tags, Robust(), Question(estimand=kind, descendants=free)
        ).effects[0]
        for kind in ("direct", "total")
    }
    assert found["direct"].ci_low < 0 < found["direct"].ci_high
    assert found["total"].ci_low < 0.3 < found["total"].ci_high
    assert found["total"].verdict == "raises"


@pytest.mark.parametrize("nuisances", [Linear(), Boosted()], ids=["ridge", "trees"])
def test_individual_effects_follow_the_truth(nuisances: Linear | Boosted) -> None:
    random = np.random.default_rng(10)
    x = random.normal(size=4_000)
    d = random.random(4_000) < expit(0.5 * x)
    effect = 1.0 + x
    task = units(x, d, x + d * effect + random.normal(size=4_000))
    using = replace(LINEAR, nuisances=nuisances)
    found = individual_effects(task, "t", "y", using)
    known = np.isfinite(found.effect)
    assert known.mean() > 0.95
    assert np.sqrt(np.mean((found.effect - effect)[known] ** 2)) < 0.35
    assert found.average == pytest.approx(effect.mean(), abs=0.15)


def test_individual_effects_stay_flat_without_any() -> None:
    random = np.random.default_rng(11)
    x = random.normal(size=3_000)
    d = random.random(3_000) < 0.5
    found = individual_effects(units(x, d, x + d + random.normal(size=3_000)), "t", "y", LINEAR)
    assert np.nanstd(found.effect) < 0.1
