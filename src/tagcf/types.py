"""What the stages hand to one another: frozen dataclasses, nothing else.

``EventLog`` → ``TagMatrix`` → ``TagEffects`` → ``WhatIf``. Ids are dense integers
inside; an ``IdMap`` turns them back into the platform's own. A number never travels
without its interval and its origin.

Symbols in the shapes below: ``n`` rows of a batch, ``U`` users, ``I`` items, ``T`` tags,
``K`` logged outcomes, ``p`` covariates, ``S`` segment columns, ``q`` instruments,
``C`` cluster axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from tagcf.doubts import Balance, Doubt
from tagcf.text import say

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]  # dense integers; -1 is "unknown"
Mask = NDArray[np.bool_]

OutcomeKind = Literal["binary", "rate", "real", "count"]
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
class Reason:
    """Why an answer is limited: a key of the text catalogue and the facts for its gaps."""

    key: str
    facts: tuple[tuple[str, str | int | float], ...] = ()

    def __str__(self) -> str:
        return say(self.key, **dict(self.facts))


# ── (1) data ────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class IdMap:
    """External ids by dense integer: position ``k`` of `ids` is the id of integer ``k``."""

    ids: pa.StringArray

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> str:
        return str(self.ids[int(index)].as_py())

    def find(self, external: Sequence[str]) -> Codes:
        """Dense integers of external ids; -1 where an id is unknown."""
        found = pc.index_in(pa.array(external, pa.string()), value_set=self.ids)
        return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One behaviour worth causing, as configured.

    `derive` is ``None`` for a logged column and ``"return"`` for "seen again within `days`
    after the user's period of `period_days` days ends" (unit = user × period).
    With `trials`, `column` counts successes out of the column `trials`.
    """

    name: str
    kind: OutcomeKind
    column: str | None = None
    trials: str | None = None
    derive: Literal["return"] | None = None
    days: int = 7
    period_days: int = 7


@dataclass(frozen=True, slots=True)
class Covariate:
    """A control. Category values travel as level codes (-1 = missing), numbers as they are."""

    name: str
    kind: Literal["number", "category"]
    source: Literal["impressions", "items", "users"]
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A column that splits the audience, with its level names by code."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instrument:
    """A randomly assigned column (as category codes) and the tags whose exposure it moves."""

    name: str
    tags: tuple[str, ...]
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClusterAxis:
    """One clustering of the errors: a column name and its number of clusters."""

    name: str
    n_clusters: int


@dataclass(frozen=True, slots=True)
class EventBatch:
    """A block of impressions, already joined with what is known of their users and items."""

    user: Codes  # (n,)
    item: Codes  # (n,)
    ts: Floats  # (n,) epoch seconds, UTC; NaN if the log has no time
    outcomes: Floats  # (n, K); with trials: successes / trials; NaN = not measured
    weights: Floats  # (n, K) rows a row stands for: weight × trials, 0 where the outcome is missing
    covariates: Floats  # (n, p) numbers, or level codes of categories
    segments: Codes  # (n, S)
    clusters: Codes  # (n, C)
    instruments: Codes  # (n, q)
    stratum: Codes | None = None  # (n,) units were randomised within it
    randomized: Mask | None = None  # (n,) exposure was random
    propensity: Floats | None = None  # (n,) logged exposure probability, NaN unknown

    @property
    def n_rows(self) -> int:
        """Rows of the block."""
        return len(self.user)

    def rows(self, at: slice | Mask) -> EventBatch:
        """Return some rows; a slice copies nothing."""
        return EventBatch(
            user=self.user[at],
            item=self.item[at],
            ts=self.ts[at],
            outcomes=self.outcomes[at],
            weights=self.weights[at],
            covariates=self.covariates[at],
            segments=self.segments[at],
            clusters=self.clusters[at],
            instruments=self.instruments[at],
            stratum=None if self.stratum is None else self.stratum[at],
            randomized=None if self.randomized is None else self.randomized[at],
            propensity=None if self.propensity is None else self.propensity[at],
        )


@dataclass(frozen=True, slots=True)
class BadRows:
    """One kind of bad input: how many rows, where first, and what was done with them."""

    kind: str  # key of the message in text/, e.g. "bad.wrong_type"
    where: str  # "impressions.csv, column click"
    count: int
    examples: tuple[str, ...]  # "row 17: 'abc'"
    action: Literal["dropped", "kept", "as_missing"]


@dataclass(frozen=True, slots=True)
class ReadReport:
    """Rows in, rows used, and every reason for the difference."""

    rows_read: int
    rows_used: int
    bad: tuple[BadRows, ...] = ()


@dataclass(frozen=True, slots=True)
class EventLog:
    """The impressions of a platform, re-iterable in batches of bounded size.

    Arrays are the one-batch case (`tagcf.data.arrays.log_from_arrays`).
    """

    users: IdMap
    items: IdMap
    outcomes: tuple[Outcome, ...]  # logged, in the order of EventBatch.outcomes
    derived: tuple[Outcome, ...]  # e.g. return
    covariates: tuple[Covariate, ...]
    segments: tuple[Segment, ...]
    clusters: tuple[ClusterAxis, ...]
    instruments: tuple[Instrument, ...]
    n_rows: int
    n_strata: int  # 0: no strata
    n_authors: int  # 0: no authors
    item_author: Codes | None  # (I,)
    user_segments: Codes  # (U, S); -1 where the segment is not the user's own column
    has_randomized: bool
    batches: Callable[[], Iterator[EventBatch]]
    report: ReadReport
    simulated: bool = False
    # Runs a pass elsewhere than here (on a cluster): fold(start, add) as `effects.linear.passes`.
    fold: Callable[..., Any] | None = None


# ── (2) tags ────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Tag:
    """A fine-grained semantic label. `slug` is its stable name; `facet` the root of its branch."""

    slug: str
    zh: str
    en: str
    facet: str
    parent: str | None = None
    aliases: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TagMatrix:
    """Items × tags. Strength and confidence are in 0..1 and share one sparsity pattern."""

    items: IdMap
    tags: tuple[Tag, ...]
    strength: sparse.csr_array  # (I, T) float32
    confidence: sparse.csr_array  # (I, T) float32
    source: sparse.csr_array  # (I, T) int16: 1 + position in `sources`
    sources: tuple[str, ...]
    version: str = ""  # of the tag tree that the tags were made with

    def carried(self, threshold: float = 0.5) -> sparse.csr_array:
        """(I, T) float32 0/1: which items carry which tags."""
        table, reached = self.strength, self.strength.data >= threshold
        ones = reached.astype(np.float32)
        if reached.all():
            return sparse.csr_array((ones, table.indices, table.indptr), shape=table.shape)
        carried = sparse.csr_array((ones, table.indices, table.indptr), table.shape, copy=True)
        carried.eliminate_zeros()
        return carried


# ── (3) effects ─────────────────────────────────────────────────────────────
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


# ── (4) what-if ─────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Contribution:
    """The share of one tag in a what-if, on the outcome's scale."""

    tag: str
    delta: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, slots=True)
class WhatIf:
    """An item (and user) before and after an edit of its tags. Contributions sum to `delta`."""

    item: str
    user: str | None
    without: tuple[str, ...]
    with_: tuple[str, ...]
    outcome: str
    estimand: Estimand
    before: float | None
    after: float | None
    delta: float | None
    ci_low: float | None
    ci_high: float | None
    supported: bool
    reason: Reason | None
    contributions: tuple[Contribution, ...]
