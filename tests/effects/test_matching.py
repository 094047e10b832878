"""Matching of items: what counts, what is refused, and that its weights are its estimate."""

from dataclasses import replace

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.simulate import Platform, simulate
from tagcf.doubts import POPULARITY
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.joint.fit import fit_joint
from tagcf.effects.linear.design import make_design, survey
from tagcf.effects.linear.item_effects import cell_residuals
from tagcf.effects.matching.contrast import contrast_of
from tagcf.effects.matching.pairing import pair
from tagcf.effects.matching.score import score_of
from tagcf.effects.matching.units import gather_units, rows_of_units
from tagcf.effects.methods import Histogram, Joint, Matching
from tagcf.types import EventBatch, EventLog, TagEffects, TagMatrix

FORMS = [Matching(), Matching(form=Histogram())]


def log_of(
    item: np.ndarray, y: np.ndarray, carried: np.ndarray, **columns: object
) -> tuple[EventLog, TagMatrix]:
    log = log_from_arrays(item=item, outcomes={"y": y}, **columns)
    order = [int(log.items[at]) for at in range(len(log.items))]
    names = [f"t{k}" for k in range(carried.shape[1])]
    return log, tags_from_arrays(log.items, carried[order], names)


def matched(seed: int, using: Matching = FORMS[0], tag_draws: float = 0.0) -> TagEffects:
    """300 items; the first tag makes an item more popular by `tag_draws` on the log scale."""
    rng = np.random.default_rng(seed)
    carried = (rng.random((300, 5)) < 0.4).astype(float)
    popularity = np.exp(0.5 * rng.normal(size=300) + tag_draws * carried[:, 0])
    item = rng.choice(300, 9_000, p=popularity / popularity.sum())
    log, tags = log_of(item, rng.normal(size=9_000), carried, user=rng.integers(0, 400, 9_000))
    return estimate_effects(log, tags, using)


@pytest.mark.parametrize("using", FORMS)
def test_refuses_where_popularity_differs(using: Matching) -> None:
    drawn = matched(0, using, tag_draws=1.5)
    by_tag = {one.tag: one for one in drawn.effects}
    assert by_tag["t0"].reason is not None
    assert by_tag["t0"].reason.key == "reason.popularity_differs"
    assert sum(one.verdict != "cannot tell" for one in drawn.effects) >= 4
    assert all(one.reason is None for one in matched(0, using).effects)


def test_popularity_is_always_in_the_balance() -> None:
    world = simulate(Platform(seed=1))
    balance = estimate_effects(world.log, world.tags, Matching()).balance
    shown = {row.tag for row in balance}
    assert shown
    assert {row.tag for row in balance if row.control == POPULARITY} == shown


def test_contrast_is_linear_in_the_outcomes() -> None:
    """Weights on every item reproduce the estimate: none of the regression's error is left out."""
    rng = np.random.default_rng(3)
    carried = (rng.random((120, 4)) < 0.4).astype(float)
    of_item = rng.normal(size=120)
    item = np.tile(np.arange(120), 20)
    answers = []
    log, tags = log_of(item, rng.normal(size=2_400), carried, covariates={"x": of_item[item]})
    for column in (0, 7):  # the outcome as it is, and with one item's raised by 1
        batch = next(iter(log.batches()))
        raised = batch.outcomes + (batch.item == column)[:, None] * (column > 0)
        own = replace(log, batches=lambda raised=raised, batch=batch: iter([_with(batch, raised)]))
        design = make_design(own, survey(own, None), absorbs=None, knots=0, exposure="any")
        fit = fit_joint(
            own, tags.carried().toarray().astype(float), design, (0,), Joint(item_effects="none")
        )
        units = gather_units(own, design, (0,), fit, Matching())
        pairing = pair(
            score_of(1, fit, units), units.carried[:, 1], units.pool, units.weight, None, 2
        )
        answers.append(contrast_of(1, fit, units, pairing))
    of_coefficient = 20 * _hat(fit, design, 1)
    weight = np.zeros(120)
    np.add.at(weight, units.cell, answers[0].side)
    weight -= answers[0].spread
    moved = answers[1].estimate[0] - answers[0].estimate[0]
    assert moved == pytest.approx(weight[7], abs=1e-9)
    assert abs(weight[7] - of_coefficient[7]) > 1e-6  # not merely the joint regression's weights


def _with(batch: EventBatch, outcomes: np.ndarray) -> EventBatch:
    return replace(batch, outcomes=outcomes)


