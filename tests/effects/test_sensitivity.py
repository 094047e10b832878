"""Sensitivity analysis against identities, exact distributions and other libraries."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from tagcf.data.arrays import log_from_arrays
from tagcf.effects.joint.fit import Fit, fit_joint
from tagcf.effects.linear.design import Design, make_design, survey
from tagcf.effects.methods import Joint
from tagcf.effects.sensitivity.overlap import crump_cut, item_scores, joint_balance, overlap_of
from tagcf.effects.sensitivity.placebo import Source, permute_tags, placebo_strata
from tagcf.effects.sensitivity.reduced import Reduced, reduce
from tagcf.effects.sensitivity.robustness import (
    benchmark,
    control_shares,
    e_value,
    e_values,
    robustness_value,
    strength_bound,
)
from tagcf.effects.sensitivity.rosenbaum import pair_differences, pair_items, signed_rank_gamma
from tagcf.effects.sensitivity.simultaneous import by_dependent, multiplier_draws, simultaneous
from tagcf.effects.sensitivity.specifications import specification_curve, within_authors
from tagcf.types import EventLog, Floats

N_ITEMS, N_ROWS, N_TAGS = 300, 12_000, 5


def world(
    seed: int = 1, *, authors: bool = True, effect: float = 0.2, by_author: bool = False
) -> tuple[EventLog, Floats]:
    """A log whose first tag has an effect; with `by_author`, tags are the same for an author."""
    random = np.random.default_rng(seed)
    author = np.arange(N_ITEMS) // 10
    length = random.normal(size=N_ITEMS)
    index = 0.6 * length[:, None] + random.normal(size=(N_ITEMS, N_TAGS))
    if by_author:
        index = index[author * 10]
    carried = (index > 0.5).astype(float)
    item = random.integers(0, N_ITEMS, N_ROWS)
    item[:N_ITEMS] = np.arange(N_ITEMS)
    hour = random.normal(size=N_ROWS)
    y = effect * carried[item, 0] + 0.3 * length[item] + 0.1 * hour
    y += 0.3 * random.normal(size=N_ITEMS)[item] + random.normal(size=N_ROWS)
    log = log_from_arrays(
        item=[f"i{one:04d}" for one in item],
        user=random.integers(0, 300, N_ROWS),
        ts=np.arange(N_ROWS, dtype=float),
        outcomes={"y": y},
        covariates={"length": length[item], "hour": hour},
        author=[f"a{one:03d}" for one in author[item]] if authors else None,
    )
    return log, carried


def fitted(
    log: EventLog, carried: Floats, *, absorbs: str | None = None, using: Joint | None = None
) -> tuple[Design, Fit, Reduced]:
    design = make_design(log, survey(log, absorbs), absorbs=absorbs, knots=5, exposure="any")
    fit = fit_joint(log, carried, design, (0,), using or Joint())
    return design, fit, reduce(fit, design)


@pytest.mark.parametrize(("t", "df"), [(4.2, 780), (2.5, 60), (12.0, 40), (-3.0, 200)])
def test_robustness_value_makes_bias_and_estimate_equal(t: float, df: float) -> None:
    share = robustness_value(t, df)
    assert np.sqrt(df * share**2 / (1 - share)) == pytest.approx(abs(t))


@pytest.mark.parametrize(("t", "df"), [(4.2, 780), (2.5, 60), (-3.0, 200)])
def test_robustness_value_of_the_interval_takes_it_to_zero(t: float, df: float) -> None:
    share = robustness_value(t, df, alpha=0.05)
    assert 0 < share < robustness_value(t, df)
    bias = np.sqrt(df * share**2 / (1 - share))
    error = np.sqrt((1 - share) / (1 - share) * df / (df - 1))
    assert abs(t) - bias == pytest.approx(stats.t.ppf(0.975, df - 1) * error)


def test_no_robustness_without_significance() -> None:
    assert robustness_value(1.5, 100, alpha=0.05) == 0.0
    assert robustness_value(1.5, 100) > 0


def test_the_bias_formula_is_that_of_least_squares() -> None:
    random = np.random.default_rng(3)
    n = 500
    x, z = random.normal(size=(2, n))
    d = 0.5 * x + 0.7 * z + random.normal(size=n)
    y = 0.4 * d + 0.2 * x + 0.8 * z + random.normal(size=n)

    def least_squares(target: Floats, *columns: Floats) -> tuple[Floats, Floats]:
        design = np.column_stack([np.ones(n), *columns])
        coef = np.linalg.lstsq(design, target, rcond=None)[0]
        return coef, target - design @ coef

    short, e_short = least_squares(y, d, x)
    long, e_long = least_squares(y, d, x, z)
    _, d_x = least_squares(d, x)
    _, d_xz = least_squares(d, x, z)
    r2_y, r2_d = 1 - (e_long @ e_long) / (e_short @ e_short), 1 - (d_xz @ d_xz) / (d_x @ d_x)
    df = n - 3
    t = short[1] / np.sqrt(e_short @ e_short / df / (d_x @ d_x))
    bias = np.sqrt(df * r2_y * r2_d / (1 - r2_d)) * short[1] / t
    assert short[1] - long[1] == pytest.approx(bias)


def test_a_like_of_an_orthogonal_control_has_its_shares() -> None:
    random = np.random.default_rng(4)
    n = 200_000
    x, z = random.normal(size=(2, n))  # z is as strong as x, and independent of it
    d = 0.4 * x + 0.4 * z + random.normal(size=n)
    y = 0.5 * d + 0.6 * x + 0.6 * z + random.normal(size=n)

    def left(target: Floats, *columns: Floats) -> float:
        design = np.column_stack([np.ones(n), *columns])
        e = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
        return float(e @ e)

    bound = strength_bound(1 - left(d, x) / left(d), 1 - left(y, d, x) / left(y, d), 1.0)
    assert bound is not None
    assert bound[0] == pytest.approx(1 - left(d, x, z) / left(d, x), rel=0.02)
    assert bound[1] == pytest.approx(1 - left(y, d, x, z) / left(y, d, x), rel=0.02)


def test_e_values_of_the_paper() -> None:
    assert e_value(3.9) == pytest.approx(7.26, abs=0.005)
    assert e_value(1.8) == pytest.approx(3.0)
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9))
    assert e_values(0.1, 0.08, 0.29, 0.5) == pytest.approx((7.26, 3.0), abs=0.005)
    assert e_values(0.1, -0.01, 0.05, 0.2)[1] == 1.0


def exact_p(differences: Floats, gamma: float) -> float:
    """Exact upper chance of the signed rank when every pair's odds are at most `gamma`."""
    ranks = stats.rankdata(np.abs(differences)).astype(int)
    chance = gamma / (1 + gamma)
    mass = np.zeros(ranks.sum() + 1)
    mass[0] = 1.0
    for rank in ranks:
        moved = np.zeros_like(mass)
        moved[rank:] = mass[: mass.size - rank]
        mass = (1 - chance) * mass + chance * moved
    return float(mass[int(ranks[differences > 0].sum()) :].sum())


