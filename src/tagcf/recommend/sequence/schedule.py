"""How long a network is trained; what early stopping found is written back into it."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Schedule:
    """Settings of training that every network here shares.

    Parameters
    ----------
    epochs
        Over which the learning rate falls to almost nothing.
    stop_after
        Epochs really run; None: all. What early stopping found.
    patience
        Epochs without a gain on validation after which training stops.
    learning_rate
        At its peak.
    max_cpu_seconds
        Training ends with the epoch in which they are spent.
    """

    epochs: int = 12
    stop_after: int | None = None
    patience: int = 5
    learning_rate: float = 3e-3
    max_cpu_seconds: float | None = None

    def stopped(self, after: int) -> Schedule:
        """Give the schedule that ends after so many epochs."""
        return replace(self, stop_after=after)
