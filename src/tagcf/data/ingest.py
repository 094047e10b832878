"""One pass over the raw impressions: every value checked, ids made dense, written compactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tagcf.data import checks
from tagcf.data.attributes import Attributes, read_attributes, stored
from tagcf.data.bad_rows import Ledger, Place
from tagcf.data.checks import Block
from tagcf.data.dictionary import Dictionary
from tagcf.data.duplicates import count_repeats, row_hashes
from tagcf.data.files import BATCH_ROWS, RawBatch, batches
from tagcf.data.schema import Part, Plan, Tables
from tagcf.data.store import write_table
from tagcf.data.times import clock
from tagcf.data.values import looks_numeric
from tagcf.errors import DataError
from tagcf.types import Codes

NOBODY = "—"  # the one user of a log that knows no users

Columns = dict[str, NDArray[Any]]


class Ingest:
    """The state of the pass: dictionaries, findings and counts. `run` does the work."""

    def __init__(self, plan: Plan, tables: Tables) -> None:
        self.plan, self.tables, self.ledger = plan, tables, Ledger()
        self.items = self._attributes("items")
        self.users = self._attributes("users")
        self.item_ids = Dictionary(self.items.ids if self.items else None)
        self.user_ids = Dictionary(self.users.ids if self.users else None)
        self.levels: dict[str, Dictionary] = {}  # category columns of the impressions
        self.numeric: frozenset[str] = frozenset()  # covariates that hold numbers
        self.rows_read = self.rows_used = 0
        self.any_randomized = False
        self.gaps: set[str] = set()  # category columns in which some value is missing
        self._places: list[tuple[int, Place]] = []

    def run(self, folder: Path) -> None:
        """Fill `folder` with impressions.arrow, items.arrow and users.arrow.

        Raises
        ------
        DataError
            The file breaks off, or not one row of it can be used.
        """
        hashes_path = folder / "hashes.u64"
        with hashes_path.open("w+b") as hashes:
            self._impressions(folder / "impressions.arrow", hashes)
            self._refuse_nothing()
            count_repeats(hashes, self._places, self.ledger)
        hashes_path.unlink()
        self._tell_encodings()
        write_table(folder / "items.arrow", stored(self.items, self.item_ids.texts()))
        users = self.user_ids.texts() if self.plan.user else pl.Series([NOBODY])
        write_table(folder / "users.arrow", stored(self.users, users))

    def _attributes(self, name: Literal["items", "users"]) -> Attributes | None:
        table = self.tables.items if name == "items" else self.tables.users
        id_column = self.plan.item if name == "items" else self.plan.user
        if table is None or id_column is None:
            return None
        columns = self.plan.attribute_columns(name)
        return read_attributes(table, id_column, columns, self.ledger)

    def _impressions(self, path: Path, hashes: BinaryIO) -> None:
        columns = self.plan.impression_columns()
        writer: pa.ipc.RecordBatchFileWriter | None = None
        with pa.OSFile(str(path), "wb") as sink:
            for batch in batches(self.tables.impressions, columns, self.ledger):
                if writer is None:
                    self._sort_out_covariates(batch)
                block = self._digest(batch, hashes)
                writer = writer or pa.ipc.new_file(sink, block.schema)
                for start in range(0, block.num_rows, BATCH_ROWS):
                    writer.write_batch(block.slice(start, BATCH_ROWS))
            if writer is not None:
                writer.close()

    def _sort_out_covariates(self, batch: RawBatch) -> None:
        """Numbers or categories: the first block decides, later exceptions are reported."""
        own = [part.name for part in self.plan.covariates if part.origin == "impressions"]
        self.numeric = frozenset(name for name in own if looks_numeric(batch.frame[name]))

    def _refuse_nothing(self) -> None:
        path = self.tables.impressions.path
        if not self.rows_read:
            raise DataError("data.no_rows", path=path)
        if not self.rows_used:
            dropped = [one for one in self.ledger.findings() if one.action == "dropped"]
            where = max(dropped, key=lambda one: one.count).worded().where
            raise DataError("data.no_usable_rows", path=path, where=where)

    def _tell_encodings(self) -> None:
        """Say which files were not UTF-8: a guess that a person should be able to check."""
        rows = (self.rows_read, len(self.item_ids), len(self.user_ids))
        tables = (self.tables.impressions, self.tables.items, self.tables.users)
        for table, count in zip(tables, rows, strict=True):
            if table is not None and table.encoding == "gb18030":
                self.ledger.tell("note.encoding", table.file, [], count=count, action="kept")

    def _digest(self, batch: RawBatch, hashes: BinaryIO) -> pa.RecordBatch:
        """Check and code one block; rows that cannot be used are left out."""
        columns: Columns = {}
        block = Block(batch, np.ones(batch.frame.height, bool), self.ledger)
        block = self._ids(block, columns)
        block = self._weight(block, columns)
        block = self._strata(block, columns)
        self._outcomes(block, columns)
        self._time(block, columns)
        self._covariates(block, columns)
        self._categories(block, columns)
        self._exposure(block, columns)
        hashes.write(row_hashes(batch.frame, block.keep, self.rows_read).tobytes())
        self._places.append((self.rows_read, batch.place))
        self.rows_read += batch.frame.height
        self.rows_used += int(block.keep.sum())
        kept = {name: pa.array(values[block.keep]) for name, values in columns.items()}
        return pa.RecordBatch.from_pydict(kept)

    def _ids(self, block: Block, columns: Columns) -> Block:
        """Users and items as dense integers; rows that lack one are dropped."""
        columns["item"] = self.item_ids.codes(checks.texts(block, self.plan.item))
        missing = columns["item"] < 0
        block.note("bad.missing_id", self.plan.item, "dropped", missing)
        block = block.without(missing)
        if self.plan.user:
            columns["user"] = self.user_ids.codes(checks.texts(block, self.plan.user))
            missing = columns["user"] < 0
            block.note("bad.missing_id", self.plan.user, "dropped", missing)
            block = block.without(missing)
        if self.items is not None:
            stranger = columns["item"] >= len(self.items.ids)
            block.note("bad.unknown_item", self.plan.item, "kept", stranger)
        return block

    def _weight(self, block: Block, columns: Columns) -> Block:
        if self.plan.weight is None:
            return block
        columns["weight"], useless = checks.weights(block, self.plan.weight)
        return block.without(useless)

    def _strata(self, block: Block, columns: Columns) -> Block:
        """Rows that belong to no stratum cannot be compared with any other and are dropped."""
        part = self.plan.stratum
        if part is None:
            return block
        if part.origin == "impressions":
            codes = columns[f"code:{part.name}"] = self._code(block, part)
            column = part.name
        else:
            of_item = self._attribute_codes(part)
            codes, column = of_item[columns[part.origin.removesuffix("s")]], self.plan.item
        block.note("bad.missing_stratum", column, "dropped", codes < 0)
        return block.without(codes < 0)

    def _attribute_codes(self, part: Part) -> Codes:
        """Codes of an items.* or users.* column, with -1 for all ids that came later."""
        known = self.items if part.origin == "items" else self.users
        ids = self.item_ids if part.origin == "items" else self.user_ids
        assert known is not None  # noqa: S101 - the plan found the column there
        codes = known.codes[part.name]
        return np.concatenate([codes, np.full(len(ids) - len(codes), -1, np.int32)])

    def _outcomes(self, block: Block, columns: Columns) -> None:
        for k, spec in enumerate(self.plan.outcomes):
            values, trials = checks.outcome(block, spec)
            if spec.kind == "binary":  # a byte instead of eight; -1 is "not measured"
                columns[f"outcome:{k}"] = np.where(np.isnan(values), -1, values).astype(np.int8)
            else:
                columns[f"outcome:{k}"] = values
            if trials is not None:
                columns[f"trials:{k}"] = trials

    def _time(self, block: Block, columns: Columns) -> None:
        if self.plan.time is None:
            return
        columns["ts"] = seconds = checks.seconds(block, self.plan.time, self.plan.zone)
        for part in self.plan.covariates:
            if part.origin == "clock":
                columns[f"code:{part.name}"] = clock(seconds, part.name, self.plan.zone)

    def _covariates(self, block: Block, columns: Columns) -> None:
        for name in self.numeric:
            columns[f"number:{name}"] = checks.number(block, name)

    def _categories(self, block: Block, columns: Columns) -> None:
        """Codes of every category column, whatever part or parts it plays."""
        parts = [part for part in self.plan.covariates if part.name not in self.numeric]
        parts += [*self.plan.segments, *self.plan.clusters]
        parts += [part for part, _ in self.plan.instruments]
        for part in parts:
            column = f"code:{part.name}"
            if part.origin == "impressions" and column not in columns:
                columns[column] = codes = self._code(block, part)
                block.note("bad.missing_attribute", part.name, "kept", codes < 0)
                if bool((codes[block.keep] < 0).any()):
                    self.gaps.add(part.name)

    def _code(self, block: Block, part: Part) -> Codes:
        dictionary = self.levels.setdefault(part.name, Dictionary())
        return dictionary.codes(checks.texts(block, part.name))

    def _exposure(self, block: Block, columns: Columns) -> None:
        if self.plan.randomized:
            flags = checks.randomized(block, self.plan.randomized)
            self.any_randomized |= bool((flags & block.keep).any())
            columns["randomized"] = flags
        if self.plan.propensity:
            columns["propensity"] = checks.propensity(block, self.plan.propensity)
