"""(3) What tags do to outcomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tagcf.doubts import Balance, Doubt
from tagcf.types.arrays import Floats, Mask
from tagcf.types.log import OutcomeKind
from tagcf.types.reason import Reason

Method = Literal["joint", "matching", "robust", "iv", "naive"]
Estimand = Literal["direct", "total", "treated", "local"]
Verdict = Literal["raises", "lowers", "no clear effect", "cannot tell"]
Rung = Literal[
    "toggled",
    "within-stratum",
    "within-author",
    "randomised exposure",
    "instrument",
    "observational",
]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one tag does to one outcome, for one audience, by one method.

    Estimate, errors and intervals are on the outcome's own scale, per impression
    (for a derived outcome: per impression of the period). They may be ``None`` only
    where the verdict is "cannot tell".
    """

    tag: str
    tag_zh: str
    tag_en: str
    outcome: str
    segment: str | None  # None: everybody; "city_tier=1", crossed "city_tier=1,age_band=2"
    method: Method
    estimand: Estimand
    estimate: float | None
    se: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    q: float | None
    shrunk: float | None
    shrunk_low: float | None
    shrunk_high: float | None
    baseline: float | None  # weighted mean outcome of rows without the tag
    relative: float | None  # estimate / baseline
    n_rows: int
    n_items: int
    n_treated_items: int
    effective_items: float
    rung: Rung
    verdict: Verdict
    reason: Reason | None  # what stopped or limits it; None where nothing does
    diagnostics: dict[str, float | int | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JointFit:
    """The joint coefficients of one outcome with their covariance: what what-ifs are made of."""

    outcome: str
    kind: OutcomeKind
    tags: tuple[str, ...]  # (T,) slugs in the order of `coef`
    coef: Floats  # (T,)
    cov: Floats  # (T, T) clustered
    df: Floats  # (T,) effective degrees of freedom of each coefficient
    usable: Mask  # (T,) False where the verdict is "cannot tell"
    baseline: float  # mean outcome of the rows used
    estimand: Estimand = "direct"


@dataclass(frozen=True, slots=True)
class TagEffects:
    """All effects of a run, with the joint fits and the balance behind them."""

    effects: tuple[Effect, ...]
    joint: tuple[JointFit, ...] = ()
    balance: tuple[Balance, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    n_rows: int = 0
    n_items: int = 0
    n_users: int = 0
    simulated: bool = False
    tags_version: str = ""  # of the tag tree (`TagMatrix.version`) that they were estimated on