@pytest.mark.parametrize("shift", [0.6, 0.8])
def test_gamma_is_where_the_exact_test_stops(shift: float) -> None:
    differences = np.random.default_rng(5).normal(shift, 1.0, 80)
    gamma = signed_rank_gamma(differences)
    assert gamma > 1.0
    assert exact_p(differences, gamma) == pytest.approx(0.025, abs=0.005)
    assert signed_rank_gamma(-differences) == pytest.approx(gamma)


def test_gamma_without_effect_or_pairs() -> None:
    assert signed_rank_gamma(np.tile([1.0, -1.0], 40)) == 1.0
    assert np.isnan(signed_rank_gamma(np.ones(4)))


def test_pairs_are_of_one_group_and_disjoint() -> None:
    log, carried = world()
    design, _, reduced = fitted(log, carried, absorbs="author")
    pairs = pair_items(reduced, 0)
    both = np.concatenate([pairs.carrier, pairs.other])
    assert np.unique(both).size == both.size > 60
    assert (design.cell_group[pairs.carrier] == design.cell_group[pairs.other]).all()
    assert (reduced.tags[pairs.carrier, 0] == 1).all()
    assert (reduced.tags[pairs.other, 0] == 0).all()


def test_gamma_sees_a_real_effect() -> None:
    log, carried = world(effect=0.6)
    _, _, reduced = fitted(log, carried)
    differences = pair_differences(
        reduced.without_one(0, 0), reduced.weight, pair_items(reduced, 0)
    )
    assert signed_rank_gamma(differences) > 2.0


