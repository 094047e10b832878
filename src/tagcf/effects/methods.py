"""The methods, as objects: ``estimate_effects(log, tags, using=Matching(caliper=0.2))``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Literal

from tagcf.errors import EstimationError
from tagcf.types import Estimand, Method


@dataclass(frozen=True, slots=True)
class ObservationalBias:
    """How far unseen confounding moves observational effects of tags, in the outcome's unit.

    Intervals on the rungs "observational" and "within-author" are widened by it, for the worst
    distribution of the bias over the tags (`tagcf.effects.observational_bias`).

    Parameters
    ----------
    sd
        Outcome to the root mean square over tags of the bias, as `learn_bias` learns it from
        randomised rows; .004 is .4 percentage points of a share. Other outcomes are not widened.

    Raises
    ------
    EstimationError
        A value that is negative or no number.
    """

    sd: Mapping[str, float]

    def __post_init__(self) -> None:
        for outcome, value in self.sd.items():
            if not (isfinite(value) and value >= 0):
                raise EstimationError("error.bad_bias", outcome=outcome, value=value)


@dataclass(frozen=True, slots=True)
class Joint:
    """All tags at once: partially linear model on sufficient statistics.

    Robinson (1988); Frisch and Waugh (1933), Lovell (1963). Tags are held against one another,
    numbers enter as natural cubic splines, strata (or authors) as fixed effects.

    Parameters
    ----------
    knots
        Knots of each numeric covariate's spline; 0 keeps them linear.
    errors
        ``"CR3"``: leave one cluster out along axes that nest the tags (items, authors, strata),
        t with effective clusters. ``"CR1"``: the plain sandwich without small-sample factors,
        for parity with other libraries only.
    author_effects
        Absorb the author's mean where the settings name an author (and no stratum).
    rows
        ``"auto"``: where rows of random exposure can carry the answer, these, fused with the
        recommender's own rows as far as those prove unbiased (`tagcf.effects.joint.fuse`), else all
        rows; ``"random"``: the random rows alone where they can; ``"all"``: all rows alike.
    item_effects
        ``"random"``: the mean of an item's n rows counts for σ²/(σ² + nτ²) of them, since all of
        them share its unseen quality (`tagcf.effects.linear.item_effects`); ``"none"``: all rows
        count alike.
    bias
        What observational intervals allow for unseen confounding; ``None``: nothing.
    """

    knots: int = 5
    errors: Literal["CR3", "CR1"] = "CR3"
    item_effects: Literal["random", "none"] = "random"
    author_effects: bool = True
    rows: Literal["auto", "random", "all"] = "auto"
    bias: ObservationalBias | None = None

    name: ClassVar[Method] = "joint"
    estimand: ClassVar[Estimand] = "direct"


@dataclass(frozen=True, slots=True)
class Histogram:
    """Matching in bins of the score: subclassification (Rosenbaum and Rubin 1984).

    All controls of a bin serve all its treated; bins are cut at quantiles of the treated.

    Parameters
    ----------
    bins
        Bins of the score per tag.
    """

    bins: int = 50


@dataclass(frozen=True, slots=True)
class Matching:
    """Propensity score matching of items per tag, with replacement, bias-corrected.

    Rosenbaum and Rubin (1983); Abadie and Imbens (2006, 2011). The score is logistic on the
    covariates *and* the other tags; within authors, and within strata that units were randomised
    in, items are matched with items of the same author or stratum.

    The estimand is the effect on the treated, over *items*: each item that carries the tag and
    finds a match counts for what its rows tell in the joint fit (its share, `item_effects`), about
    alike where items differ in unseen quality, and not for its impressions.

    Parameters
    ----------
    caliper
        Largest distance of a match, in standard deviations of the logit; ``None``: no limit.
        Within authors and strata the nearest is taken however far.
    exact, bins
        Covariates matched exactly; numbers in so many quantile bins. Where one varies within
        items, parts of items are matched.
    knots, author_effects, rows
        As in `Joint`, for the outcome regression of the bias correction.
    neighbours
        Controls of each match, where so many are within the caliper (Abadie and Imbens 2011 take
        four).
    form
        ``None``: each treated item to its nearest; `Histogram()`: in bins of the score.
    bias
        As in `Joint`.
    """

    caliper: float | None = 0.2
    exact: tuple[str, ...] = ()
    bins: int = 5
    knots: int = 5
    author_effects: bool = True
    rows: Literal["auto", "random", "all"] = "auto"
    neighbours: int = 4
    form: Histogram | None = None
    bias: ObservationalBias | None = None

    name: ClassVar[Method] = "matching"
    estimand: ClassVar[Estimand] = "treated"


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """Two-stage least squares (Theil 1953): precise where instruments are few and strong."""


@dataclass(frozen=True, slots=True)
class Liml:
    """Limited information maximum likelihood (Anderson and Rubin 1949), for many instruments.

    Two-stage least squares leans towards plain least squares the more, the more instruments there
    are; this does not. Errors count the many instruments' own noise (Bekker 1994).
    """


@dataclass(frozen=True, slots=True)
class Linear:
    """Linear nuisances: additive outcome model, logistic score, both on splines and other tags.

    Parameters
    ----------
    penalties
        Ridges of the score on standardised columns, of which held-out likelihood chooses one for
        each tag: 1 / the variance that a slope is thought to have, in units of one item.
    """

    penalties: tuple[float, ...] = (0.1, 2.0, 10.0, 40.0, 160.0)


@dataclass(frozen=True, slots=True)
class Boosted:
    """Nuisances with boosted trees on top of the linear ones (LightGBM, extra ``boost``).

    Trees see items: mean controls and tags. Folds hold whole items and authors, as everywhere.

    Parameters
    ----------
    trees, leaves, learning_rate, min_items
        Size of each model; `min_items` is the least number of items in a leaf.
    """

    trees: int = 200
    leaves: int = 8
    learning_rate: float = 0.05
    min_items: int = 20


@dataclass(frozen=True, slots=True)
class Robust:
    """Average effect of each tag by augmented inverse propensity weighting, cross-fitted.

    Robins, Rotnitzky and Zhao (1994); Chernozhukov et al. (2018). Consistent if either the outcome
    model or the score is right. The effect is averaged over the rows used, the rows of one item
    counting as in `Joint`; `Joint` itself weights by what its controls leave of a tag's variance.
    The score is the item's: on its controls (its audience's mean), all other tags, and its author's
    share of items with the tag. Where units were randomised in strata, both models are the demeaned
    linear one, and the answer is `Joint`'s.

    Parameters
    ----------
    nuisances
        `Linear` or `Boosted`.
    folds
        Folds of whole items, or of whole authors where these are known.
    knots, author_effects, rows, bias
        As in `Joint`.
    """

    nuisances: Linear | Boosted = Linear()
    folds: int = 5
    knots: int = 5
    author_effects: bool = True
    rows: Literal["auto", "random", "all"] = "auto"
    bias: ObservationalBias | None = None

    name: ClassVar[Method] = "robust"
    estimand: ClassVar[Estimand] = "direct"


@dataclass(frozen=True, slots=True)
class TwoStage:
    """Instrumental variables: the randomly assigned columns of ``[design.instruments]``.

    Parameters
    ----------
    knots
        As in `Joint`.
    estimator
        `LeastSquares()` or `Liml()`; ``None``: the latter from five instruments (levels of the
        columns less one) per tag.
    """

    knots: int = 5
    estimator: LeastSquares | Liml | None = None

    name: ClassVar[Method] = "iv"
    estimand: ClassVar[Estimand] = "local"


@dataclass(frozen=True, slots=True)
class Naive:
    """Mean outcome of rows with the tag minus rows without: what a dashboard shows.

    For contrast only: its verdicts are what a dashboard would claim, confounding and all.
    """

    name: ClassVar[Method] = "naive"
    estimand: ClassVar[Estimand] = "direct"


Using = Joint | Matching | Robust | TwoStage | Naive
