"""One pass over a log: batches are added to sums, and sums of parts to one another.

Sums are made by a pure function of the batches, so that a pass runs in one thread, in several, or
on the executors of a cluster (`EventLog.fold`), with the same result up to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from itertools import islice
from typing import Protocol, Self, TypeVar

from tagcf.types import EventBatch, EventLog

ROWS_PER_THREAD = 500_000  # below this another thread costs more than it saves


class Additive(Protocol):
    """Sums over rows."""

    def __add__(self, other: Self, /) -> Self:
        """Sums over the rows of both."""
        ...


Sums = TypeVar("Sums", bound=Additive)


def over_log(
    log: EventLog, start: Callable[[], Sums], add: Callable[[Sums, EventBatch], None]
) -> Sums:
    """Add all batches of a log to empty sums.

    Parameters
    ----------
    start
        Makes empty sums.
    add
        Adds a batch to sums, in place.
    """
    if log.fold is not None:
        folded: Sums = log.fold(start, add)
        return folded
    threads = max(1, min(threads_allowed(), log.n_rows // ROWS_PER_THREAD))
    if threads == 1:
        total = start()
        for batch in log.batches():
            add(total, batch)
        return total
    return _in_threads(log, start, add, threads)


def threads_allowed() -> int:
    """Threads that a pass may use: OMP_NUM_THREADS where set, else all cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) > 0 else os.cpu_count() or 1


def _in_threads(
    log: EventLog, start: Callable[[], Sums], add: Callable[[Sums, EventBatch], None], threads: int
) -> Sums:
    """Batches go round the threads in turn, so that the same log gives the same bits."""
    totals = [start() for _ in range(threads)]
    batches = log.batches()
    with ThreadPoolExecutor(threads) as pool:
        while some := list(islice(batches, threads)):
            list(pool.map(add, totals, some))
    return reduce(lambda one, other: one + other, totals)