def test_by_is_that_of_statsmodels() -> None:
    p = np.random.default_rng(6).random(40) ** 3
    expected = multipletests(p, method="fdr_by")[1]
    np.testing.assert_allclose(by_dependent(p), expected)
    holes = np.append(p, np.nan)
    np.testing.assert_allclose(by_dependent(holes)[:-1], expected)
    assert np.isnan(by_dependent(holes)[-1])


def test_multipliers_have_the_covariance_of_the_clusters() -> None:
    random = np.random.default_rng(7)
    mix = random.normal(size=(3, 3))
    moves = [random.normal(size=(400, 3)) @ mix, 0.5 * random.normal(size=(900, 3))]
    draws = multiplier_draws(moves, seed=1, draws=20_000)
    cov = sum(one.T @ one for one in moves)
    scale = np.sqrt(np.diag(cov))
    np.testing.assert_allclose(np.corrcoef(draws.T), cov / np.outer(scale, scale), atol=0.03)


def test_simultaneous_answers_are_sidak_when_tags_are_independent() -> None:
    draws = np.random.default_rng(8).normal(size=(40_000, 30))
    estimate, se = np.zeros(30), np.ones(30)
    estimate[0] = 3.2
    df, told = np.full(30, 1e6), np.ones(30, dtype=bool)
    found = simultaneous(estimate, se, df, told, draws)
    own = 2 * stats.norm.sf(3.2)
    assert found.p[0] == pytest.approx(1 - (1 - own) ** 30, rel=0.1)
    half = stats.norm.isf((1 - 0.95 ** (1 / 30)) / 2)
    assert found.high[0] - estimate[0] == pytest.approx(half, rel=0.02)


def test_family_wise_error_is_held_with_correlated_tags() -> None:
    random = np.random.default_rng(9)
    mix = np.linalg.cholesky(0.6 * np.ones((20, 20)) + 0.4 * np.eye(20))
    false = 0
    for world_seed in range(200):
        moves = random.normal(size=(300, 20)) @ mix.T
        estimate, se = moves.sum(axis=0), np.sqrt((moves**2).sum(axis=0))
        draws = multiplier_draws([moves], world_seed, 500)
        told = np.ones(20, dtype=bool)
        found = simultaneous(estimate, se, np.full(20, 299.0), told, draws)
        false += bool((found.p <= 0.05).any())
    assert 3 <= false <= 18


