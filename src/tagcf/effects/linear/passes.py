"""One pass over a log: batches are added to sums, and sums of parts to one another.

Sums are made by a pure function of the batches, so that a pass runs in one thread, in several, or
on the executors of a cluster (`EventLog.fold`), with the same result up to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import Generic, Protocol, Self, TypeVar

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


@dataclass(slots=True)
class _Each(Generic[Sums]):
    """Several sums of one pass, each over rows of its own choice."""

    sums: list[Sums]

    def __add__(self, other: _Each[Sums]) -> _Each[Sums]:
        return _Each([one + two for one, two in zip(self.sums, other.sums, strict=True)])


def over_log_each(
    log: EventLog,
    starts: Sequence[Callable[[], Sums]],
    adds: Sequence[Callable[[Sums, EventBatch], None]],
) -> list[Sums]:
    """Make several sums in one pass: rows are read once.

    Parameters
    ----------
    starts, adds
        As in `over_log`, one each for every sum.
    """
    if not starts:
        return []

    def add_each(total: _Each[Sums], batch: EventBatch) -> None:
        for own, add in zip(total.sums, adds, strict=True):
            add(own, batch)

    return over_log(log, lambda: _Each([start() for start in starts]), add_each).sums


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
