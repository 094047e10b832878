"""The many-outcome ranker: E[outcome | show this item to this user], for each outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tagcf.counterfactual.model import bounds
from tagcf.data.arrays import tags_from_arrays
from tagcf.effects.estimate import on_items_of
from tagcf.effects.linear.design import survey
from tagcf.errors import DataError
from tagcf.recommend.rank.books import Books, keep_books
from tagcf.recommend.rank.calibrate import Bins, Calibration, Curve, calibrate
from tagcf.recommend.rank.features import Layout, features_of, layout_of
from tagcf.recommend.rank.fitted import Described, FittedRanker, tables_of
from tagcf.recommend.rank.ground import Ground, lay_ground
from tagcf.recommend.rank.heads import Gram, Heads, fit_heads, prior_of
from tagcf.recommend.rank.position import find_places
from tagcf.recommend.rank.returning import fit_return
from tagcf.recommend.rank.rows import HALVES, Exposure, Rows, look_at_exposure, read_rows
from tagcf.recommend.rank.tag_terms import TagTerms, terms_of_effects
from tagcf.types import Codes, EventLog, Floats, TagEffects, TagMatrix

# Scores (n, S) of other models for the pairs of a log's rows: users, items, times.
Scorer = Callable[[Codes, Codes, Floats], Floats]


@dataclass(frozen=True, slots=True)
class Ranker:
    """Settings of the ranker.

    Parameters
    ----------
    knots
        Knots of each numeric covariate's spline.
    factors
        Directions of the tags in which users' tastes are kept.
    windows
        Days of the popularity windows.
    clip
        Largest weight of a row by its logged propensity, in rows of random exposure.
    association
        Learn how far the association of tags with items' records under random exposure strays
        from their effects (from zero where there are none): quality that travels with a tag.
    threshold
        Strength from which an item carries a tag.
    position
        Covariate with the place in the list, by which outcomes are corrected to the first place;
        ``None``: no such correction.
    """

    knots: int = 5
    factors: int = 32
    windows: tuple[float, ...] = (1.0, 7.0)
    clip: float = 10.0
    association: bool = True
    threshold: float = 0.5
    position: str | None = None

    def fit(
        self,
        log: EventLog,
        tags: TagMatrix | None = None,
        effects: TagEffects | None = None,
        scores: Scorer | None = None,
        n_scores: int = 0,
    ) -> FittedRanker:
        """Fit to a log in nine passes and memory of O(items + users).

        Parameters
        ----------
        log
            Impressions. Rows of random exposure and logged propensities correct for who was
            shown what; without either, predictions speak of pairs like those in the log.
        tags
            What items carry; ``None``: nothing is known of it.
        effects
            Effects of tags, as the priors of their items; ``None``: priors of zero.
        scores, n_scores
            Other models' scores of each row, S of them, as features. They must not have been
            fitted on the rows they score.

        Raises
        ------
        DataError
            The log has no rows or no logged outcome.
        """
        if log.n_rows == 0 or not log.outcomes:
            raise DataError("rank.nothing_to_fit", rows=log.n_rows, outcomes=len(log.outcomes))
        tags = _untagged(log) if tags is None else on_items_of(log, tags)
        names = tuple(one.name for one in (*log.outcomes, *log.derived))
        n_logged = len(log.outcomes)
        terms = terms_of_effects(effects, tags, names, n_logged, self.threshold)
        carried = tags.carried(self.threshold)
        of_items = terms.of_items(carried)
        seen = survey(log, None)
        places = None if self.position is None else find_places(log, self.position)
        exposure = look_at_exposure(log, seen, self.clip, places)
        ground = lay_ground(
            log,
            seen,
            carried,
            knots=self.knots,
            factors=self.factors,
            windows=self.windows,
            without=None if places is None else places.column,
        )
        logged = of_items[0][:, :n_logged], of_items[1][:, :n_logged]
        books = keep_books(
            log,
            exposure,
            ground,
            logged,
            association=self.association,
        )
        layout = layout_of(ground, n_logged, n_scores)
        passes = _Passes(log, exposure, ground, books, layout, scores)
        heads = passes.heads()
        curves, calibration = passes.calibrate(heads)
        returns = tuple(
            fit_return(log, one, seen, of_items[0][:, at])
            for at, one in enumerate(log.derived, start=n_logged)
        )
        told = (*calibration, *(one.calibration for one in returns))
        return FittedRanker(
            described=_describe(log, tags, books, told),
            layout=layout,
            covariates=ground.covariates,
            tables=tables_of(layout, ground, books.whole, heads.whole),
            curves=curves,
            returns=returns,
            tag_weight=_told(terms, books),
        )


def _untagged(log: EventLog) -> TagMatrix:
    return tags_from_arrays(log.items, np.zeros((len(log.items), 0)), ())


def _describe(
    log: EventLog, tags: TagMatrix, books: Books, calibration: tuple[Calibration, ...]
) -> Described:
    return Described(
        names=tuple(one.name for one in (*log.outcomes, *log.derived)),
        bounds=tuple(bounds(one) for one in log.outcomes),
        covariates=tuple(one.name for one in log.covariates),
        tags=tuple(tag.slug for tag in tags.tags),
        calibration=calibration,
        spread=tuple(books.whole.spread.tolist()),
        bias=tuple(books.whole.bias.tolist()),
        simulated=log.simulated,
    )


def _told(terms: TagTerms, books: Books) -> Floats:
    """(T, K) what a tag adds in all: its effect, and what travels with it."""
    weight = terms.weight.copy()
    weight[:, : books.strays.shape[1]] += books.strays
    return weight


@dataclass(frozen=True, slots=True)
class _Passes:
    """The last two passes over the log: heads, then calibration."""

    log: EventLog
    exposure: Exposure
    ground: Ground
    books: Books
    layout: Layout
    scores: Scorer | None

    def features(self, rows: Rows, half: int) -> tuple[np.ndarray, Floats]:
        """Rows of one half, with features from the other half's book."""
        at = np.flatnonzero(rows.half == bool(half))
        batch = rows.batch
        users, items, ts = batch.user[at], batch.item[at], batch.ts[at]
        scores = None if self.scores is None else self.scores(users, items, ts)
        book = self.books.halves[1 - half]
        covariates = batch.covariates[at]
        return at, features_of(self.layout, self.ground, book, users, items, covariates, ts, scores)

    def weight(self, rows: Rows) -> Floats:
        """(n, K) what rows count for in heads."""
        if not self.exposure.random_alone:
            return rows.weight
        return rows.weight * rows.random[:, None]

    def heads(self) -> Heads:
        """Sum each half's rows and solve."""
        n_outcomes = self.layout.outcomes
        grams = [Gram.nothing(n_outcomes, self.layout.width) for _ in range(HALVES)]
        for rows in read_rows(self.log, self.exposure):
            weight = self.weight(rows)
            for half in range(HALVES):
                at, x = self.features(rows, half)
                grams[half].add(x, rows.y[at], weight[at])
        return fit_heads(grams, prior_of(self.layout, self.books.context))

    def calibrate(self, heads: Heads) -> tuple[tuple[Curve, ...], tuple[Calibration, ...]]:
        """Predict each half by the other's head, and fit curves to what happened."""
        reach = list(zip(heads.mean.tolist(), heads.spread.tolist(), strict=True))
        bins = [[Bins.over(*one) for _ in range(HALVES)] for one in reach]
        for rows in read_rows(self.log, self.exposure):
            weight = self.weight(rows)
            for half in range(HALVES):
                at, x = self.features(rows, half)
                raw = x @ heads.halves[1 - half]
                for k in range(self.layout.outcomes):
                    bins[k][half].add(raw[:, k], rows.y[at, k], weight[at, k])
        limits = [bounds(one) for one in self.log.outcomes]
        found = [calibrate(pair, *limits[k]) for k, pair in enumerate(bins)]
        return tuple(curve for curve, _ in found), tuple(judged for _, judged in found)
