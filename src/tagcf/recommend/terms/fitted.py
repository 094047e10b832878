"""Terms on a model's scores: fitted to histories, applied to any, and told apart afterwards.

All are in units of the model's score: what is added is a number of standard deviations of a
history's scores, so that the sum orders items as the sum of z-scores does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tagcf.recommend.cold.term import ColdReading, ColdTerm, cold_term, ratio_of
from tagcf.recommend.cold.users import SegmentPrior, segment_prior
from tagcf.recommend.histories import Histories
from tagcf.recommend.logic.behaviour import behavioural_logic
from tagcf.recommend.logic.propagate import Propagation, propagation
from tagcf.recommend.scoring import Fitted, Scores
from tagcf.recommend.spread.tempered import log_frequency
from tagcf.recommend.terms.choices import NO_NAMES, Choices, Side, TermNames
from tagcf.types import Floats

SHORT = 10  # events up to which a history is short, and segments have a say
Row = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Terms:
    """Fitted terms; None where off."""

    cold: ColdTerm | None = None
    segments: SegmentPrior | None = None
    segment_events: float = 0.0  # events that weigh as much as segments
    logic: Propagation | None = None
    logic_weight: float = 0.0
    frequency: Row | None = None  # (I,) z-scores of log frequency
    reach: float = 0.0
    names: TermNames = NO_NAMES

    @property
    def on(self) -> bool:
        """Whether any is."""
        parts = (self.cold, self.segments, self.logic, self.frequency)
        return any(one is not None for one in parts)


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Served:
    """Scores of U histories, and what each term had a part in them."""

    scores: Scores  # (U, I)
    reading: ColdReading | None  # None: no item's score is told from tags
    own: Row  # (U,) the model's part; the rest is the segments'
    segments: Scores | None  # (U, I) what segments have, at the level of the model's scores
    logic_unit: Row  # (U,) score per unit of the graph's term, and its mean
    logic_mean: Row
    reach_unit: Row  # (U,) score per unit of frequency


def fit_terms(choices: Choices, side: Side, train: Histories) -> Terms:
    """Learn what was chosen from histories: the same histories, the same terms."""
    cold = logic = segments = None
    if choices.cold is not None:
        term = cold_term(side.features, train, choices.cold)
        cold = term if term.few.size else None
    if choices.logic > 0:
        edges = behavioural_logic(train, side.tags, side.roles)
        logic = propagation(train, side.tags, edges, side.roles)
    if choices.segments > 0 and side.members is not None:
        segments = segment_prior(train, side.members)
    return terms_at(choices, side, train, (cold, segments, logic))


Parts = tuple[ColdTerm | None, SegmentPrior | None, Propagation | None]


def terms_at(choices: Choices, side: Side, train: Histories, parts: Parts) -> Terms:
    """Put together what was learned from `train` at the strengths chosen."""
    cold, segments, logic = parts
    return Terms(
        cold=cold,
        segments=segments,
        segment_events=choices.segments,
        logic=logic,
        logic_weight=choices.logic,
        frequency=log_frequency(train) if choices.reach > 0 else None,
        reach=choices.reach,
        names=side.names,
    )


def serve(
    fitted: Fitted,
    terms: Terms,
    histories: Histories,
    groups: sparse.csr_array | None = None,
    at: Floats | None = None,
) -> Served:
    """Score every item for every history.

    Parameters
    ----------
    groups
        (U, S) segments of the users; None: unknown.
    """
    none = np.zeros(len(histories), np.float32)
    if not terms.on:
        scores = fitted.scores(histories, at)
        return Served(scores, None, none + 1, None, none, none, none)
    cold = terms.cold
    scores = fitted.scores(histories if cold is None else cold.stands.read(histories), at)
    broken = None
    if not all_finite(scores):  # no number may spoil the others
        broken = ~np.isfinite(scores)
        scores = np.where(broken, np.float32(0), scores)
    reading = None
    if cold is not None and cold.few.size:
        reading = cold.read(histories, scores)
        scores = reading.mixed(scores)
    own, segments = _segments(terms, histories, groups, scores)
    if segments is not None:
        scores = own[:, None] * scores + (1 - own)[:, None] * segments
    unit = mean = reach = none
    if terms.logic is not None:
        told = terms.logic.scores(histories)
        mean = told.mean(axis=1)
        unit = np.float32(terms.logic_weight) * ratio_of(scores, told)
        unit = np.where(histories.sizes > 0, unit, 0).astype(np.float32)
        scores = scores + unit[:, None] * (told - mean[:, None])
    if terms.frequency is not None:
        reach = np.float32(-terms.reach) * scores.std(axis=1)
        scores = scores + reach[:, None] * terms.frequency
    if broken is not None:
        scores = np.where(broken, np.float32(np.nan), scores)
    return Served(scores, reading, own, segments, unit, mean, reach)


def all_finite(scores: Scores) -> bool:
    """Whether every score is a number; a sum is enough to see it, unless it is too large."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(scores.sum())) or bool(np.isfinite(scores).all())


def own_part(terms: Terms, size: NDArray[np.integer] | NDArray[np.floating]) -> Row:
    """The model's part in the scores of histories of some sizes, where segments are known."""
    n = np.asarray(size, np.float32)
    short = n <= SHORT
    return np.where(short, n / (n + np.float32(terms.segment_events)), 1).astype(np.float32)


def _segments(
    terms: Terms, histories: Histories, groups: sparse.csr_array | None, scores: Scores
) -> tuple[Row, Scores | None]:
    """The model's part, and the segments' scores brought to the level of the model's."""
    own = np.ones(len(histories), np.float32)
    if terms.segments is None or groups is None:
        return own, None
    told = (histories.sizes <= SHORT) & (np.diff(groups.indptr) > 0)
    if not told.any():
        return own, None
    own[told] = own_part(terms, histories.sizes[told])
    found = np.zeros_like(scores)
    share = terms.segments.scores(sparse.csr_array(groups[np.flatnonzero(told)]))
    model = scores[told]
    lead = share - share.mean(axis=1, keepdims=True)
    found[told] = model.mean(axis=1, keepdims=True) + lead * ratio_of(model, share)[:, None]
    return own, found
