"""The tables of a workspace: where they are, and their rows in batches of bounded size."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from tagcf.data.bad_rows import Ledger, Place
from tagcf.data.encoding import detect_encoding, open_bytes
from tagcf.errors import DataError
from tagcf.text import did_you_mean, listing

BATCH_ROWS = 65_536
BROKEN_LINE = "bad.broken_line"
_CSV_BLOCK = 4 << 20  # bytes of text parsed at a time
_MISSING = ["", "\\N", "NULL", "null", "None", "NaN", "nan"]
_ENDINGS = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True, slots=True)
class Table:
    """One of the workspace's tables: a CSV file, a Parquet file or a folder of Parquet parts."""

    name: str  # "impressions"
    path: Path
    parts: tuple[Path, ...]
    form: Literal["csv", "parquet"]
    columns: tuple[str, ...]
    encoding: str = "utf-8"
    delimiter: str = ","

    @property
    def file(self) -> str:
        """Name to show: ``impressions.csv`` or ``impressions/``."""
        return f"{self.path.name}/" if self.path.is_dir() else self.path.name

    def require(self, column: str, setting: str) -> str:
        """Return `column` if the table has it; else raise `DataError` with near names."""
        if column not in self.columns:
            raise DataError(
                "data.missing_column",
                column=column,
                path=self.path,
                setting=setting,
                hint=did_you_mean(column, self.columns),
                known=listing(self.columns[:20]),
            )
        return column


@dataclass(frozen=True, slots=True)
class RawBatch:
    """A block of rows as they stand in the file (CSV: every column text)."""

    frame: pl.DataFrame
    place: Place


def locate(root: Path, name: str) -> Path | None:
    """Path of table `name` in a workspace, ``None`` where there is none.

    Raises
    ------
    DataError
        Two files could be meant.
    """
    found = [root / f"{name}{ending}" for ending in _ENDINGS if (root / f"{name}{ending}").exists()]
    if (root / name).is_dir():
        found.append(root / name)
    if len(found) > 1:
        raise DataError("data.two_tables", name=name, paths=listing(p.name for p in found))
    return found[0] if found else None


def open_table(root: Path, name: str, encoding: str = "auto") -> Table | None:
    """Find table `name` and read its header.

    Raises
    ------
    DataError
        The file is empty, broken, in an unknown encoding, or has a column twice.
    """
    path = locate(root, name)
    return None if path is None else describe(path, name, encoding)


def describe(path: Path, name: str, encoding: str = "auto") -> Table:
    """Read the header of one file or folder; see `open_table`."""
    if path.is_dir():
        parts = tuple(sorted(path.rglob("*.parquet")))
        if not parts:
            raise DataError("data.empty_folder", path=path)
        headers = [_parquet_columns(part, in_folder=True) for part in parts]
        return Table(name, path, parts, "parquet", headers[0])
    if path.suffix == ".parquet":
        return Table(name, path, (path,), "parquet", _parquet_columns(path, in_folder=False))
    found = detect_encoding(path, encoding)
    delimiter, columns = _csv_header(path, found)
    return Table(name, path, (path,), "csv", columns, found, delimiter)


def batches(
    table: Table, columns: Sequence[str], ledger: Ledger | None = None
) -> Iterator[RawBatch]:
    """Yield the chosen columns block by block; broken lines are dropped and go to the ledger.

    Raises
    ------
    DataError
        The file breaks off midway, or a part lacks a column.
    """
    if table.form == "csv":
        yield from _csv_batches(table, columns, ledger or Ledger())
    else:
        yield from _parquet_batches(table, columns)


def whole(table: Table, columns: Sequence[str], ledger: Ledger | None = None) -> RawBatch:
    """Read the chosen columns of a table that fits into memory."""
    read = list(batches(table, columns, ledger))
    first = read[0].place if read else Place(table.file, 1)
    frames = [batch.frame for batch in read]
    empty = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return RawBatch(pl.concat(frames, how="vertical_relaxed") if frames else empty, first)


