"""For whom and with what, against known effects."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from scipy import stats

from benchmarks.small_worlds import small_world
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.simulate import Platform, World, simulate
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.heterogeneity.activity import with_activity
from tagcf.effects.heterogeneity.borrow import borrowed_effects, hidden_answers
from tagcf.effects.heterogeneity.ground import stand
from tagcf.effects.heterogeneity.kin import toward_parents
from tagcf.effects.heterogeneity.mediation import mediation
from tagcf.effects.heterogeneity.pairs import Pairs, pair_effects
from tagcf.effects.heterogeneity.siblings import fieller
from tagcf.effects.heterogeneity.user_effects import effects_for_user, rank_of, user_effects
from tagcf.effects.methods import Joint
from tagcf.effects.store import effects_frame
from tagcf.effects.task import Question
from tagcf.types import Tag, TagEffects

CLAIMS = {"raises", "lowers"}
SEEDS = 12


@pytest.fixture(scope="module")
def worlds() -> list[tuple[World, TagEffects]]:
    made = [simulate(Platform(seed=seed)) for seed in range(SEEDS)]
    question = Question(estimand="direct")
    return [(one, estimate_effects(one.log, one.tags, Joint(), question)) for one in made]


def truth(world: World, estimand: str = "direct") -> dict[tuple[str, str], float]:
    rows = world.truth.filter(pl.col("segment").is_null() & (pl.col("estimand") == estimand))
    return {(row["tag"], row["outcome"]): row["effect"] for row in rows.to_dicts()}


def test_pairs_cover_and_false_claims_are_rare() -> None:
    covered: list[bool] = []
    false, found = [], []
    for seed in range(25):
        world = small_world(seed, size=0.3)
        told = [
            one
            for one in pair_effects(stand(world.log, world.tags))
            if one.verdict != "cannot tell"
        ]
        true = np.array([world.pairs[one.first, one.second] for one in told])
        low = np.array([one.ci_low for one in told])
        high = np.array([one.ci_high for one in told])
        claimed = np.array([one.verdict in CLAIMS for one in told])
        wrong = claimed & ((true == 0) | (np.sign(low + high) != np.sign(true)))
        covered += ((low <= true) & (true <= high)).tolist()
        false.append(wrong.sum() / max(claimed.sum(), 1))
        found.append(claimed[true != 0].mean())
    assert len(covered) >= 1_000
    assert np.mean(covered) >= 0.93
    assert np.mean(false) <= 0.12
    assert np.mean(found) >= 0.7  # refusing all would pass the rest


@pytest.mark.parametrize("block", [30, 500])
def test_pairs_are_not_ascribed_to_others_that_go_with_them(block: int) -> None:
    """Tags come in families, so that the products of two families are much alike."""
    covered: list[bool] = []
    false, found = [], []
    for seed in range(100, 150):
        rng = np.random.default_rng(seed)
        family = np.repeat(rng.normal(size=(600, 6)), 2, axis=1)
        carried = (rng.random((600, 12)) < 1 / (1 + np.exp(0.2 - 2.5 * family))).astype(float)
        pairs = [(a, b) for a in range(12) for b in range(a + 1, 12) if a // 2 != b // 2]
        chosen = {pairs[at] for at in rng.choice(len(pairs), 6, replace=False)}
        item = rng.integers(0, 600, 15_000)
        centred = carried - carried.mean(axis=0)
        surplus = sum(0.8 * centred[:, a] * centred[:, b] for a, b in chosen)
        surplus = surplus + 0.1 * rng.normal(size=600)
        log = log_from_arrays(item=item, outcomes={"y": surplus[item] + rng.normal(size=item.size)})
        order = [int(one) for one in log.items.ids.to_pylist()]
        names = [f"t{k:02d}" for k in range(12)]
        ground = stand(log, tags_from_arrays(log.items, carried[order], names))
        told = [
            one
            for one in pair_effects(ground, Pairs(min_items=20, block=block))
            if one.verdict != "cannot tell"
        ]
        real = np.array([(int(one.first[1:]), int(one.second[1:])) in chosen for one in told])
        claimed = np.array([one.verdict in CLAIMS for one in told])
        covered += [
            one.ci_low <= 0.8 * true <= one.ci_high for one, true in zip(told, real, strict=True)
        ]
        false.append((claimed & ~real).sum() / max(claimed.sum(), 1))
        found.append(claimed[real].mean())
    assert np.mean(covered) >= 0.93
    assert np.mean(false) <= 0.12
    assert np.mean(found) >= 0.9


def test_users_that_differ_are_told_apart() -> None:
    covered: list[bool] = []
    average, own = [], []
    for seed in range(8):
        world = small_world(seed, true_pairs=0, differ=0.1)
        joint = estimate_effects(world.log, world.tags).joint
        (model,) = user_effects(stand(world.log, world.tags), joint)
        assert rank_of(model) >= 1
        for user in range(0, len(world.log.users), 25):
            for one in effects_for_user(model, world.log.users[user]):
                true = world.of_user[user, int(one.tag[1:])]
                covered.append(one.ci_low <= true <= one.ci_high)
                average.append((one.average - true) ** 2)
                own.append((one.estimate - true) ** 2)
    assert len(covered) >= 300
    assert np.mean(covered) >= 0.93
    assert np.mean(own) <= 0.4 * np.mean(average)


def test_users_that_do_not_differ_get_the_average() -> None:
    ranks = []
    for seed in range(10):
        world = small_world(seed, true_pairs=0)
        joint = estimate_effects(world.log, world.tags).joint
        (model,) = user_effects(stand(world.log, world.tags), joint)
        ranks.append(rank_of(model))
        answer = effects_for_user(model, world.log.users[0])[0]
        if ranks[-1] == 0:
            assert answer.estimate == answer.average
            assert answer.reason is not None
            assert answer.reason.key == "reason.only_average_known"
    assert np.mean(np.array(ranks) > 0) <= 0.2


def test_user_effects_beat_the_constant_effect_on_a_platform() -> None:
    average, own, covered = defaultdict(list), defaultdict(list), []
    for seed in range(2):
        world = simulate(Platform(seed=seed, users=2_000, items=1_500, impressions_per_user_day=8))
        question = Question(estimand="direct", outcomes=("click", "watch_time"))
        joint = estimate_effects(world.log, world.tags, Joint(), question).joint
        rows = world.truth.filter(pl.col("estimand") == "direct").to_dicts()
        of_tier = {(row["tag"], row["outcome"], row["segment"]): row["effect"] for row in rows}
        for model in user_effects(stand(world.log, world.tags, question), joint):
            for user in range(0, 2_000, 100):
                tier = f"city_tier={world.mechanism.audience.city_tier[user] + 1}"
                for one in effects_for_user(model, model.users[user]):
                    true = of_tier[one.tag, one.outcome, tier]
                    average[one.outcome].append((one.average - true) ** 2)
                    own[one.outcome].append((one.estimate - true) ** 2)
                    covered.append(one.ci_low <= true <= one.ci_high)
    assert len(covered) >= 1_000
    assert np.mean(covered) >= 0.93
    for outcome, errors in own.items():
        assert np.mean(errors) < 0.95 * np.mean(average[outcome])


@pytest.mark.parametrize("below", [0.0, 0.5, 1.5, 3.0, 10.0])
def test_fieller_covers_with_weak_denominators_too(below: float) -> None:
    rng = np.random.default_rng(7)
    df, cov = 25, np.array([[1.0, 0.4], [0.4, 1.0]])
    true = np.array([2.0, below])
    covered, shapes = [], set()
    for _ in range(1_500):
        draw = rng.multivariate_normal(true, cov)
        scale = rng.chisquare(df) / df
        found = fieller(*draw, scale, scale, 0.4 * scale, df)
        ratio = true[0] / below if below else np.inf
        inside = found.low <= ratio <= found.high
        shapes.add(found.shape)
        if found.shape == "outside":
            inside = ratio <= found.low or ratio >= found.high
        covered.append(inside or found.shape == "everything")
    assert np.mean(covered) >= 0.93
    if below <= 1.5:
        assert shapes & {"outside", "everything"}  # a bounded set would be a lie
    if below == 10.0:
        assert shapes == {"interval"}


def test_kin_shrinkage_covers_and_errs_less(worlds: list[tuple[World, TagEffects]]) -> None:
    covered, before, after = [], 0.0, 0.0
    for world, found in worlds:
        true = truth(world)
        for one in toward_parents(found.joint, world.tags.tags):
            effect = true[one.tag, one.outcome]
            covered.append(one.low <= effect <= one.high)
            if one.outcome == "click":
                before += (one.estimate - effect) ** 2
                after += (one.shrunk - effect) ** 2
    assert len(covered) >= 1_000
    assert np.mean(covered) >= 0.93
    assert after < before


def test_borrowed_intervals_cover_hidden_tags(worlds: list[tuple[World, TagEffects]]) -> None:
    covered, widths, spreads = [], [], []
    for world, found in worlds:
        true = truth(world)
        hidden = hidden_answers(found.effects, world.tags.tags, "click", embed=False)
        covered += [low <= true[tag, "click"] <= high for tag, low, high in hidden]
        widths += [high - low for _, low, high in hidden]
        spreads.append(np.std([true[tag, "click"] for tag, _, _ in hidden]))
    assert len(covered) >= 200
    assert np.mean(covered) >= 0.93
    assert np.mean(widths) <= 6 * np.mean(spreads)


def test_borrowed_answers_for_few_items_cover(worlds: list[tuple[World, TagEffects]]) -> None:
    covered = []
    for world, found in worlds:
        true = truth(world)
        for one in borrowed_effects(found.effects, world.tags.tags, embed=False):
            assert one.low is not None
            assert one.high is not None
            covered.append(one.low <= true[one.tag, one.outcome] <= one.high)
    assert len(covered) >= 100
    assert np.mean(covered) >= 0.93


def test_borrowing_from_kin_is_worth_it_where_kin_are_alike() -> None:
    """Children of a parent share most of their effect: neighbours tell more than the mean does."""
    rng = np.random.default_rng(3)
    n_items, n_tags = 900, 24
    carried = rng.random((n_items, n_tags)) < 0.2
    branch = np.repeat(np.arange(6), 4)
    theta = 0.5 * rng.normal(size=6)[branch] + 0.05 * rng.normal(size=n_tags)
    item = rng.integers(0, n_items, 30_000)
    y = carried[item] @ theta + 0.2 * rng.normal(size=n_items)[item] + rng.normal(size=30_000)
    log = log_from_arrays(item=item, outcomes={"y": y})
    tags = [Tag(f"t{k:02d}", f"t{k}", f"t{k}", "topic", f"p{branch[k]}") for k in range(n_tags)]
    order = [int(one) for one in log.items.ids.to_pylist()]
    found = estimate_effects(log, tags_from_arrays(log.items, carried[order], tags))
    answers = hidden_answers(found.effects, tags, "y", embed=False)
    middle = np.array([(low + high) / 2 for _, low, high in answers])
    true = np.array([theta[int(tag[1:])] for tag, _, _ in answers])
    inside = [low <= t <= high for (_, low, high), t in zip(answers, true, strict=True)]
    assert len(answers) == n_tags
    assert np.mean(inside) >= 0.9
    assert np.mean((middle - true) ** 2) < 0.2 * np.var(true)


def test_mediation_recovers_the_chain(worlds: list[tuple[World, TagEffects]]) -> None:
    covered = defaultdict(list)
    told, true_through = [], []
    for world, _ in worlds[:8]:
        slugs = [tag.slug for tag in world.tags.tags]
        causes = [(slugs[a], slugs[b]) for a, b in world.mechanism.design.causes]
        below = {cause: frozenset({caused}) for cause, caused in causes}
        ground = stand(world.log, world.tags, Question(descendants=below))
        true = {kind: truth(world, kind) for kind in ("total", "direct")}
        for cause, caused in causes:
            for one in mediation(ground, cause, caused):
                if one.reason is not None:
                    continue
                total, direct = (true[kind][cause, one.outcome] for kind in ("total", "direct"))
                covered["total"].append(one.total_low <= total <= one.total_high)
                covered["direct"].append(one.direct_low <= direct <= one.direct_high)
                through = total - direct
                covered["through"].append(one.through_low <= through <= one.through_high)
                if one.outcome == "click":
                    told.append(one.through)
                    true_through.append(through)
    assert len(covered["through"]) >= 100
    for part in ("total", "direct", "through"):
        assert np.mean(covered[part]) >= 0.92, part
    assert stats.pearsonr(told, true_through)[0] > 0.6


@pytest.mark.parametrize("column", ["rate", None])
def test_activity_segments_cover_after_shrinkage(column: str | None) -> None:
    """Tags work otherwise on users who rarely come, by a column or by the log's first part."""
    covered, raw, shrunk = [], [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n_users, n_items, n_tags, n = 600, 300, 12, 24_000
        rate = np.exp(0.8 * rng.normal(size=n_users))
        user = rng.choice(n_users, n, p=rate / rate.sum())
        item = rng.integers(0, n_items, n)
        carried = rng.random((n_items, n_tags)) < 0.3
        rare = rate < np.quantile(rate, 1 / 3)
        theta, own = 0.3 * rng.normal(size=n_tags), 0.2 * rng.normal(size=n_tags)
        y = carried[item] @ theta + (carried[item] @ own) * rare[user]
        y += 0.2 * rng.normal(size=n_items)[item] + rng.normal(size=n)
        log = log_from_arrays(
            item=item,
            user=user,
            ts=np.arange(float(n)),
            outcomes={"y": y},
            covariates={"rate": rate[user]},
        )
        order = [int(one) for one in log.items.ids.to_pylist()]
        tags = tags_from_arrays(log.items, carried[order], [f"t{k:02d}" for k in range(n_tags)])
        split = with_activity(log, column)
        level = split.user_segments[log.users.find([str(one) for one in range(n_users)]), -1]
        share = {
            f"activity={name}": rare[user[level[user] == code]].mean()
            for code, name in enumerate(split.segments[-1].levels)
        }
        question = Question(by=(("activity",),), estimand="direct")
        found = effects_frame(estimate_effects(split, tags, question=question))
        told = found.filter(pl.col("segment").is_not_null() & (pl.col("verdict") != "cannot tell"))
        for one in told.to_dicts():
            tag = int(one["tag"][1:])
            effect = theta[tag] + own[tag] * share[one["segment"]]
            covered.append(one["shrunk_low"] <= effect <= one["shrunk_high"])
            raw.append((one["estimate"] - effect) ** 2)
            shrunk.append((one["shrunk"] - effect) ** 2)
    assert len(covered) >= 300
    assert np.mean(covered) >= 0.93
    assert np.mean(shrunk) < np.mean(raw)