def _hat(fit, design, at: int) -> np.ndarray:
    hat = fit.part.cell_tags - fit.part.cell_x @ fit.part.projection
    return hat @ fit.solved.inverse[:, at]


def test_units_of_exact_columns_are_parts_of_items() -> None:
    rng = np.random.default_rng(4)
    carried = (rng.random((60, 3)) < 0.5).astype(float)
    item, x = rng.integers(0, 60, 3_000), rng.normal(size=3_000)
    level = rng.integers(0, 3, 3_000)
    log, tags = log_of(
        item,
        rng.normal(size=3_000),
        carried,
        covariates={"x": x, "kind": [f"k{one}" for one in level]},
    )
    design = make_design(log, survey(log, None), absorbs=None, knots=0, exposure="any")
    fit = fit_joint(log, tags.carried().toarray().astype(float), design, (0,), Joint())
    using = Matching(exact=("kind",))
    units, items = (
        gather_units(log, design, (0,), fit, using),
        gather_units(log, design, (0,), fit, Matching()),
    )
    assert len(units.cell) == len(np.unique(item * 3 + level)) > len(items.cell)
    assert np.unique(units.pool).size == 3
    total = np.zeros((60, 2))
    np.add.at(total[:, 0], units.cell, units.weight)
    np.add.at(total[:, 1], units.cell, units.row_weight * units.e[:, 0])
    np.testing.assert_allclose(total[:, 0], items.weight)
    expected = cell_residuals(fit.sums, fit.part, fit.solved, design.cell_group)[:, 0]
    np.testing.assert_allclose(total[:, 1], expected, atol=1e-8)
    again = np.zeros(len(units.cell))
    for rows in rows_of_units(log, design, (0,), fit, units):
        np.add.at(again, rows.unit, rows.e[:, 0] * rows.block.w)
    np.testing.assert_allclose(again, units.row_weight * units.e[:, 0], atol=1e-8)


@pytest.mark.parametrize("levels", [50, 200, 800])
@pytest.mark.parametrize("using", FORMS)
def test_categories_of_many_levels(levels: int, using: Matching) -> None:
    """Levels that matched controls hardly have are no columns to correct by."""
    rng = np.random.default_rng(levels)
    carried = (rng.random((200, 4)) < 0.4).astype(float)
    item = rng.integers(0, 200, 6_000)
    y = 0.3 * carried[item, 0] + rng.normal(size=6_000)
    kind = [f"c{one}" for one in rng.integers(0, levels, 6_000)]
    log, tags = log_of(item, y, carried, covariates={"kind": kind})
    effects = estimate_effects(log, tags, using).effects
    assert [one.reason for one in effects] == [None] * 4
    assert effects[0].verdict == "raises"


def test_refuses_by_its_own_effective_number() -> None:
    """Controls on both sides of the treated hold a regression line; next to them are few."""
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.uniform(-1, 1, 60), [-1.5, 1.5], rng.choice([-4.0, 4.0], 80)])
    carried = (np.arange(142) < 60).astype(float)[:, None]
    item = np.repeat(np.arange(142), 30)
    y = rng.normal(size=item.size) + rng.normal(size=142)[item]
    log, tags = log_of(item, y, carried, covariates={"x": x[item]})
    assert estimate_effects(log, tags, Joint(knots=0)).effects[0].reason is None
    using = Matching(knots=0, caliper=None, neighbours=1)
    found = estimate_effects(log, tags, using).effects[0]
    assert found.reason is not None
    assert found.reason.key == "reason.few_effective"
    assert found.effective_items < 8


def test_authors_without_both_kinds_drop_out() -> None:
    rng = np.random.default_rng(7)
    author = np.concatenate([np.arange(200), np.repeat(np.arange(200, 212), 10)])
    carried = (rng.random((320, 1)) < 0.5).astype(float)
    item = np.repeat(np.arange(320), 20)
    names = [f"a{one}" for one in author[item]]
    log, tags = log_of(item, rng.normal(size=item.size), carried, author=names)
    found = estimate_effects(log, tags, Matching()).effects[0]
    assert found.diagnostics["groups"] == "author"
    assert found.diagnostics["informative_groups"] == 12
    expected = carried[200:].sum() / carried.sum()
    assert found.diagnostics["matched_share"] == pytest.approx(expected, abs=0.02)
    carried[210:] = 1.0  # one author is left with both kinds
    log, tags = log_of(item, rng.normal(size=item.size), carried, author=names)
    refused = estimate_effects(log, tags, Matching()).effects[0].reason
    assert refused is not None
    assert refused.key in ("reason.few_authors", "reason.few_effective")
