"""Epochs with early stopping and a budget, whatever it is that is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch

from tagcf.recommend.sequence.schedule import Schedule

WARM_UP = 100  # steps
LAST_RATE = 0.02  # of the peak


W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Trained(Generic[W]):
    """Weights of the best epoch."""

    weights: W
    epochs: int  # after which they were taken
    values: tuple[float, ...]  # what `watch` said after each epoch


def run_epochs(
    schedule: Schedule,
    epoch: Callable[[int], None],
    weights: Callable[[], W],
    watch: Callable[[W], float] | None,
) -> Trained[W]:
    """Train, and keep the epoch that `watch` likes best; without one, the last.

    Stops after `patience` epochs without a gain, and at the end of the epoch in which
    `max_cpu_seconds` are spent. Only that budget can make two runs of one seed differ.
    """
    started = time.process_time()
    budget = np.inf if schedule.max_cpu_seconds is None else schedule.max_cpu_seconds
    stop = schedule.epochs if schedule.stop_after is None else schedule.stop_after
    values: list[float] = []
    best, taken = None, 0
    for at in range(stop):
        epoch(at)
        last = at + 1 == stop or time.process_time() - started >= budget
        if watch is not None:
            now = weights()
            values.append(watch(now))
            if best is None or values[-1] > max(values[:-1]):
                best, taken = now, at + 1
        if last or (watch is not None and at + 1 - taken >= schedule.patience):
            taken = taken or at + 1
            break
    return Trained(weights() if best is None else best, taken, tuple(values))


def rate_at(schedule: Schedule, done: float, steps: int) -> float:
    """Learning rate: a short rise, then a straight fall; `done` is the share of all epochs."""
    return schedule.learning_rate * min(1.0, (steps + 1) / WARM_UP) * max(LAST_RATE, 1 - done)


@contextmanager
def one_thread(seed: int) -> Iterator[None]:
    """Seed torch and take one thread; both are put back."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
