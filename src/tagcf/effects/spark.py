"""The joint passes over a log on a Spark cluster: the same partial sums, merged as a tree.

Executors read shared Parquet parts with the columns of `tagcf.data.parts`: ids and categories
already numbered, which one pass of `tagcf.data.parts.write_parts` or a few joins in Spark do.
What travels back are sums; rows stay where they are.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pyarrow as pa

from tagcf.data.parts import from_arrow
from tagcf.effects.linear.passes import Additive
from tagcf.types import EventBatch, EventLog

Sums = TypeVar("Sums", bound=Additive)


def on_spark(log: EventLog, session: Any, parts: str) -> EventLog:
    """The same log, with its passes run by a cluster.

    Parameters
    ----------
    log
        What is known of the log: ids, outcomes, covariates. `Joint` takes all rows from the
        parts: for everybody, in segments, within strata, and for return. The other methods, and
        the checks that doubt an effect, still read the log's own batches, here.
    session
        A ``pyspark.sql.SparkSession`` whose executors have TagCF installed.
    parts
        Folder (or URL) of Parquet parts that driver and executors see.
    """
    return replace(log, fold=SparkPass(session, parts), batches=DriverBatches(log.batches))


@dataclass(frozen=True, slots=True)
class DriverBatches:
    """The log's own batches, which stay on the driver: they may hold all rows of the log."""

    read: Callable[[], Iterator[EventBatch]]

    def __call__(self) -> Iterator[EventBatch]:
        """Read the batches."""
        return self.read()

    def __reduce__(self) -> tuple[Any, ...]:
        """Executors get the log without its batches: they have the parts."""
        return DriverBatches, (_not_here,)


def _not_here() -> Iterator[EventBatch]:
    raise RuntimeError("executors read the parts")


@dataclass(frozen=True, slots=True)
class SparkPass:
    """Runs one pass: ``fold(start, add)`` as in `tagcf.effects.linear.passes.over_log`."""

    session: Any
    parts: str

    def __call__(self, start: Callable[[], Sums], add: Callable[[Sums, EventBatch], None]) -> Sums:
        """Add all rows of the parts to empty sums, on the executors."""

        def partials(tables: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            total = start()
            for table in tables:
                add(total, from_arrow(table))
            yield pa.RecordBatch.from_pydict({"sums": [pickle.dumps(total, protocol=5)]})

        rows = self.session.read.parquet(self.parts).mapInArrow(partials, "sums binary").rdd
        # Between executors of one cluster; Spark itself moves objects as pickles.
        sums = rows.map(lambda row: pickle.loads(row.sums))  # noqa: S301
        merged: Sums = sums.treeReduce(lambda one, other: one + other)
        return merged

    def __reduce__(self) -> tuple[Any, ...]:
        """Executors get the log without the session, which they neither need nor can hold."""
        return SparkPass, (None, self.parts)
