"""The arithmetic of what-ifs, for many edits of one outcome at once.

An edit sets tags of an item to a new value. For tag t with coefficient b_t of the joint fit,
the contribution is +b_t where the tag is put on, −b_t where it is taken off and 0 where the
item already is as asked. Then, on the outcome's own scale and without any clipping,

    delta = Σ contributions        after = before + delta.

`before` is the response model's prediction; delta never comes from that model. The interval
of delta is ± t(.975, df) √(c'Vc), with V the clustered covariance of the joint fit, c the
signs of the edit, and df the smallest effective degrees of freedom among the tags involved
(never optimistic: a combination is informed by at least as many clusters as its worst part).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.counterfactual.model import predict
from tagcf.counterfactual.prepare import AlignedFit, Prepared
from tagcf.counterfactual.support import PATTERNS, Positions, find_unseen
from tagcf.types import Codes, Floats, Mask

# Reasons in rising order of weight: where several hold, the heaviest is told. The patterns
# of `support` stand between `UNSEEN` and `OVERLAP`.
NONE = 0
BASELINE = 1  # before is the average of the fit
ALREADY = 2
NOT_CARRIED = 3
LAST_SUPPORTED = NOT_CARRIED
LEAVES_RANGE = 4
UNSEEN = 4  # + position in PATTERNS, from 1
OVERLAP = UNSEEN + len(PATTERNS)
FIRST_REFUSED = OVERLAP  # from here on no number is given at all
CANNOT_TELL = OVERLAP + 1
NOT_ESTIMATED = OVERLAP + 2


@dataclass(frozen=True, slots=True)
class Edits:
    """Q questions, each with up to m tags to set; m is at least 1."""

    item: Codes  # (Q,) position in the tag matrix; -1: an item without tags
    shown: Codes  # (Q,) position in the response model; -1: never shown
    user: Codes  # (Q,) position in the response model; -1 where no user is given
    tag: Positions  # (Q, m) tags to set; -1 fills up
    value: Mask  # (Q, m) True: put it on


@dataclass(frozen=True, slots=True)
class Told:
    """Why answers are limited: a code from above and what its sentence needs; all (Q,)."""

    code: NDArray[np.int8]
    tag: Positions
    first: Positions
    second: Positions
    seen: Positions
    among: Positions


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to `Edits`, NaN where there is none. Contributions are those of ``Edits.tag``."""

    before: Floats  # (Q,)
    after: Floats
    delta: Floats
    low: Floats
    high: Floats
    supported: Mask  # (Q,)
    share: Floats  # (Q, m)
    share_low: Floats
    share_high: Floats
    told: Told


def answer_edits(ready: Prepared, fit: AlignedFit, edits: Edits) -> Answers:
    """Answer edits of items' tags.

    Parameters
    ----------
    fit
        The joint fit of the outcome asked about.

    Returns
    -------
    Answers
        Where a tag has no usable effect: no numbers but `before`. Where such an item hardly
        exists, or the result would leave the possible range: numbers, unsupported.
    """
    carried = _dense_rows(ready, edits.item)
    filled = edits.tag >= 0
    tag = np.where(filled, edits.tag, 0)
    rows = np.arange(len(tag))[:, None]
    changed = filled & (carried[rows, tag] != edits.value)
    sign = np.where(changed, np.where(edits.value, 1.0, -1.0), 0.0)
    share = sign * fit.coef[tag]
    half = np.where(changed, fit.quantile[tag] * fit.se[tag], 0.0)
    # Summed from left to right, as a reader would, so that the shares add up to the last bit.
    delta = np.cumsum(share, axis=1)[:, -1]
    whole = _half_width(fit, tag, sign, changed)
    before = _before(ready, fit, edits)
    after = before + delta
    told = _reasons(ready, fit, edits, carried, changed, after)
    refused = told.code >= FIRST_REFUSED
    return Answers(
        before=before,
        after=np.where(refused, np.nan, after),
        delta=np.where(refused, np.nan, delta),
        low=np.where(refused, np.nan, delta - whole),
        high=np.where(refused, np.nan, delta + whole),
        supported=told.code <= LAST_SUPPORTED,
        share=share,
        share_low=share - half,
        share_high=share + half,
        told=told,
    )


