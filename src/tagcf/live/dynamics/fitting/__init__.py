"""Learning the evidence from streams of which it is known what users wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tagcf.live.dynamics.evidence import Evidence
from tagcf.live.dynamics.fitting import kernels
from tagcf.live.dynamics.steps import Stage, Steps
from tagcf.types import Codes

PASSES, RATE = 3, 0.3


@dataclass(frozen=True, slots=True)
class Labelled:
    """A stream in the order of user and time, and what users wanted."""

    stage: Stage
    steps: Steps
    starts: NDArray[np.int64]  # (U + 1,) first event of each user
    label: Codes  # (n,) tag; −1 where unknown


def labelled(stage: Stage, steps: Steps, label: Codes) -> Labelled:
    """Sort a stream by user; `label` (n,) belongs to the steps as they are. Unknown users go."""
    order = np.argsort(steps.user, kind="stable")
    order = order[steps.user[order] >= 0]
    columns = (getattr(steps, name)[order] for name in Steps.__slots__)
    user = steps.user[order]
    starts = np.searchsorted(user, np.arange(int(user.max(initial=-1)) + 2))
    return Labelled(stage, Steps(*columns), starts.astype(np.int64), label[order])


def fit_evidence(streams: Sequence[Labelled], begin: Evidence) -> Evidence:
    """Learn the table of `begin` anew; its other numbers stay.

    Each pass goes over all streams, with smaller steps than the one before.
    """
    table, squares = np.zeros_like(begin.table), np.zeros_like(begin.table)
    for once in range(PASSES):
        for stream in streams:
            _go_over(stream, begin, RATE / (1 + once), table, squares)
    return replace(begin, table=table)


def mean_log_belief(stream: Labelled, evidence: Evidence) -> float:
    """Mean log probability of what users wanted: higher is better, 0 is perfect."""
    table = evidence.table.copy()
    return _go_over(stream, evidence, 0.0, table, np.zeros_like(table))


def _go_over(
    stream: Labelled,
    evidence: Evidence,
    rate: float,
    table: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> float:
    stage, steps = stream.stage, stream.steps
    mean: float = kernels.learn(
        stream.starts,
        steps.content,
        steps.kind,
        steps.tick,
        steps.minute,
        stream.label,
        stage.indptr,
        stage.tag,
        stage.level,
        stage.lift,
        stage.ratios,
        stage.prior.astype(np.float64),
        (evidence.pace, evidence.most),
        rate,
        table,
        squares,
    )
    return mean
