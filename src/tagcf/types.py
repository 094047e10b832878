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
    # Slugs of tags that were proposed from behaviour, and (I,) the items whose behaviour had no
    # part in that: effects of these tags are told from those items alone.
    unseen: tuple[tuple[str, Mask], ...] = ()

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


# ── (5) recommending ────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class TagReason:
    """What one tag of an item does to an outcome, on the outcome's scale, with its 95% interval.

    `score_change` is what the item's score would be without the tag, less what it is; ``None``
    where scores do not look at predicted outcomes, so that the tag tells why people like such
    items and not why this one was ranked here.
    """

    tag: str
    tag_zh: str
    tag_en: str
    outcome: str
    delta: float
    ci_low: float
    ci_high: float
    rung: Rung
    score_change: float | None = None


@dataclass(frozen=True, slots=True)
class HistoryReason:
    """What one event of the history adds to an item's score, in units of the score."""

    item: str
    ts: float | None  # epoch seconds
    share: float


@dataclass(frozen=True, slots=True)
class Fidelity:
    """History reasons put to the test: the item is scored again without the events they name.

    `without_others` is its score without as many of the other events, those that add the most;
    ``None`` where there are fewer.
    """

    score: float
    without_evidence: float
    without_others: float | None

    @property
    def holds(self) -> bool:
        """Whether the named events carry the score, and more of it than others do."""
        fell = self.without_evidence < self.score
        return fell and (
            self.without_others is None or self.without_evidence <= self.without_others
        )


@dataclass(frozen=True, slots=True)
class Steered:
    """What one steering rule did to one item.

    `rank_without` is the item's rank had this rule alone not acted; ``None``: it would not have
    been among the candidates.
    """

    rule: str
    tag: str
    weight: float
    score_change: float
    rank: int
    rank_without: int | None


@dataclass(frozen=True, slots=True)
class RankedItem:
    """One place of a list. `outcomes` are expected values of showing the item to the user."""

    item: str
    score: float
    outcomes: tuple[tuple[str, float], ...]
    reasons: tuple[TagReason, ...]
    history: tuple[HistoryReason, ...]
    fidelity: Fidelity | None
    steered: tuple[Steered, ...] = ()
    propensity: float | None = None  # chance of this item at this place, where exploration is on
    randomized: bool = False


@dataclass(frozen=True, slots=True)
class Acted:
    """What a list was made with: versions, and the settings and rules that had a part in it."""

    model: str
    effects: str | None
    tags: str | None
    settings: tuple[tuple[str, str], ...]
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranking:
    """A list for one user or history, best first. `notes` say what limits it.

    `blocked` are items that would have been in the list but for a rule: (item, rule).
    """

    user: str | None
    items: tuple[RankedItem, ...]
    acted: Acted
    notes: tuple[Reason, ...] = ()
    blocked: tuple[tuple[str, str], ...] = ()
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why an item is not in the list.

    `removed` is None where it merely ranks below. `rival` is the last item of the list; `lacks`
    are events that add more to the rival than to the item (share: by how much), `tags` what the
    rival's tags do that the item lacks.
    """

    removed: Reason | None
    rival: str | None
    gap: float | None  # score of the rival less the item's
    lacks: tuple[HistoryReason, ...]
    tags: tuple[TagReason, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that would move an item into the list or out of it, checked by ranking again.

    kind "without": the history had not had `what` (items); "with": it had had them, last;
    "boost": a boost of the tag in `what` by `weight`; "unsteered": the rule in `what` did not act;
    "untag", "tag": the item lost or had the tags in `what`, by their effects.
    """

    kind: Literal["without", "with", "boost", "unsteered", "untag", "tag"]
    what: tuple[str, ...]
    weight: float | None
    rank: int | None  # after the change; None: no longer a candidate


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an item is, or is not, recommended to a user.

    The score is `base` + the shares of all `history` events (exactly, with method "exact";
    with "occlusion" a share is what the score loses without the event) + what rules added. Where a
    utility decides, these are of the model's score, which is one of its features.
    """

    user: str | None
    item: str
    k: int
    rank: int | None  # None: not a candidate
    score: float | None
    base: float
    method: Literal["exact", "occlusion"]
    history: tuple[HistoryReason, ...]
    reasons: tuple[TagReason, ...]
    outcomes: tuple[tuple[str, float], ...]
    fidelity: Fidelity | None
    rank_without_evidence: int | None
    steered: tuple[Steered, ...]
    why_not: WhyNot | None
    changes: tuple[Change, ...]
    acted: Acted
    notes: tuple[Reason, ...] = ()
    simulated: bool = False