def _dense_rows(ready: Prepared, item: Codes) -> Mask:
    """(Q, T) what the items carry now."""
    matrix = ready.carried
    dense = np.zeros((len(item), matrix.shape[1]), dtype=bool)
    if len(item) == 1 and item[0] >= 0:  # most questions come alone: spare them the bookkeeping
        dense[0, matrix.indices[matrix.indptr[item[0]] : matrix.indptr[item[0] + 1]]] = True
        return dense
    known = np.nonzero(item >= 0)[0]
    start, end = matrix.indptr[item[known]], matrix.indptr[item[known] + 1]
    length = (end - start).astype(np.int64)
    offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    dense[np.repeat(known, length), matrix.indices[np.repeat(start, length) + offset]] = True
    return dense


def _half_width(fit: AlignedFit, tag: Positions, sign: Floats, changed: Mask) -> Floats:
    """(Q,) half the width of the interval of delta."""
    pairs = fit.cov[tag[:, :, None], tag[:, None, :]]
    variance = np.einsum("qi,qij,qj->q", sign, pairs, sign)
    # Upper bound whatever the correlations: for total effects, each from a fit of its own,
    # and where a two-way clustered covariance is not positive.
    bound = (np.abs(sign) * fit.se[tag]).sum(1) ** 2
    unknown = (variance <= 0) | (fit.estimand == "total")
    # The quantile falls with the degrees of freedom: the smallest has the largest.
    quantile = np.where(changed, fit.quantile[tag], 0.0).max(1)
    return np.asarray(quantile * np.sqrt(np.where(unknown, bound, variance)))


def _before(ready: Prepared, fit: AlignedFit, edits: Edits) -> Floats:
    """(Q,) predicted outcome as things are; a derived outcome has only the fit's average."""
    if fit.position < 0:
        return np.full(len(edits.item), fit.baseline)
    given = edits.user >= 0
    before = np.empty(len(given))
    alone, shown = ~given, edits.shown
    if alone.any():
        before[alone] = predict(ready.model, fit.position, shown[alone], None).value
    if given.any():
        before[given] = predict(ready.model, fit.position, shown[given], edits.user[given]).value
    return before


def _reasons(
    ready: Prepared, fit: AlignedFit, edits: Edits, carried: Mask, changed: Mask, after: Floats
) -> Told:
    """Find the heaviest reason that limits each answer; later ones overwrite earlier ones."""
    n = len(edits.item)
    code = np.full(n, BASELINE if fit.position < 0 else NONE, np.int8)
    named, first, second = np.full(n, -1), np.full(n, -1), np.full(n, -1)
    seen, among = np.zeros(n, np.int64), np.zeros(n, np.int64)
    filled, tag = edits.tag >= 0, np.where(edits.tag >= 0, edits.tag, 0)

    def tell(hit: Mask, reason: int) -> None:
        rows = np.nonzero(hit.any(1))[0]
        code[rows] = reason
        named[rows] = tag[rows, hit[rows].argmax(1)]

    if not changed[filled].all():
        tell(filled & ~changed & edits.value, ALREADY)
        tell(filled & ~changed & ~edits.value, NOT_CARRIED)
    outside = ~((after >= fit.low) & (after <= fit.high))
    tell(changed & outside[:, None], LEAVES_RANGE)
    row, at = np.nonzero(changed)
    edited = carried.copy()
    edited[row, tag[row, at]] = edits.value[row, at]
    unseen = find_unseen(ready.support, edited, row, tag[row, at])
    hit = np.nonzero(unseen.pattern)[0][::-1]  # the first of a question is written last
    code[row[hit]] = UNSEEN + unseen.pattern[hit]
    named[row[hit]] = tag[row[hit], at[hit]]
    first[row[hit]], second[row[hit]] = unseen.first[hit], unseen.second[hit]
    seen[row[hit]], among[row[hit]] = unseen.seen[hit], unseen.among[hit]
    if fit.estimand == "total":
        overlap = ready.related[tag[:, :, None], tag[:, None, :]]
        overlap &= changed[:, :, None] & changed[:, None, :]
        tell(np.asarray(overlap.any(2)), OVERLAP)
        rows = np.nonzero(overlap.any((1, 2)))[0]
        first[rows] = tag[rows, overlap[rows, overlap[rows].any(2).argmax(1)].argmax(1)]
    tell(changed & ~fit.usable[tag], CANNOT_TELL)
    tell(changed & ~fit.estimated[tag], NOT_ESTIMATED)
    return Told(code, named, first, second, seen, among)
