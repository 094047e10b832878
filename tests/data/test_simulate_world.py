"""The simulated platform is what it says: its equations are checked against what it drew."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest

from tagcf.data.simulate import Platform, World, simulate
from tagcf.data.simulate.outcomes import BASE, BINARY, LINEAR_SLOPE, predictor_of
from tagcf.data.simulate.sector import SECTORS, read_sector
from tagcf.errors import SettingsError
from tagcf.tags.vocabulary import default_vocabulary, name_index
from tagcf.types import Floats


@cache
def world_of(**settings: object) -> World:
    return simulate(Platform(**settings))  # type: ignore[arg-type]  # keys are Platform's own


def true_matrix(world: World, estimand: str = "direct", segment: str | None = None) -> Floats:
    """(T, 6) true effects, outcomes in order."""
    rows = world.truth.filter(
        (pl.col("estimand") == estimand) & pl.col("segment").eq_missing(pl.lit(segment))
    )
    return rows["effect"].to_numpy().reshape(len(world.tags.tags), 6)


def naive_contrasts(world: World) -> Floats:
    """(T, K) mean outcome of rows with the tag minus rows without."""
    carried = world.mechanism.catalogue.carried[world.shown.item].astype(float)
    with_tag = carried.T @ world.drawn / carried.sum(axis=0)[:, None]
    without = (1 - carried).T @ world.drawn / (1 - carried).sum(axis=0)[:, None]
    return with_tag - without


def plain_tags(world: World) -> np.ndarray:
    """Positions of tags that are common and neither cause nor are caused."""
    design = world.mechanism.design
    tied = {t for edge in design.causes for t in edge}
    return np.array([t for t in range(len(design.tags)) if t not in tied and not design.rare[t]])


def least_squares(world: World, authors: bool) -> tuple[Floats, Floats]:
    """Joint coefficients (T, K) on random rows, and their item-clustered errors."""
    rows = world.shown.randomized
    item, user = world.shown.item[rows], world.shown.user[rows]
    catalogue = world.mechanism.catalogue
    carried = catalogue.carried[item].astype(float)
    length = catalogue.duration_s[item]
    fixed = np.eye(len(catalogue.author_quality))[catalogue.author[item]]
    X = np.column_stack(
        [
            carried,
            length,
            np.log(length),
            world.mechanism.audience.user_activity[user],
            fixed if authors else np.ones(len(item)),
        ]
    )
    Y = world.drawn[rows]
    inverse = np.linalg.pinv(X.T @ X)
    coef = inverse @ (X.T @ Y)
    n_tags = carried.shape[1]
    errors = np.empty((n_tags, Y.shape[1]))
    for k in range(Y.shape[1]):
        scores = np.zeros((len(catalogue.author), X.shape[1]))
        np.add.at(scores, item, X * (Y[:, k] - X @ coef[:, k])[:, None])
        errors[:, k] = np.sqrt(np.diag(inverse @ scores.T @ scores @ inverse))[:n_tags]
    return coef[:n_tags], errors


def test_truth_has_one_row_for_each_question() -> None:
    world = world_of(seed=0)
    truth = world.truth
    assert truth.columns == ["tag", "outcome", "segment", "estimand", "effect", "population"]
    assert truth.height == 24 * 6 * 4 * 3
    assert truth.select("tag", "outcome", "segment", "estimand").is_unique().all()
    assert truth["effect"].is_finite().all()
    assert set(truth["outcome"]) == {*(one.name for one in world.log.outcomes), "return_7d"}


@pytest.mark.parametrize("link", ["logit", "identity"])
def test_half_of_the_tags_do_exactly_nothing_and_the_others_something(link: str) -> None:
    world = world_of(seed=1, link=link)
    assert len(world.null_tags) == 12
    own = world.truth.filter(pl.col("estimand") != "total")
    null = own.filter(pl.col("tag").is_in(world.null_tags))
    active = own.filter(~pl.col("tag").is_in(world.null_tags))
    assert (null["effect"] == 0.0).all()
    assert (active["effect"] != 0.0).all()


def test_total_differs_from_direct_only_where_a_tag_causes_another() -> None:
    world = world_of(seed=2)
    direct, total = true_matrix(world), true_matrix(world, "total")
    causing = {parent for parent, _ in world.mechanism.design.causes}
    assert len(causing) == 3
    for t, tag in enumerate(world.tags.tags):
        if t in causing:
            assert (direct[t] != total[t]).all(), tag.slug
        else:
            np.testing.assert_array_equal(direct[t], total[t])
    camping = [tag.slug for tag in world.tags.tags].index("camping")
    assert not direct[camping].any()
    assert np.abs(total[camping, :5]).min() > 0


def test_effects_of_segments_average_to_the_overall_effect_and_differ() -> None:
    world = world_of(seed=3, link="identity", users=402)
    parts = np.array([true_matrix(world, segment=f"city_tier={s}") for s in (1, 2, 3)])
    overall = true_matrix(world)
    # Pairs are sampled and a few are clipped, hence not exactly; the return is exact.
    np.testing.assert_allclose(parts.mean(axis=0)[:, :5], overall[:, :5], rtol=0.02, atol=1e-9)
    np.testing.assert_allclose(parts.mean(axis=0)[:, 5], overall[:, 5], atol=1e-12)
    active = ~world.mechanism.design.null
    assert (np.ptp(parts[:, active, 0], axis=0) / np.abs(overall[active, 0])).mean() > 0.3


def test_truth_is_what_toggling_a_tag_does_to_the_expected_outcome() -> None:
    world = world_of(seed=4)
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 400, 40_000), rng.integers(0, 600, 40_000)
    own = world.mechanism.catalogue.carried[item]
    tag = int(np.flatnonzero(~world.mechanism.design.null & ~world.mechanism.design.rare)[0])
    with_tag, without = own.copy(), own.copy()
    with_tag[:, tag], without[:, tag] = True, False
    change = world.expected(user, item, with_tag) - world.expected(user, item, without)
    np.testing.assert_allclose(change.mean(axis=0), true_matrix(world)[tag, :5], rtol=0.01)
    np.testing.assert_allclose(
        change[own[:, tag]].mean(axis=0), true_matrix(world, "treated")[tag, :5], rtol=0.02
    )


def test_naive_contrast_is_far_from_the_truth_unless_nothing_confounds() -> None:
    def miss(confounding: float) -> Floats:
        errors = []
        for seed in range(3):
            world = world_of(seed=seed, confounding=confounding)
            tags = plain_tags(world)
            errors.append(naive_contrasts(world)[tags] - true_matrix(world)[tags, :5])
        return np.sqrt(np.mean(np.square(np.concatenate(errors)), axis=0))

    assert (miss(1.0) > 1.6 * miss(0.0)).all()


def test_random_rows_with_author_effects_recover_the_truth_and_without_do_not() -> None:
    def coverage(authors: bool) -> float:
        covered = []
        for seed in range(3):
            world = world_of(seed=seed)
            common = ~world.mechanism.design.rare
            coef, errors = least_squares(world, authors)
            missed = np.abs(coef - true_matrix(world)[:, :5]) / errors
            covered.append(missed[common] < 1.98)
        return float(np.mean(np.concatenate(covered)))

    assert coverage(authors=True) > 0.89
    assert coverage(authors=False) < 0.80


def test_several_effects_are_large_for_their_error_and_several_are_not() -> None:
    world = world_of(seed=0)
    _, errors = least_squares(world, authors=True)
    ratio = np.abs(true_matrix(world)[:, :5]) / errors
    active = ~world.mechanism.design.null & ~world.mechanism.design.rare
    assert (ratio[active] > 4).mean() > 0.25
    assert (ratio[active] < 3).mean() > 0.15


def test_return_seen_in_the_log_is_the_simulated_return() -> None:
    world = world_of(seed=5, days=28)
    (batch,) = world.log.batches()
    week = ((batch.ts - batch.ts.min()) // (7 * 86_400)).astype(int)
    seen = np.zeros((400, 5), dtype=bool)
    seen[batch.user, week] = True
    returns = world.returns
    assert {(int(u), int(w)) for u, w in zip(returns.user, returns.week, strict=True)} == set(
        zip(*(axis.tolist() for axis in np.nonzero(seen)), strict=True)
    )
    followed = returns.week < 3  # nobody can be seen after the log ends
    assert followed.sum() > 500
    np.testing.assert_array_equal(
        seen[returns.user[followed], returns.week[followed] + 1], returns.returned[followed]
    )


def test_expected_return_is_the_chance_the_return_was_drawn_with() -> None:
    world = world_of(seed=5, days=28)
    week = ((world.shown.ts - world.shown.ts.min()) // (7 * 86_400)).astype(int)
    rows = [
        world.shown.item[(world.shown.user == u) & (week == w)]
        for u, w in zip(world.returns.user, world.returns.week, strict=True)
    ]
    longest = max(map(len, rows))
    items = np.array([np.pad(row, (0, longest - len(row)), constant_values=-1) for row in rows])
    expected = world.expected_return(world.returns.user, items)
    np.testing.assert_allclose(expected, world.returns.probability, atol=1e-12)
    clipped = (expected <= 0.02) | (expected >= 0.98)
    assert clipped.mean() < 0.03
    # Drawn with these chances: the sum of 900 coins stays within four standard deviations.
    spread = np.sqrt((expected * (1 - expected)).sum())
    assert abs((world.returns.returned - expected).sum()) < 4 * spread
    # One impression that carries the tag instead of not: the true effect, where nothing clips.
    tag = int(np.flatnonzero(~world.mechanism.design.null)[0])
    carried = world.mechanism.catalogue.carried[items]
    with_tag, without = carried.copy(), carried.copy()
    with_tag[:, 0, tag], without[:, 0, tag] = True, False
    change = world.expected_return(world.returns.user, items, with_tag) - world.expected_return(
        world.returns.user, items, without
    )
    theta = world.mechanism.sizes.theta_return[:, tag]
    tier = world.mechanism.audience.city_tier[world.returns.user]
    np.testing.assert_allclose(change[~clipped], theta[tier][~clipped], atol=5e-3)
    users = np.bincount(world.mechanism.audience.city_tier)
    np.testing.assert_allclose(theta @ users / 400, true_matrix(world)[tag, 5], atol=1e-12)


def test_propensities_are_exact() -> None:
    world = world_of(users=12, items=40, tags=8, impressions_per_user_day=300.0, seed=6)
    shown = world.shown
    policy = world.policy(np.arange(12))
    np.testing.assert_allclose(policy.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(shown.propensity[shown.randomized], 1 / 40)
    chosen = ~shown.randomized
    np.testing.assert_allclose(
        shown.propensity[chosen], policy[shown.user[chosen], shown.item[chosen]]
    )
    assert abs(shown.randomized.mean() - 0.3) < 0.01
    counts = np.zeros((12, 40))
    np.add.at(counts, (shown.user[chosen], shown.item[chosen]), 1)
    expected = counts.sum(axis=1, keepdims=True) * policy
    chi_square = ((counts - expected) ** 2 / expected).sum()
    degrees = 12 * 39
    assert abs(chi_square - degrees) < 5 * np.sqrt(2 * degrees)


def test_expected_is_the_mean_of_many_redraws() -> None:
    world = world_of(seed=7)
    pairs = 40
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 400, pairs), rng.integers(0, 600, pairs)
    carried = rng.random((pairs, 24)) < 0.3
    repeats = 4_000
    drawn = world.draw(
        np.repeat(user, repeats), np.repeat(item, repeats), np.repeat(carried, repeats, axis=0)
    ).reshape(pairs, repeats, 5)
    z = (drawn.mean(axis=1) - world.expected(user, item, carried)) / (
        drawn.std(axis=1) / np.sqrt(repeats)
    )
    assert np.abs(z).max() < 4.5
    assert 0.8 < z.std() < 1.2


def test_length_lowers_finishing_and_raises_seconds_but_nothing_else() -> None:
    world = world_of(seed=8)
    short, long = np.argsort(world.mechanism.catalogue.duration_s)[[20, -20]]
    terms = predictor_of(
        world.mechanism,
        np.zeros(2, dtype=np.int32),
        np.array([short, long], dtype=np.int32),
        np.zeros((2, 24), dtype=bool),
    )
    sizes, catalogue = world.mechanism.sizes, world.mechanism.catalogue
    rest = terms - sizes.item[[short, long]]
    quality = catalogue.author_quality[catalogue.author[[short, long]], None]
    suits = catalogue.topics[[short, long]] @ world.mechanism.audience.tastes[0] / np.sqrt(6)
    rest -= quality * [0.40, 0.35, 0.40, 0.45, 0.40]
    rest -= suits[:, None] * [0.45, 0.35, 0.35, 0.45, 0.35]
    change = rest[1] - rest[0]
    assert change[1] < -0.5
    assert change[2] > 0.5
    np.testing.assert_allclose(change[[0, 3, 4]], 0, atol=1e-9)


def test_tastes_favour_no_item_in_any_city_tier() -> None:
    audience = world_of(seed=0).mechanism.audience
    for tier in range(3):
        mean = audience.tastes[audience.city_tier == tier].mean(axis=0)
        np.testing.assert_allclose(mean, 0, atol=1e-12)


def test_the_bucket_moves_exposure_to_its_tag_and_is_tied_to_nothing() -> None:
    world = world_of(seed=9)
    design, audience = world.mechanism.design, world.mechanism.audience
    t = design.instrument
    assert design.tags[t].slug == "nostalgic-music"
    assert design.gamma[t] == 0
    assert not design.loadings[t].any()
    assert not design.null[t]
    carried = world.mechanism.catalogue.carried[world.shown.item, t]
    policy = ~world.shown.randomized
    boosted = audience.boosted[world.shown.user]
    assert carried[policy & boosted].mean() > carried[policy & ~boosted].mean() + 0.1
    assert abs(carried[~policy & boosted].mean() - carried[~policy & ~boosted].mean()) < 0.04


def test_rare_tags_only_where_the_catalogue_is_large_enough() -> None:
    large, small = world_of(seed=0), world_of(seed=0, items=200)
    on_items = large.mechanism.catalogue.carried.sum(axis=0)
    rare = large.mechanism.design.rare
    assert rare.sum() == 2
    assert (on_items[rare] < 50).all()
    assert (on_items[~rare] >= 50).all()
    assert not small.mechanism.design.rare.any()


def test_popularity_exponent_makes_a_few_items_carry_most_policy_rows() -> None:
    def top_share(zipf: float) -> float:
        shown = world_of(seed=0, zipf=zipf, random_share=0.0).shown
        counts = np.sort(np.bincount(shown.item, minlength=600))[::-1]
        return float(counts[:20].sum() / counts.sum())

    assert top_share(1.2) > 2 * top_share(0.0)


def test_identity_link_clips_rarely() -> None:
    world = world_of(seed=1, link="identity")
    own = world.mechanism.catalogue.carried[world.shown.item]
    linear = BASE + LINEAR_SLOPE * predictor_of(
        world.mechanism, world.shown.user, world.shown.item, own
    )
    outside = (linear[:, BINARY] < 0.01) | (linear[:, BINARY] > 0.99)
    assert outside.mean() < 0.01
    assert (linear[:, ~BINARY] < 0.05 * BASE[~BINARY]).mean() < 0.01


def test_same_seed_same_world_and_another_seed_another() -> None:
    one, again = simulate(Platform(seed=11)), simulate(Platform(seed=11))
    other = simulate(Platform(seed=12))
    np.testing.assert_array_equal(one.drawn, again.drawn)
    np.testing.assert_array_equal(one.shown.ts, again.shown.ts)
    assert one.truth.equals(again.truth)
    assert not one.truth.equals(other.truth)


@pytest.mark.parametrize(
    "wrong",
    [{"users": 3}, {"tags": 2}, {"random_share": 1.2}, {"link": "probit"}, {"sector": "cinema"}],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Platform(**wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("name", SECTORS)
def test_sector_words_are_complete_and_agree_with_the_vocabulary(name: str) -> None:
    sector = read_sector(name)
    slugs = [tag.slug for tag in sector.tags]
    assert len(slugs) >= 40
    assert len(set(slugs)) == len(slugs)
    assert len({tag.zh for tag in sector.tags}) == len(slugs)
    assert len(sector.outcomes) == len(sector.outcomes_zh) == 6
    assert len(sector.roles) == 6
    assert {tag for edge in sector.causes for tag in edge} <= set(slugs[:24])
    assert all(tag.keywords for tag in sector.tags)
    for size, patterns in enumerate(sector.titles):
        assert all(pattern.count("{") == size for pattern in patterns)
    names = name_index(default_vocabulary().tags)
    for slug in slugs:  # none is another tag's name or alias
        assert names.get(slug) is None or names[slug].slug == slug
    shipped = {tag.slug: tag for tag in default_vocabulary().tags}
    for tag in sector.tags:
        if tag.slug in shipped:
            same = shipped[tag.slug]
            assert (tag.zh, tag.en, tag.facet) == (same.zh, same.en, same.facet)
        assert tag.parent not in slugs  # else tags would be tied in ways the truth leaves out
    if name == "video":
        assert set(slugs) <= set(shipped)


def test_tags_beyond_the_list_are_numbered() -> None:
    world = world_of(tags=50, users=40, items=320, days=7)
    assert world.tags.tags[-1].slug == "tag-050"
    assert len({tag.slug for tag in world.tags.tags}) == 50
