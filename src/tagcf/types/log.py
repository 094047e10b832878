"""(1) The impressions of a platform, and what is known of its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagcf.types.arrays import Codes, Floats, Mask

OutcomeKind = Literal["binary", "rate", "real", "count"]


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
