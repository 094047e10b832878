"""For whom and with what: exact results on small cases, refusals, and the command."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.small_worlds import small_world
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.heterogeneity.activity import with_activity
from tagcf.effects.heterogeneity.features import UserFactors, user_factors
from tagcf.effects.heterogeneity.field import _covariance, _when_hidden, learn, predict
from tagcf.effects.heterogeneity.ground import stand
from tagcf.effects.heterogeneity.hiding import hide_in_turn
from tagcf.effects.heterogeneity.likeness import likeness
from tagcf.effects.heterogeneity.mediation import mediation
from tagcf.effects.heterogeneity.pairs import Pairs, pair_effects
from tagcf.effects.heterogeneity.rank import Rank
from tagcf.effects.heterogeneity.siblings import fieller, sibling_comparisons
from tagcf.effects.heterogeneity.user_effects import UserEffects, effects_for_user, user_effects
from tagcf.effects.heterogeneity.user_sums import memory_needed, normal_equations, sum_users
from tagcf.effects.linear.design import Rows
from tagcf.effects.methods import Joint
from tagcf.effects.task import Question
from tagcf.errors import EstimationError, QuestionError, UnknownNameError
from tagcf.types import IdMap, JointFit, Tag

PLAIN = Joint(knots=0, item_effects="none")


# ── pairs ───────────────────────────────────────────────────────────────────
def test_a_pair_is_the_product_term_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    carried = (rng.random((200, 3)) < 0.5).astype(float)
    item = rng.integers(0, 200, 4_000)
    y = carried[item] @ [0.2, -0.1, 0.3] + 0.4 * carried[item, 0] * carried[item, 1]
    y += rng.normal(size=item.size)
    log = log_from_arrays(item=item, outcomes={"y": y})
    order = [int(one) for one in log.items.ids.to_pylist()]
    tags = tags_from_arrays(log.items, carried[order], ["a", "b", "c"])
    (found,) = pair_effects(stand(log, tags, using=PLAIN), named=[("a", "b")])
    product = carried[item, 0] * carried[item, 1]
    design = np.column_stack([np.ones(item.size), carried[item], product])
    assert found.estimate == pytest.approx(np.linalg.lstsq(design, y, rcond=None)[0][-1], abs=1e-6)
    assert found.n_both == int((carried[:, 0] * carried[:, 1]).sum())
    assert found.n_first_only == int((carried[:, 0] * (1 - carried[:, 1])).sum())
    assert found.verdict == "raises"
    assert found.q == found.p  # one named pair is one test


def test_screening_looks_at_items_only() -> None:
    world = small_world(1)
    ground = stand(world.log, world.tags)
    found = pair_effects(ground, Pairs(min_items=60))
    assert found
    assert min(min(one.n_both, one.n_first_only, one.n_second_only) for one in found) >= 60
    assert len(pair_effects(ground, Pairs(min_items=60, most=5))) == 5
    (refused,) = pair_effects(ground, Pairs(min_items=10_000), named=[("t00", "t01")])
    assert refused.verdict == "cannot tell"
    assert refused.estimate is None
    assert "at least 10000 of each" in str(refused.reason)
    (absent,) = pair_effects(ground, named=[("t00", "nowhere")])
    assert absent.reason is not None
    assert absent.reason.key == "reason.pair_left_out"


def test_pairs_in_blocks_are_told_nearly_as_all_at_once() -> None:
    world = small_world(2)
    ground = stand(world.log, world.tags)
    one = pair_effects(ground, Pairs(block=10))
    other = pair_effects(ground, Pairs(block=100))
    assert len(other) > 20
    assert [(a.first, a.second) for a in one] == [(a.first, a.second) for a in other]
    gaps = [abs(a.estimate - b.estimate) / b.se for a, b in zip(one, other, strict=True)]
    assert np.median(gaps) < 0.5


def test_a_true_pair_in_another_block_is_not_ascribed_to_its_neighbours() -> None:
    """t00 and t01 go together, and so do t02 and t03: four products are much alike, one is true."""
    rng = np.random.default_rng(11)
    family = rng.normal(size=(600, 3))[:, [0, 0, 1, 1, 2, 2]]
    carried = (rng.random((600, 6)) < 1 / (1 + np.exp(-3 * family))).astype(float)
    item = rng.integers(0, 600, 15_000)
    centred = carried - carried.mean(axis=0)
    y = (centred[:, 0] * centred[:, 2])[item] + rng.normal(size=item.size)
    log = log_from_arrays(item=item, outcomes={"y": y})
    order = [int(one) for one in log.items.ids.to_pylist()]
    names = [f"t{k:02d}" for k in range(6)]
    ground = stand(log, tags_from_arrays(log.items, carried[order], names))
    for block in (2, 4, 100):
        found = pair_effects(ground, Pairs(min_items=20, block=block))
        claimed = {(one.first, one.second) for one in found if one.verdict in {"raises", "lowers"}}
        assert claimed == {("t00", "t02")}, block


def test_a_claimed_pair_has_an_interval_without_zero() -> None:
    """The q of one named pair is its p: between .05 and .10 its interval holds 0."""
    between = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        carried = (rng.random((120, 2)) < 0.5).astype(float)
        item = rng.integers(0, 120, 600)
        log = log_from_arrays(item=item, outcomes={"y": rng.normal(size=item.size)})
        order = [int(one) for one in log.items.ids.to_pylist()]
        ground = stand(log, tags_from_arrays(log.items, carried[order], ["a", "b"]), using=PLAIN)
        (found,) = pair_effects(ground, Pairs(min_items=10), [("a", "b")])
        assert found.q is not None
        assert (found.verdict in {"raises", "lowers"}) == (found.q <= 0.05), seed
        between += 0.05 < found.q <= 0.10
    assert between >= 1


# ── users ───────────────────────────────────────────────────────────────────
def test_normal_equations_are_least_squares_with_group_dummies() -> None:
    rng = np.random.default_rng(3)
    n_items, n_users, n = 60, 40, 1_500
    carried = (rng.random((n_items, 2)) < 0.4).astype(float)
    item, user = rng.integers(0, n_items, n), rng.integers(0, n_users, n)
    author = rng.integers(0, 12, n_items)
    age, x = rng.normal(size=n_users), rng.normal(size=n)
    y = rng.normal(size=n) + carried[item, 0] * age[user] + 0.3 * x + author[item]
    log = log_from_arrays(
        item=[f"i{k:03d}" for k in item],
        user=[f"u{k:03d}" for k in user],
        outcomes={"y": y},
        covariates={"x": x, "age": age[user]},
        author={f"i{k:03d}": f"a{author[k]:02d}" for k in range(n_items)},
        batch_rows=400,
    )
    order = [int(str(one)[1:]) for one in log.items.ids.to_pylist()]
    tags = tags_from_arrays(log.items, carried[order], ["a", "b"])
    ground = stand(log, tags, Question(min_items=5), PLAIN)
    factors = user_factors(log, Rows())
    assert factors.names == ("age",)
    sums = sum_users(log, ground.design, (0,), factors.values)
    normal = normal_equations(sums, ground.task.carried[ground.design.cell_item], ground.design)
    coef = np.linalg.solve(normal.gram, normal.cross)[:, 0]
    row_user = np.array([int(str(one)[1:]) for one in log.users.ids.to_pylist()])
    u = np.empty(n_users)
    u[row_user] = factors.values[:, 0]
    dummies = np.eye(12)[author[item]]
    mean = (dummies.T @ carried[item]) / dummies.sum(axis=0)[:, None]
    d = carried[item] - mean[author[item]]
    design = np.column_stack([d, d * u[user][:, None], x, u[user], dummies])
    assert coef == pytest.approx(np.linalg.lstsq(design, y, rcond=None)[0][:4], abs=1e-8)


def test_an_unknown_user_and_no_features() -> None:
    world = small_world(4, true_pairs=0, features=2)
    bare = replace(world.log, covariates=(), segments=())

    def batches():
        for batch in world.log.batches():
            yield replace(batch, covariates=batch.covariates[:, :0])

    bare = replace(bare, batches=batches)
    joint = estimate_effects(bare, world.tags).joint
    (model,) = user_effects(stand(bare, world.tags), joint)
    answer = effects_for_user(model, "u00001")[0]
    assert answer.rank == 0
    assert "no features" in str(answer.reason)
    with pytest.raises(UnknownNameError, match="u99999"):
        effects_for_user(model, "u99999")


def test_a_direction_that_was_missed_is_in_the_interval() -> None:
    """Effects differ along two of six factors, and one was found."""
    covered, covered_along = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        true = np.zeros((6, 20))
        true[:2] = np.array([[0.5], [0.3]]) * rng.normal(size=(2, 20))
        theta = rng.normal(size=20)
        model = UserEffects(
            outcome="y",
            tags=tuple(f"t{k}" for k in range(20)),
            users=IdMap(pa.array(["along", "across"])),
            factors=UserFactors(
                np.array([[1.0, 0, 0, 0, 0, 0], [1.0, 1.5, 0, 0, 0, 0]]),
                ("x",),
                np.ones(2, dtype=bool),
            ),
            average=theta + 0.05 * rng.normal(size=20),
            average_se=np.full(20, 0.05),
            told=np.ones(20, dtype=bool),
            coef=true + 0.05 * rng.normal(size=true.shape),
            cov=np.tile(0.05**2 * np.eye(6), (20, 1, 1)),
            df=np.full(20, 200.0),
            rank=Rank(np.eye(6)[:, :1], 1.0, 0.1),
        )
        for user, found in (("along", covered_along), ("across", covered)):
            answers = effects_for_user(model, user)
            of_user = theta + model.factors.values[int(user == "across")] @ true
            found += [a.ci_low <= t <= a.ci_high for a, t in zip(answers, of_user, strict=True)]
    assert np.mean(covered) >= 0.93
    assert np.mean(covered_along) >= 0.93


def test_memory_for_users_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    world = small_world(6, differ=0.1, rows=6_000)

    def batches():
        for batch in world.log.batches():
            both = np.hstack([batch.outcomes, batch.outcomes**2])
            yield replace(batch, outcomes=both, weights=np.hstack([batch.weights] * 2))

    other = replace(world.log.outcomes[0], name="other")
    log = replace(world.log, outcomes=(*world.log.outcomes, other), batches=batches)
    joint = estimate_effects(log, world.tags).joint
    ground = stand(log, world.tags)
    tracemalloc.start()
    whole = user_effects(ground, joint)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    shape = (len(ground.design.cell_keys), 12, 4, len(ground.design.basis.names))
    need = [memory_needed(*shape, count, len(log.users), 10) for count in (1, 2)]
    assert 0.5 * peak < need[1] < 2 * peak
    monkeypatch.setattr("tagcf.effects.heterogeneity.user_effects.MOST_MEMORY", sum(need) // 2)
    monkeypatch.setattr("tagcf.effects.heterogeneity.user_errors.CLUSTERS_AT_ONCE", 64)
    for one, alone in zip(whole, user_effects(ground, joint), strict=True):
        assert one.outcome == alone.outcome
        np.testing.assert_allclose(one.coef, alone.coef)
        np.testing.assert_allclose(one.cov, alone.cov, rtol=1e-6, atol=1e-12)
    monkeypatch.setattr("tagcf.effects.heterogeneity.user_effects.MOST_MEMORY", need[0] - 1)
    with pytest.raises(EstimationError, match="GB of memory"):
        user_effects(ground, joint)


# ── activity ────────────────────────────────────────────────────────────────
def test_activity_is_counted_before_the_rows_that_are_left() -> None:
    rng = np.random.default_rng(5)
    user = rng.integers(0, 30, 2_000)
    early = np.arange(2_000) < 500
    user[early & (user < 10)] = 25  # users 0 to 9 come later, and often
    log = log_from_arrays(
        item=rng.integers(0, 20, 2_000),
        user=[f"u{k:02d}" for k in user],
        ts=np.arange(2_000.0),
        outcomes={"y": rng.normal(size=2_000)},
    )
    split = with_activity(log)
    assert split.n_rows == pytest.approx(1_500, abs=2)
    assert sum(batch.n_rows for batch in split.batches()) == split.n_rows
    assert (split.user_segments[:10, -1] == 0).all()
    assert split.user_segments[25, -1] == 2
    assert split.segments[-1].levels == ("low", "middle", "high")


def test_activity_refuses_what_it_cannot_count() -> None:
    log = log_from_arrays(
        item=[1, 2, 1], user=[1, 1, 2], outcomes={"y": [0, 1, 1]}, covariates={"hour": [1, 2, 3]}
    )
    with pytest.raises(EstimationError, match="no time"):
        with_activity(log)
    with pytest.raises(EstimationError, match="cannot stand for activity"):
        with_activity(log, "hour")
    with pytest.raises(UnknownNameError, match="hours"):
        with_activity(log, "hours")


# ── siblings ────────────────────────────────────────────────────────────────
def test_fieller_is_the_set_of_ratios_not_rejected() -> None:
    cases = [((2.0, 1.0), (0.1, 0.04, 0.02)), ((2.0, 0.1), (0.1, 0.04, 0.0))]
    cases += [((0.1, 0.1), (1.0, 1.0, 0.0))]
    shapes = []
    for (above, below), (one, other, shared) in cases:
        found = fieller(above, below, one, other, shared, 30)
        shapes.append(found.shape)
        grid = np.linspace(-40, 40, 4_001)
        gap = np.abs(above - grid * below)
        kept = gap <= 2.0423 * np.sqrt(one - 2 * grid * shared + grid**2 * other)
        inside = (grid >= found.low) & (grid <= found.high)
        expected = ~inside if found.shape == "outside" else inside
        assert (kept == expected).mean() > 0.999
    assert shapes == ["interval", "outside", "everything"]


def test_an_unbounded_ratio_is_said_in_words() -> None:
    tags = [Tag(name, name, name, "topic", "p") for name in "abc"] + [Tag("d", "d", "d", "topic")]
    fit = JointFit(
        "y",
        "real",
        ("a", "b", "c", "d"),
        np.array([2.0, 0.1, 0.1, 1.0]),
        0.04 * np.eye(4),
        np.full(4, 30.0),
        np.array([True, True, True, True]),
        0.0,
    )
    one, other = sibling_comparisons([fit], tags, ["a", "d"])
    assert one.shape == "outside"
    assert one.ratio is None
    assert "below" in str(one.reason)
    assert other.reason is not None
    assert other.reason.key == "reason.no_parent"
    clear = replace(fit, coef=np.array([2.0, 1.0, 1.0, 1.0]), cov=0.001 * np.eye(4))
    told = sibling_comparisons([clear], tags, ["a"])[0]
    assert told.ratio == pytest.approx(2.0)
    assert told.low is not None
    assert told.high is not None
    assert told.low < 2 < told.high
    missing = replace(fit, usable=np.array([True, True, False, True]))
    assert sibling_comparisons([missing], tags, ["a"])[0].reason is not None


# ── borrowed ────────────────────────────────────────────────────────────────
def test_hiding_a_lender_in_closed_form_is_predicting_it_from_the_rest() -> None:
    rng = np.random.default_rng(6)
    tags = [Tag(f"t{k}", f"标签{k}", f"tag {k}", "topic", f"p{k % 4}") for k in range(14)]
    kernels = likeness(tags, embed=False).kernels
    estimate, noise = rng.normal(size=14), rng.uniform(0.1, 0.3, 14)
    field = learn(estimate, noise, kernels)
    variance = np.append(field.shares, field.own)
    hidden = _when_hidden(_covariance(variance, kernels, noise), estimate)
    rest = np.arange(1, 14)
    value, error, weights = predict(
        field,
        estimate[rest],
        noise[rest],
        [kernel[np.ix_(rest, rest)] for kernel in kernels],
        [kernel[0, rest] for kernel in kernels],
    )
    assert weights.sum() == pytest.approx(1.0)
    assert hidden[0] == pytest.approx((estimate[0] - value) / np.sqrt(error + noise[0]), rel=1e-6)


def test_likeness_is_of_names_parents_and_facets() -> None:
    tags = [
        Tag("cat", "猫咪", "cat", "topic", "pets", aliases=("小猫",)),
        Tag("kitten", "小猫咪", "kitten", "topic", "pets"),
        Tag("stock", "股票", "stock market", "topic", "money"),
        Tag("calm", "平静", "calm", "emotion"),
    ]
    found = likeness(tags, embed=False)
    assert found.by == "names"
    assert found.meaning[0, 1] > found.meaning[0, 2]
    assert found.same_parent[0].tolist() == [1, 1, 0, 0]
    assert found.same_facet[0].tolist() == [1, 1, 1, 0]
    for kernel in found.kernels:
        assert np.linalg.eigvalsh(kernel).min() > -1e-9


def test_the_coverage_told_is_of_lenders_that_calibration_did_not_see() -> None:
    """An outlier stretches the interval until it covers itself, unless it is hidden."""
    rng = np.random.default_rng(12)
    tags = [Tag(f"t{k}", f"标签{k}", f"tag {k}", "topic", f"p{k % 4}") for k in range(19)]
    kernels = likeness(tags, embed=False).kernels
    estimate, noise = 0.1 * rng.normal(size=19), np.full(19, 0.01)
    estimate[3] = 9.0
    hidden = hide_in_turn(estimate, noise, kernels)
    assert hidden.coverage(estimate, noise) == pytest.approx(18 / 19)
    assert hidden.stretch[3] < learn(estimate, noise, kernels).stretch
    assert abs(hidden.value[3]) < 1


# ── mediation ───────────────────────────────────────────────────────────────
def test_total_is_direct_plus_through() -> None:
    rng = np.random.default_rng(8)
    cause = rng.random(600) < 0.4
    mediator = rng.random(600) < 0.2 + 0.5 * cause
    other = rng.random(600) < 0.3
    carried = np.column_stack([cause, mediator, other]).astype(float)
    item = rng.integers(0, 600, 20_000)
    y = carried[item] @ [0.3, 0.8, -0.2] + rng.normal(size=item.size)
    log = log_from_arrays(item=item, outcomes={"y": y})
    order = [int(one) for one in log.items.ids.to_pylist()]
    tags = tags_from_arrays(log.items, carried[order], ["cause", "mediator", "other"])
    ground = stand(log, tags, using=PLAIN)
    (found,) = mediation(ground, "cause", "mediator")
    assert found.reason is None
    assert found.total == pytest.approx(found.direct + found.through, abs=1e-6)
    assert found.through_low < 0.8 * 0.5 < found.through_high
    assert found.direct == pytest.approx(0.3, abs=0.1)
    assert "Exploratory" in str(found.assumption)
    with pytest.raises(QuestionError, match="mediator"):
        mediation(ground, "cause", "cause")
    below = stand(log, tags, Question(descendants={"mediator": frozenset({"cause"})}), PLAIN)
    with pytest.raises(QuestionError, match="mediator"):
        mediation(below, "cause", "mediator")
    (absent,) = mediation(ground, "cause", "nowhere")
    assert absent.through is None
    assert absent.reason is not None


@pytest.mark.parametrize("skew", [0.0, 0.7, 1.2])
def test_the_path_has_the_weights_of_the_outcome(skew: float) -> None:
    """A mediator never varies within an item: its own ratio of variances would be rounding."""
    rng = np.random.default_rng(1)
    cause = rng.random(400) < 0.4
    carried = np.column_stack([cause, rng.random(400) < 0.25 + 0.45 * cause, rng.random(400) < 0.3])
    popular = rng.permutation(400) + 1.0
    item = rng.choice(400, 20_000, p=popular**-skew / (popular**-skew).sum())
    y = carried[item] @ [0.2, 0.5, 0.0] + 0.3 * rng.normal(size=400)[item]
    log = log_from_arrays(item=item, outcomes={"y": y + rng.normal(size=item.size)})
    order = [int(one) for one in log.items.ids.to_pylist()]
    tags = tags_from_arrays(log.items, carried[order].astype(float), ["a", "b", "c"])
    (found,) = mediation(stand(log, tags), "a", "b")
    assert found.reason is None
    assert found.total == pytest.approx(found.direct + found.through, abs=1e-5)
    by_item = carried[cause, 1].mean() - carried[~cause, 1].mean()
    assert found.path == pytest.approx(by_item, abs=0.05)
    assert found.through_low < 0.45 * 0.5 < found.through_high


# ── near-duplicates ─────────────────────────────────────────────────────────
def test_near_duplicates_are_told_as_a_group() -> None:
    rng = np.random.default_rng(9)
    pet = rng.random(400) < 0.4
    twin = pet ^ (rng.random(400) < 0.01)
    carried = np.column_stack([pet, twin, rng.random(400) < 0.3]).astype(float)
    item = rng.integers(0, 400, 15_000)
    y = 0.5 * (carried[item, 0] + carried[item, 1] > 0) + rng.normal(size=item.size)
    log = log_from_arrays(item=item, outcomes={"y": y})
    order = [int(one) for one in log.items.ids.to_pylist()]
    tags = tags_from_arrays(log.items, carried[order], ["pet", "twin", "other"])
    alone = {one.tag: one for one in estimate_effects(log, tags).effects}
    assert alone["pet"].verdict == alone["twin"].verdict == "cannot tell"
    question = Question(near_duplicates=(("pet", "twin"), ("other", "nowhere")))
    found = {one.tag: one for one in estimate_effects(log, tags, question=question).effects}
    assert found["pet+twin"].verdict == "raises"
    assert found["pet+twin"].ci_low < 0.5 < found["pet+twin"].ci_high
    assert found["pet+twin"].n_treated_items == int((carried[:, :2].sum(axis=1) > 0).sum())
    assert found["pet"].reason is not None
    assert found["pet"].reason.key == "reason.in_group"
    assert found["other"].verdict == "no clear effect"


# ── the command ─────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tagcf.data.simulate import Platform, simulate
    from tagcf.data.simulate.write import write_world

    folder = tmp_path_factory.mktemp("whom") / "platform"
    write_world(simulate(Platform(users=200, items=400, tags=16, days=14, seed=5)), folder)
    return folder


BASIC = ("--using", "joint", "--outcome", "click")


def test_the_command_answers_beside_the_effects(platform: Path, run) -> None:
    done = run(
        *("effects", platform, *BASIC, "--json", "--pairs", "--siblings", "camping"),
        *("--for-user", "u000007", "--mediation", "camping:urban-escape", "--borrow", "--kin"),
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    keys = {"effects", "pairs", "siblings", "for_user", "mediation", "borrowed", "kin"}
    assert answer.keys() == keys | {"tags_version"}
    assert {row["outcome"] for key in keys for row in answer[key]} == {"click"}
    refused = {row["tag"] for row in answer["effects"] if row["verdict"] == "cannot tell"}
    assert {row["tag"] for row in answer["borrowed"]} <= refused
    assert all("verdict" not in row for row in answer["borrowed"])
    assert answer["for_user"][0].keys() >= {"average", "estimate", "ci_low", "ci_high", "rank"}
    assert "Exploratory" in answer["mediation"][0]["assumption"]


def test_the_command_prints_tables(platform: Path, run) -> None:
    done = run(
        *(
            "effects",
            platform,
            *BASIC,
            "--pair",
            "露营:都市逃离感",
            "--mediation",
            "camping：urban-escape",
        )
    )
    assert done.returncode == 0, done.stderr
    assert "Camping\tUrge to leave the city\tclick" in done.stdout
    assert "nothing unseen" in done.stdout
    chinese = run("effects", platform, *BASIC, "--borrow", "--lang", "zh")
    assert "借用" in chinese.stdout


def test_activity_is_shown_but_not_kept(platform: Path, run) -> None:
    assert run("effects", platform, *BASIC).returncode == 0
    before = (platform / "out" / "effects.parquet").read_bytes()
    for extra in ((), ("--activity", "user_activity")):
        done = run("effects", platform, *BASIC, "--by", "activity", "--json", *extra)
        assert done.returncode == 0, done.stderr
        segments = {row["segment"] for row in json.loads(done.stdout)["effects"]}
        assert segments == {None, "activity=low", "activity=middle", "activity=high"}
    assert (platform / "out" / "effects.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--pair", "camping"], "colon"),
        (["--pair", "camping:camping"], "colon"),
        (["--pair", "campin:healing"], "amping"),
        (["--mediation", "camping:camping"], "colon"),
        (["--for-user", "nobody"], "nobody"),
        (["--siblings", "campin"], "amping"),
        (["--by", "activity", "--activity", "hours"], "hour"),
    ],
)
def test_mistakes_are_named(platform: Path, run, arguments: list[str], says: str) -> None:
    done = run("effects", platform, *BASIC, *arguments)
    assert done.returncode in {1, 2}
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_options_stand_on_joint(platform: Path, run) -> None:
    done = run("effects", platform, "--using", "matching", "--kin")
    assert done.returncode == 2
    assert "--kin" in done.stderr
