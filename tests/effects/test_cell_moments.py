"""Moments from sums per cell are those of the rows, whatever is held and absorbed."""

from dataclasses import fields

import numpy as np
import pytest

from benchmarks.dgp import Size, make_world
from tagcf.effects.instruments.cell_moments import (
    TagRoles,
    moments_of_cells,
    sum_with_instruments,
)
from tagcf.effects.instruments.stage_sums import StageBlock, sum_moments
from tagcf.effects.linear.design import make_design, survey

N_AUTHORS = 15


@pytest.mark.parametrize("authors", [False, True])
def test_moments_are_those_of_the_rows(authors: bool) -> None:
    world = make_world(Size(4_000, 4, 9, 2, instrumented=True))
    log = world.log()
    design = make_design(log, survey(log, None), absorbs=None, knots=0, exposure="any")
    roles = TagRoles(np.arange(9) < 3, np.arange(9) >= 4)
    author = (np.arange(len(log.items)) * 7 % N_AUTHORS).astype(np.int32)
    batch = next(log.batches())
    carried = world.carried.astype(float)
    tags = carried[batch.item]
    scale = [(one.center, one.scale) for one in design.basis.terms]
    x = (batch.covariates - [at for at, _ in scale]) / [by for _, by in scale]
    block = StageBlock(
        y=batch.outcomes,
        endogenous=tags[:, roles.endogenous],
        controls=np.column_stack([np.ones(len(x)), x, tags[:, roles.held]]),
        instruments=(batch.instruments == 1).astype(float),
        w=batch.weights[:, 0],
        clusters=batch.clusters,
        group=author[batch.item] if authors else None,
    )
    expected = sum_moments([block], N_AUTHORS if authors else 0)
    sums = sum_with_instruments(log, design, (0, 1), (0, 1))
    group = author[design.cell_item] if authors else None
    found = moments_of_cells(sums, carried, design, roles, group, N_AUTHORS if authors else 0)
    for field in fields(expected):
        ours, theirs = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "crossing":
            np.testing.assert_array_equal(ours.repeated, theirs.repeated)
        elif theirs is not None:
            np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)
