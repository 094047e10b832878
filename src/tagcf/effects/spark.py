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
        What is known of the log: ids, outcomes, covariates. The passes of `Joint` over logged
        outcomes run on the cluster. Its own batches are still read, here, for strata, segments
        and return, and by the other methods.
    session
        A ``pyspark.sql.SparkSession`` whose executors have TagCF installed.
    parts
        Folder (or URL) of Parquet parts that driver and executors see.
    """
    return replace(log, fold=SparkPass(session, parts))


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
