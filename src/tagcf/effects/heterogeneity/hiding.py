"""What borrowing is worth, seen on lenders that are hidden.

The stretch of a borrowed interval is chosen so that it covers 95% of hidden lenders, hence that
share says nothing. Here mean, variances and stretch are all learnt anew without the lenders that
are hidden (nested cross-validation; Varma and Simon 2006), as they are for a tag that lends none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.effects.heterogeneity.field import learn, predict
from tagcf.types import Floats

MOST_TIMES = 20  # that lenders are hidden, several at once where there are more


@dataclass(frozen=True, slots=True)
class Hidden:
    """Answers for lenders as if they had no data. (m,) each."""

    value: Floats
    variance: Floats  # of the effect about the value
    stretch: Floats  # half-width of a 95% interval in standard deviations

    @property
    def half(self) -> Floats:
        """(m,) half-width of the interval for the effect."""
        return np.asarray(self.stretch * np.sqrt(self.variance))

    def coverage(self, estimate: Floats, noise: Floats) -> float:
        """Share of the lenders' estimates within the interval for an estimate with this noise."""
        half = self.stretch * np.sqrt(self.variance + noise)
        return float(np.mean(np.abs(estimate - self.value) <= half))


def hide_in_turn(estimate: Floats, noise: Floats, kernels: Sequence[Floats]) -> Hidden:
    """Answer for each lender from what is learnt without it.

    Parameters
    ----------
    estimate, noise
        (m,) estimates and their variances.
    kernels
        (m, m) each, as in `Likeness`.
    """
    m = estimate.size
    value, variance, stretch = np.zeros(m), np.zeros(m), np.zeros(m)
    order = np.random.default_rng(0).permutation(m)
    for hidden in np.array_split(order, min(m, MOST_TIMES)):
        rest = np.setdiff1d(np.arange(m), hidden)
        inner = [kernel[np.ix_(rest, rest)] for kernel in kernels]
        field = learn(estimate[rest], noise[rest], inner)
        stretch[hidden] = field.stretch
        for one in hidden:
            across = [kernel[one, rest] for kernel in kernels]
            value[one], variance[one], _ = predict(
                field, estimate[rest], noise[rest], inner, across
            )
    return Hidden(value, variance, stretch)
