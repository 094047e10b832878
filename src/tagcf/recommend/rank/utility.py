"""What a platform wants of an impression: a stated weight for each outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from tagcf.errors import SettingsError, UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import Floats


@dataclass(frozen=True, slots=True)
class Utility:
    """Weights of expected outcomes in one number; outcomes without a weight don't count.

    Parameters
    ----------
    weights
        Outcome to the worth of one unit of it; negative for what is to be avoided.

    Raises
    ------
    SettingsError
        A weight that is no finite number, or none but zeros.
    """

    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if not isfinite(weight):
                raise SettingsError("rank.bad_weight", name=name, weight=weight)
        if not any(self.weights.values()):
            raise SettingsError("rank.no_weights")

    @staticmethod
    def stated(weights: Mapping[str, float], names: Sequence[str]) -> Utility:
        """Make the utility of ``[recommend] utility``; without weights the first outcome counts."""
        return Utility(weights or {names[0]: 1.0})

    def of(self, names: Sequence[str], outcomes: Floats) -> Floats:
        """(n,) utility of expected outcomes (n, K); an outcome that is unknown (NaN) adds nothing.

        Raises
        ------
        UnknownNameError
            A weight for an outcome that is not among the names.
        """
        worth = np.zeros(len(names))
        for name, weight in self.weights.items():
            if name not in names:
                hint = did_you_mean(name, names)
                known = ", ".join(names)
                raise UnknownNameError("error.unknown_outcome", name=name, hint=hint, known=known)
            worth[list(names).index(name)] = weight
        counted = worth != 0
        return np.asarray(np.nan_to_num(outcomes[:, counted]) @ worth[counted])