def head(table: Table, rows: int) -> pl.DataFrame:
    """Read the first rows, all columns."""
    for batch in batches(table, table.columns):
        return batch.frame.head(rows)
    return pl.DataFrame(schema=dict.fromkeys(table.columns, pl.String))


def _csv_header(path: Path, encoding: str) -> tuple[str, tuple[str, ...]]:
    """Delimiter (comma, tab or semicolon) and column names."""
    with open_bytes(path) as file:
        start = file.read(1 << 16)
    text = start.decode(encoding, "ignore").lstrip("\ufeff")
    if not text.strip():
        raise DataError("data.empty_file", path=path)
    line = text.splitlines()[0]
    delimiter = max(",\t;", key=line.count)
    columns = tuple(next(csv.reader(io.StringIO(text), delimiter=delimiter)))
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        raise DataError("data.column_twice", path=path, column=min(twice))
    return delimiter, columns


def _parquet_columns(part: Path, *, in_folder: bool) -> tuple[str, ...]:
    if not in_folder and part.stat().st_size == 0:
        raise DataError("data.empty_file", path=part)
    try:
        return tuple(pq.read_schema(part).names)
    except (pa.ArrowException, OSError) as broken:
        key = "data.broken_part" if in_folder else "data.broken_parquet"
        raise DataError(key, path=part, detail=_first_line(broken)) from broken


def _csv_batches(table: Table, columns: Sequence[str], ledger: Ledger) -> Iterator[RawBatch]:
    skipped: list[tuple[int | None, str]] = []

    def skip(line: arrow_csv.InvalidRow) -> Literal["skip"]:
        skipped.append((line.number, line.text))
        return "skip"

    row = 2  # the header is row 1
    try:
        reader = _csv_reader(table, columns, skip)
        for block in reader:
            frame = pl.DataFrame(pl.from_arrow(block))
            yield RawBatch(frame, Place(table.file, row))
            row += frame.height + len(skipped)
            # A quote left open makes one broken line of many.
            lines = sum(1 + text.rstrip("\r\n").count("\n") for _, text in skipped)
            ledger.tell(BROKEN_LINE, table.file, skipped, count=lines, action="dropped")
            skipped.clear()
    except (pa.ArrowException, OSError, EOFError) as broken:
        raise DataError("data.broken_csv", path=table.path, detail=_first_line(broken)) from broken


def _csv_reader(
    table: Table, columns: Sequence[str], skip: Callable[[arrow_csv.InvalidRow], Literal["skip"]]
) -> arrow_csv.CSVStreamingReader:
    """All columns as text: what is wrong with a value is for the checks to say."""
    return arrow_csv.open_csv(
        cast("IO[bytes]", pa.input_stream(str(table.path))),  # unpacks .gz
        read_options=arrow_csv.ReadOptions(block_size=_CSV_BLOCK, encoding=table.encoding),
        parse_options=arrow_csv.ParseOptions(
            delimiter=table.delimiter, newlines_in_values=True, invalid_row_handler=skip
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            include_columns=list(columns),
            null_values=_MISSING,
            strings_can_be_null=True,
        ),
    )


def _parquet_batches(table: Table, columns: Sequence[str]) -> Iterator[RawBatch]:
    for part in table.parts:
        name = str(part.relative_to(table.path.parent))
        row = 1
        try:
            with pq.ParquetFile(part) as file:
                lacking = [column for column in columns if column not in file.schema_arrow.names]
                if lacking:
                    raise DataError("data.part_lacks_column", path=part, column=lacking[0])
                for block in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                    frame = pl.DataFrame(pl.from_arrow(block)).select(columns)
                    yield RawBatch(frame, Place(name, row))
                    row += frame.height
        except (pa.ArrowException, OSError) as broken:
            key = "data.broken_part" if table.path.is_dir() else "data.broken_parquet"
            raise DataError(key, path=part, detail=_first_line(broken)) from broken


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
