"""Sums of parts are the sum of the whole, wherever and in whatever order the parts were made."""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import pytest

from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.parts import from_arrow, to_arrow
from tagcf.data.simulate import Platform, World, simulate
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.joint.fit import fits_together
from tagcf.effects.linear import cell_tags, own_rows, passes
from tagcf.effects.linear.cells import CellSums, add_block, block_of, empty_sums, sum_cells
from tagcf.effects.linear.design import Design, make_design, survey
from tagcf.effects.methods import Joint
from tagcf.effects.spark import on_spark
from tagcf.effects.task import Question
from tagcf.types import EventBatch, EventLog, TagEffects


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(Platform(users=60, items=120, tags=8, seed=2))


@pytest.fixture(scope="module")
def design(world: World) -> Design:
    return make_design(world.log, survey(world.log, None), absorbs=None, knots=5, exposure="any")


def in_pieces(log: EventLog, size: int) -> list[EventBatch]:
    pieces = []
    for batch in log.batches():
        table = to_arrow(batch)
        pieces += [from_arrow(table.slice(at, size)) for at in range(0, table.num_rows, size)]
    return pieces


def of_users(log: EventLog) -> EventLog:
    """The same log, its covariates known to be the users' own where they are."""
    own = tuple(
        replace(one, source="users") if one.name == "user_activity" else one
        for one in log.covariates
    )
    return replace(log, covariates=own)


def sums_of(log: EventLog, design: Design, pieces: list[EventBatch]) -> CellSums:
    total = empty_sums(design, 2)
    for piece in pieces:
        add_block(total, block_of(log, piece, design, (0, 1)))
    return total


def assert_alike(one: CellSums, other: CellSums) -> None:
    for name in CellSums.__slots__:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-7)


def test_parts_add_up_and_come_off(world: World, design: Design) -> None:
    whole = sum_cells(world.log, design, (0, 1))
    pieces = in_pieces(world.log, 999)
    first = sums_of(world.log, design, pieces[:3])
    rest = sums_of(world.log, design, pieces[3:])
    assert_alike(first + rest, whole)
    assert_alike(whole - first, rest)


def test_sums_travel_as_bytes(world: World, design: Design) -> None:
    whole = sum_cells(world.log, design, (0, 1))
    back = CellSums.from_bytes(whole.to_bytes())
    for name in CellSums.__slots__:
        np.testing.assert_array_equal(getattr(back, name), getattr(whole, name))


def test_batches_travel_as_tables(world: World) -> None:
    batch = next(world.log.batches())
    back = from_arrow(to_arrow(batch))
    for name in EventBatch.__slots__:
        np.testing.assert_array_equal(getattr(back, name), getattr(batch, name))


def test_the_sample_does_not_depend_on_how_the_log_is_cut(world: World) -> None:
    pieces = in_pieces(world.log, 777)
    cut = replace(world.log, batches=lambda: iter(pieces[::-1]))
    here, there = survey(world.log, None), survey(cut, None)
    np.testing.assert_array_equal(np.sort(here.sample, axis=0), np.sort(there.sample, axis=0))
    np.testing.assert_array_equal(here.cell_keys, there.cell_keys)


def assert_same_effects(one: TagEffects, other: TagEffects) -> None:
    for a, b in zip(one.effects, other.effects, strict=True):
        assert (a.tag, a.outcome, a.segment, a.verdict) == (b.tag, b.outcome, b.segment, b.verdict)
        if a.estimate is not None:
            np.testing.assert_allclose([b.estimate, b.se], [a.estimate, a.se], rtol=1e-7)


def test_rows_do_not_travel_with_the_log(world: World) -> None:
    parted = on_spark(world.log, None, "parts")
    assert next(parted.batches()).n_rows
    there = pickle.loads(pickle.dumps(parted))  # noqa: S301 - as Spark sends it
    with pytest.raises(RuntimeError, match="executors read the parts"):
        there.batches()


@pytest.mark.parametrize("strata", [False, True])
def test_threads_and_order_change_nothing(
    world: World,
    within_days: Callable[[EventLog], EventLog],
    monkeypatch: pytest.MonkeyPatch,
    strata: bool,
) -> None:
    log = of_users(within_days(world.log) if strata else world.log)
    pieces = in_pieces(log, 1_500)
    cut = replace(log, batches=lambda: iter(pieces[::-1]))
    question = Question(by=(("city_tier",),), min_items=20)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    here = estimate_effects(log, world.tags, Joint(), question)
    assert any(effect.estimate is not None for effect in here.effects if effect.segment)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(passes, "ROWS_PER_THREAD", 1_000)
    assert_same_effects(here, estimate_effects(cut, world.tags, Joint(), question))


def test_all_rows_reach_joint_through_its_passes(
    world: World, within_days: Callable[[EventLog], EventLog]
) -> None:
    """A log whose rows are elsewhere, as on a cluster, is never read here."""
    log = of_users(within_days(world.log))
    question = Question(by=(("city_tier",), ("age_band",)), min_items=20)

    def fold(start: Callable[[], Any], add: Callable[[Any, EventBatch], None]) -> Any:
        parts = []
        for batch in in_pieces(log, 4_000):
            parts.append(start())
            add(parts[-1], batch)
        return reduce(lambda one, other: one + other, parts)

    def unread() -> Iterator[EventBatch]:
        raise AssertionError("the driver read the log")

    there = replace(log, fold=fold, batches=unread)
    assert_same_effects(
        estimate_effects(log, world.tags, Joint(), question),
        estimate_effects(there, world.tags, Joint(), question),
    )


def test_fewer_fits_at_a_time_the_more_each_of_them_holds(world: World, design: Design) -> None:
    few = fits_together(world.log, design, 300, 1)
    of_authors = replace(design, n_groups=100_000)
    assert fits_together(world.log, of_authors, 300, 1) < few / 4
    assert fits_together(world.log, of_authors, 3_000, 9) == 1


@pytest.mark.parametrize("rows", [1, 3])
def test_single_precision_moves_no_estimate(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Splines of a skewed number are nearly collinear, and one item has a third of the rows."""
    random = np.random.default_rng(4)
    item = np.arange(20_000) if rows == 1 else np.repeat(np.arange(20_000), [10_000] + 19_999 * [1])
    skewed = np.exp(1.5 * random.normal(size=item.size))
    carried = (random.random((20_000, 4)) < 0.3).astype(float)
    carried[:, 0] *= skewed[-20_000:] > 1
    y = 60 + 3 * np.log(skewed) + random.normal(size=item.size)
    log = log_from_arrays(item=item, outcomes={"y": y}, covariates={"skewed": skewed})
    order = [int(log.items[at]) for at in range(20_000)]
    tags = tags_from_arrays(log.items, carried[order], list("abcd"))
    exact = estimate_effects(log, tags).effects
    monkeypatch.setattr(cell_tags, "DOUBLE_PRECISION", 0)
    monkeypatch.setattr(own_rows, "FEWEST_CONTROLS", 0)
    for one, other in zip(exact, estimate_effects(log, tags).effects, strict=True):
        assert one.se is not None
        assert other.estimate == pytest.approx(one.estimate, abs=1e-3 * one.se)
        assert other.se == pytest.approx(one.se, rel=1e-4)
