"""The score that a tag is matched on, as a function of a row's controls and its cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.effects.joint.fit import Fit
from tagcf.effects.linear.design import Design
from tagcf.effects.matching.propensity import even_sample, fit_logit
from tagcf.effects.matching.rows import MatchRows
from tagcf.types import Codes, Floats, Mask

MOST_IN_SCORE = 40  # other tags in a propensity score


@dataclass(frozen=True, slots=True)
class Score:
    """``x @ slope + by_cell[cell]``. P controls, C cells."""

    slope: NDArray[np.float32]  # (P,)
    by_cell: Floats  # (C,)

    def of(self, x: NDArray[np.float32], cell: Codes) -> Floats:
        """(n,) score of rows."""
        return np.asarray(x @ self.slope + self.by_cell[cell])


def score_of(at: int, design: Design, fit: Fit, rows: MatchRows, carries: Mask) -> Score:
    """Index of the other tags within strata, the logit of the propensity elsewhere.

    Parameters
    ----------
    rows
        Rows to fit the logit on, thinned to an even sample; tags enter by cell, without a copy
        per row.
    carries
        (n,) which of them carry the tag.
    """
    if design.absorbs == "stratum":
        # Index of the other tags from the Gram's inverse: regression of this tag on the others.
        on_others = -fit.solved.inverse[:, at] / fit.solved.inverse[at, at]
        on_others[at] = 0.0
        nothing = np.zeros(rows.x.shape[1], dtype=np.float32)
        return Score(nothing, np.asarray(fit.part.tags.times(on_others[:, None])[:, 0]))
    tags = fit.tags[:, _telling(at, fit)]
    some = even_sample(len(rows.w))
    columns = np.hstack([rows.x[some], tags.astype(np.float32)[rows.cell[some]]])
    logit = fit_logit(columns, carries[some], rows.w[some])
    own = rows.x.shape[1]
    slope = logit.slope[:own].astype(np.float32)
    return Score(slope, np.asarray(tags @ logit.slope[own:] + logit.intercept))


def _telling(at: int, fit: Fit) -> NDArray[np.integer]:
    """Other tags that enter the score: the ones that say most about this tag, given the rest.

    Read off the Gram's inverse as partial correlations. A logit on hundreds of tags costs more
    and separates; tags left out are held fixed by the outcome's regression all the same.
    """
    others = fit.solved.kept.copy()
    others[at] = False
    inverse = fit.solved.inverse
    partial = np.abs(inverse[at]) / np.sqrt(np.maximum(np.diag(inverse), 1e-300)) * others
    count = min(MOST_IN_SCORE, int(others.sum()))
    return np.sort(np.argsort(-partial, kind="stable")[:count])
