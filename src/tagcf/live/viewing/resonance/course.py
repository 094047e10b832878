"""What a show's own course gives either side: taken out before the two are compared.

Shows may open gladly on both sides and calm down, and a mood may drift over an evening, though
nobody follows anybody. In every stretch on air both sides are therefore freed of a smooth course of
time, by least squares weighted with the lines on Legendre polynomials of low degree (partialling
out, Frisch and Waugh 1933). What changes as slowly as that cannot be told from a course, so that a
content that is one slow rise gives no evidence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tagcf.live.viewing.resonance.series import EmotionSeries
from tagcf.types import Floats

DEGREE = 5  # of the polynomials; a stretch has at least BINS_EACH bins for each
BINS_EACH = 12


def without_course(series: EmotionSeries) -> tuple[Floats, Floats]:
    """(B, E) content less its course, and (B, E) lines less those that the course expects."""
    content, lines = series.content.copy(), series.audience.copy()
    for run in np.unique(series.stretch).tolist():
        rows: NDArray[np.bool_] = series.stretch == run
        basis = _basis(int(rows.sum()))
        total = series.audience[rows].sum(axis=1, keepdims=True)
        inner = basis.T @ (total * basis)
        told = basis.T @ np.hstack([total * series.content[rows], series.audience[rows]])
        course = basis @ np.linalg.lstsq(inner, told, rcond=1e-10)[0]
        of_content, of_lines = np.hsplit(course, 2)
        content[rows] -= of_content
        lines[rows] -= total * of_lines
    return content, lines


def _basis(bins: int) -> Floats:
    """(bins, k) courses of a stretch, the first of them constant."""
    degree = min(DEGREE, max(0, bins // BINS_EACH - 1))
    time = (np.arange(bins) + 0.5) / bins
    return np.asarray(np.polynomial.legendre.legvander(2 * time - 1, degree), np.float64)
