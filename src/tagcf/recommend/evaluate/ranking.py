"""Full ranking: every target among all items, in blocks of users so that memory is bounded."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from tagcf.errors import EstimationError
from tagcf.recommend.evaluate.kernels import rank_rows
from tagcf.recommend.evaluate.splits import Holdout
from tagcf.recommend.scoring import Fitted, KnowsUsers
from tagcf.types import Codes, Floats, Mask

DEPTH = 20  # items of a top list
BLOCK_BYTES = 64 << 20  # of scores held at once


@dataclass(frozen=True, slots=True)
class Ranked:
    """What a model made of a hold-out of M targets."""

    rank: Floats  # (M,) from 1, mid-rank of ties; infinite where the target cannot be found
    top: Codes  # (M, 20) items shown, best first; -1 where there are no more
    cpu_s: float  # of scoring and ranking


def rank_targets(
    fitted: Fitted,
    holdout: Holdout,
    *,
    name: str = "",
    depth: int = DEPTH,
    unseen_is_miss: bool = True,
    among: Mask | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Ranked:
    """Rank each target among all items that its history lacks; never sampled.

    Parameters
    ----------
    unseen_is_miss
        Whether a target that nobody had in training counts as not found; False where it is
        cold items that are asked for.
    among
        (I,) items that are ranked; default all.
    block_bytes
        Scores held at once.

    Raises
    ------
    EstimationError
        The model gave a score that is no finite number, or not one for each item.
    """
    started = cpu_seconds()
    n_items = holdout.train.n_items
    target = holdout.target
    if unseen_is_miss:
        trained = np.bincount(holdout.train.item, minlength=n_items) > 0
        target = np.where(trained[target], target, -1).astype(np.int32)
    allowed = np.ones(n_items, np.bool_) if among is None else among
    rank = np.empty(len(holdout))
    top = np.empty((len(holdout), depth), np.int32)
    rows = max(1, block_bytes // (4 * max(n_items, 1)))
    for start in range(0, len(holdout), rows):
        block = slice(start, min(start + rows, len(holdout)))
        history = holdout.history.users(block)
        at = holdout.at[block]
        if isinstance(fitted, KnowsUsers):
            found = fitted.scores_for(history, holdout.user[block], at)
        else:
            found = fitted.scores(history, at)
        scores = np.asarray(found, np.float32)
        if scores.shape != (len(history), n_items):
            facts = {"got": scores.shape, "wanted": (len(history), n_items)}
            raise EstimationError("recommend.bad_shape", model=name, **facts)
        part = target[block], rank[block], top[block]
        wrong = rank_rows(scores, history.indptr, history.item, allowed, *part)
        if wrong >= 0:
            raise EstimationError("recommend.bad_scores", model=name, row=start + wrong)
    return Ranked(rank, top, cpu_seconds() - started)


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    waited_for = os.times()
    return time.process_time() + waited_for.children_user + waited_for.children_system