def aggregated(reduced: Reduced, fit: Fit, group: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Weighted item means of controls, tags and outcome, with dummies of the groups."""
    used = reduced.used
    root = np.sqrt(reduced.weight[used])[:, None]
    dummies = np.eye(int(group.max()) + 1)[group[used]]
    x = fit.sums.x[used] / fit.sums.weight[used][:, None]
    y = fit.sums.y[used] / fit.sums.weight[used][:, None]
    return root * dummies, root * x, root * reduced.tags[used], (root * y)[:, 0]


@pytest.mark.parametrize("absorbs", [None, "author"])
def test_shares_are_partial_r2_of_weighted_least_squares(absorbs: str | None) -> None:
    log, carried = world()
    design, fit, reduced = fitted(log, carried, absorbs=absorbs)
    slugs = [f"t{k}" for k in range(N_TAGS)]
    shares = control_shares(reduced, fit, slugs)
    groups, x, tags, y = aggregated(reduced, fit, design.cell_group)

    def left(target: Floats, *columns: Floats) -> float:
        block = np.column_stack(columns)
        e = target - block @ np.linalg.lstsq(block, target, rcond=None)[0]
        return float(e @ e)

    length = np.array([name.startswith("length") for name in fit.control_names])
    others = tags[:, [1, 2, 3, 4]]
    row = shares.names.index("length")
    expected = 1 - left(tags[:, 0], groups, x, others) / left(
        tags[:, 0], groups, x[:, ~length], others
    )
    assert shares.tag[row, 0] == pytest.approx(expected, rel=1e-6)
    expected = 1 - left(y, groups, x, tags) / left(y, groups, x[:, ~length], tags)
    assert shares.outcome[0, row, 0] == pytest.approx(expected, rel=1e-6)
    row = shares.names.index("tag:t3")
    expected = 1 - left(tags[:, 0], groups, x, others) / left(
        tags[:, 0], groups, x, tags[:, [1, 2, 4]]
    )
    assert shares.tag[row, 0] == pytest.approx(expected, rel=1e-6)
    expected = 1 - left(y, groups, x, tags) / left(y, groups, x, tags[:, [0, 1, 2, 4]])
    assert shares.outcome[0, row, 0] == pytest.approx(expected, rel=1e-6)


def test_the_benchmark_is_the_control_that_is_reached_first() -> None:
    log, carried = world(effect=0.4)
    _, fit, reduced = fitted(log, carried)
    shares = control_shares(reduced, fit, [f"t{k}" for k in range(N_TAGS)])
    found = benchmark(shares, 0, 0, 5.0, 120.0)
    assert found is not None
    assert found.control == "length"  # it drives both tag and outcome
    assert 0 < found.times_interval < found.times_estimate
    bound = strength_bound(found.r2_tag, found.r2_outcome, found.times_estimate)
    assert bound is not None
    d, y = bound
    assert np.sqrt(120.0 * y * d / (1 - d)) == pytest.approx(5.0, rel=1e-6)


def placebo_of(log: EventLog, carried: Floats, absorbs: str | None, seed: int = 1) -> Floats:
    design, fit, reduced = fitted(log, carried, absorbs=absorbs)
    strata = placebo_strata(log, design, fit, ("length",))
    source = Source(reduced, fit, np.ones((1, carried.shape[1])))
    return permute_tags([source], strata, 100, seed).p[0]


@pytest.mark.parametrize("absorbs", [None, "author"])
def test_placebo_tells_a_real_effect_from_null_tags(absorbs: str | None) -> None:
    p = placebo_of(*world(effect=0.4), absorbs)
    assert p[0] == pytest.approx(1 / 101)
    assert (p[1:] > 0.02).all()


def test_placebo_p_is_uniform_for_null_tags() -> None:
    p = np.concatenate([placebo_of(*world(seed, effect=0.0), "author") for seed in range(30)])
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.05)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_placebo_cannot_tell_a_tag_from_its_author() -> None:
    log, carried = world(effect=1.0, by_author=True)
    assert (placebo_of(log, carried, None) == 1.0).all()


def test_placebo_strata_are_of_one_author_and_like_length() -> None:
    log, carried = world()
    design, fit, _ = fitted(log, carried)
    strata = placebo_strata(log, design, fit, ("length",))
    assert log.item_author is not None
    length = fit.sums.x[:, fit.control_names.index("length")] / fit.sums.weight
    for one in np.unique(strata):
        assert np.unique(log.item_author[design.cell_item[strata == one]]).size == 1
    sizes = np.bincount(strata)
    assert sizes[sizes > 0].min() >= 5
    author = log.item_author[design.cell_item]
    within = [length[strata == one].std() for one in np.unique(strata)]
    assert np.mean(within) <= np.mean([length[author == one].std() for one in np.unique(author)])


@pytest.mark.parametrize("shape", [(0.5, 0.5), (2.0, 6.0)])
def test_crump_cut_minimises_the_variance(shape: tuple[float, float]) -> None:
    score = np.clip(np.random.default_rng(10).beta(*shape, 20_000), 1e-3, 1 - 1e-3)

    def variance(cut: float) -> float:
        inside = (score >= cut) & (score <= 1 - cut)
        return float((1 / (score * (1 - score)))[inside].mean() / inside.mean())

    cut = crump_cut(score, np.ones(score.size))
    best = min(np.linspace(0.0, 0.4, 401), key=variance)
    assert cut == pytest.approx(best, abs=0.004)
    assert crump_cut(np.full(100, 0.4), np.ones(100)) == 0.0


def test_alternatives_agree_where_effects_are_alike() -> None:
    log, carried = world(effect=0.4)
    _, fit, reduced = fitted(log, carried)
    overlap = overlap_of(reduced, fit, 0, 0, item_scores(reduced, fit, 0))
    assert sum(overlap.carriers) == pytest.approx(1.0)
    assert sum(overlap.others) == pytest.approx(1.0)
    assert {one.name for one in overlap.alternatives} == {"trimmed", "overlap"}
    for one in overlap.alternatives:
        assert one.ci_low < 0.4 < one.ci_high
        assert abs(one.estimate - reduced.coef[0, 0]) < (one.ci_high - one.ci_low) / 2


def test_the_joint_fit_balances_what_it_holds() -> None:
    log, carried = world()
    _, fit, reduced = fitted(log, carried)
    rows = joint_balance(reduced, fit, 0, [f"t{k}" for k in range(N_TAGS)])
    found = {row.control: row for row in rows}
    assert abs(found["length"].before) > 0.3
    assert abs(found["length"].after) < 1e-6
    assert "popularity" in found


@pytest.mark.parametrize("absorbs", [None, "author"])
def test_the_curve_holds_the_fit_itself(absorbs: str | None) -> None:
    log, carried = world()
    design, fit, _ = fitted(log, carried, absorbs=absorbs)
    columns = np.ones(N_TAGS, dtype=bool)
    curve = specification_curve(log, carried, design, (0,), columns, fit.errors.df)
    same = [
        one
        for one in curve[0][0]
        if (one.rows, one.groups, one.controls, one.weights)
        == ("all", absorbs or "none", "knots_5", "item_effects")
    ]
    assert [one.estimate for one in same] == pytest.approx([fit.solved.coef[0, 0]])
    own = np.sqrt(fit.errors.cov[0, 0, 0])
    half = stats.t.ppf(0.975, fit.errors.df[0, 0]) * own
    assert same[0].ci_high - same[0].estimate == pytest.approx(half, rel=0.2)
    assert len(curve[0][0]) == 2 * 9
    assert sorted(one.estimate for one in curve[0][0]) == [one.estimate for one in curve[0][0]]


def test_a_left_out_confounder_shows_in_the_curve() -> None:
    log, carried = world(effect=0.0)
    design, fit, _ = fitted(log, carried)
    curve = specification_curve(log, carried, design, (0,), np.ones(N_TAGS, bool), fit.errors.df)
    by_controls = {
        one.controls: one.estimate
        for one in curve[0][0]
        if one.weights == "item_effects" and one.groups == "none"
    }
    assert by_controls["without:length"] > by_controls["knots_5"] + 0.05
    assert by_controls["without:hour"] == pytest.approx(by_controls["knots_5"], abs=0.02)


def test_within_authors_only_where_they_were_not_held() -> None:
    log, carried = world()
    columns = np.ones(N_TAGS, dtype=bool)
    design, fit, _ = fitted(log, carried)
    found = within_authors(log, design, fit, columns)
    held = fitted(log, carried, absorbs="author")
    assert found is not None
    assert found[0][0] is not None
    assert found[0][0].estimate == pytest.approx(held[1].solved.coef[0, 0])
    assert within_authors(log, held[0], held[1], columns) is None
    log, carried = world(authors=False)
    design, fit, _ = fitted(log, carried)
    assert within_authors(log, design, fit, columns) is None
