"""The methods, as objects: ``estimate_effects(log, tags, using=Matching(caliper=0.2))``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from tagcf.types import Estimand, Method


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
    """

    knots: int = 5
    errors: Literal["CR3", "CR1"] = "CR3"
    item_effects: Literal["random", "none"] = "random"
    author_effects: bool = True
    rows: Literal["auto", "random", "all"] = "auto"

    name: ClassVar[Method] = "joint"
    estimand: ClassVar[Estimand] = "direct"


@dataclass(frozen=True, slots=True)
class Matching:
    """Propensity score matching per tag, with replacement, bias-corrected.

    Rosenbaum and Rubin (1983); Abadie and Imbens (2006, 2011). The score is logistic on the
    covariates *and* the other tags; where units were randomised in strata, treated units are
    matched within their stratum.

    Parameters
    ----------
    caliper
        Largest distance of a match, in standard deviations of the logit; ``None``: no limit.
    exact, bins
        Covariates matched exactly; numbers in so many quantile bins.
    knots, author_effects, rows
        As in `Joint`, for the outcome regression of the bias correction.
    max_rows
        Rows are thinned evenly to at most so many; the diagnostics say when that happened.
    """

    caliper: float | None = 0.2
    exact: tuple[str, ...] = ()
    bins: int = 5
    knots: int = 5
    author_effects: bool = True
    rows: Literal["auto", "random", "all"] = "auto"
    max_rows: int = 2_000_000

    name: ClassVar[Method] = "matching"
    estimand: ClassVar[Estimand] = "treated"


@dataclass(frozen=True, slots=True)
class TwoStage:
    """Two-stage least squares with the randomly assigned columns of ``[design.instruments]``.

    Parameters
    ----------
    knots
        As in `Joint`.
    """

    knots: int = 5

    name: ClassVar[Method] = "iv"
    estimand: ClassVar[Estimand] = "local"


@dataclass(frozen=True, slots=True)
class Naive:
    """Mean outcome of rows with the tag minus rows without: what a dashboard shows.

    For contrast only: its verdicts are what a dashboard would claim, confounding and all.
    """

    name: ClassVar[Method] = "naive"
    estimand: ClassVar[Estimand] = "direct"


Using = Joint | Matching | TwoStage | Naive
