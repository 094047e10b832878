"""A log of impressions to histories: which rows count as "had it", in the order of time."""

from __future__ import annotations

import numpy as np

from tagcf.data.ingest import NOBODY
from tagcf.errors import EstimationError, UnknownNameError
from tagcf.recommend.histories import Histories
from tagcf.settings import RecommendSettings
from tagcf.text import did_you_mean
from tagcf.types import Codes, EventBatch, EventLog, Floats, Mask


def log_histories(log: EventLog, settings: RecommendSettings | None = None) -> Histories:
    """Gather each user's positive events, oldest first.

    An event is positive where the outcome ``[recommend] positive`` (default: the first logged)
    reaches ``positive_from`` (default 1, and 0.5 for rates); without outcomes every row is. Rows
    without a user belong to no history and are left out, and a row that repeats user, item and time
    of another. Rows at the same time keep the order of the log.

    Parameters
    ----------
    log
        Read once, block by block; what is kept takes 16 bytes an event.

    Raises
    ------
    UnknownNameError
        The log has no such outcome.
    EstimationError
        The outcome is real and no threshold is given, no event is positive, or no row has a user.
    """
    column, threshold = _column(log, settings or RecommendSettings())
    nobody = _nobody(log)
    if nobody.all():
        raise EstimationError("recommend.no_users", rows=f"{log.n_rows:,}")
    parts = [_positive(batch, column, threshold, nobody) for batch in log.batches()]
    if not sum(len(part[0]) for part in parts):
        raise EstimationError("recommend.no_events", rows=f"{log.n_rows:,}")
    user, item, ts = (np.concatenate(of) for of in zip(*parts, strict=True))
    kept = _first_of_repeats(user, item, ts)
    return Histories.from_events(user[kept], item[kept], ts[kept], len(log.users), len(log.items))


def _nobody(log: EventLog) -> Mask:
    """(U + 1,) True for ids that are nobody's; the last stands for rows without an id (-1)."""
    ids = [str(one) for one in log.users.ids.to_pylist()]
    alone = ids == [NOBODY]  # the log has no users at all
    return np.array([alone or not one.strip() for one in ids] + [True])


def _positive(
    batch: EventBatch, column: int, threshold: float, nobody: Mask
) -> tuple[Codes, Codes, Floats]:
    known = ~nobody[batch.user] & (batch.item >= 0)
    if column >= 0:
        value, weight = batch.outcomes[:, column], batch.weights[:, column]
        known &= (weight > 0) & (value >= threshold)
    return batch.user[known], batch.item[known], batch.ts[known]


def _first_of_repeats(user: Codes, item: Codes, ts: Floats) -> Mask:
    """(E,) False for events that repeat user, item and (known) time of an earlier one."""
    order = np.lexsort((ts, item, user))  # stable: the first in the log stays first
    same = (np.diff(user[order]) == 0) & (np.diff(item[order]) == 0) & (np.diff(ts[order]) == 0)
    kept = np.ones(user.size, bool)
    kept[order[1:][same]] = False
    return kept


def _column(log: EventLog, settings: RecommendSettings) -> tuple[int, float]:
    """Column of the outcome (-1: every row counts) and the value from which it is positive."""
    wanted, threshold = settings.positive, settings.positive_from
    names = [one.name for one in log.outcomes]
    if wanted is None:
        if not names:
            return -1, 1.0
        wanted = names[0]
    if wanted not in names:
        hint = did_you_mean(wanted, names)
        raise UnknownNameError(
            "recommend.unknown_outcome", name=wanted, hint=hint, known=", ".join(names)
        )
    kind = log.outcomes[names.index(wanted)].kind
    if threshold is None and kind == "real":
        raise EstimationError("recommend.needs_threshold", name=wanted)
    default = 0.5 if kind == "rate" else 1.0
    return names.index(wanted), default if threshold is None else threshold
