"""items.* judged by itself, as taggers read it: ids, texts, and whether the media are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tagcf.data.attributes import first_of_each
from tagcf.data.bad_rows import EXAMPLES, Finding, Ledger, Place, shorten
from tagcf.data.encoding import open_bytes
from tagcf.data.files import RawBatch, Table, batches, open_table
from tagcf.data.values import as_texts
from tagcf.data.workspace import Workspace
from tagcf.errors import DataError
from tagcf.types import BadRows

_CHUNK = 1 << 22  # bytes counted at a time


@dataclass(frozen=True, slots=True)
class ItemRows:
    """Rows of items.* that can be used, each id once, and what was wrong with the others."""

    table: Table
    rows_read: int
    frame: pl.DataFrame  # item_id, a column "text …" for each of [content] text, path if there is
    findings: tuple[Finding, ...]

    @property
    def with_text(self) -> int:
        """How many items have a text that is not empty."""
        texts = [name for name in self.frame.columns if name.startswith("text ")]
        filled = [pl.col(name).str.strip_chars().fill_null("") != "" for name in texts]
        return self.frame.filter(pl.any_horizontal(filled)).height if filled else 0

    def bad(self) -> tuple[BadRows, ...]:
        """Return the findings in the language in force."""
        return tuple(one.worded() for one in self.findings)


def open_items(workspace: Workspace) -> Table | None:
    """Open items.* and make sure of every column that ``[content]`` names.

    Raises
    ------
    DataError
        A column is missing, or ``[content]`` names one and there is no items.*.
    """
    settings = workspace.settings
    named = [("content.text", column) for column in settings.content.text]
    if settings.content.media is not None:
        named.append(("content.media", settings.content.media))
    table = open_table(workspace.root, "items", settings.data.encoding)
    if table is None:
        for setting, column in named:
            raise DataError("data.no_items_for", setting=setting, column=column)
        return None
    for setting, column in (("data.item", settings.data.item), *named):
        table.require(column, setting)
    return table


def read_item_rows(workspace: Workspace, table: Table) -> ItemRows:
    """Read ids, texts and media paths; the first row of an id counts.

    Raises
    ------
    DataError
        The file breaks off, or has a header and no rows.
    """
    id_column, content = workspace.settings.data.item, workspace.settings.content
    wanted = [*content.text, *([content.media] if content.media else [])]
    names = [f"text {name}" for name in content.text] + (["path"] if content.media else [])
    schema = dict.fromkeys(["item_id", *names], pl.String)
    ledger = Ledger()
    frames = [pl.DataFrame(schema=schema)]
    many_lines: list[tuple[int | None, str]] = []
    # In a CSV file a quote left open may stand in any column.
    read = table.columns if table.form == "csv" else dict.fromkeys([id_column, *wanted])
    for batch in batches(table, list(read), ledger):
        ids = as_texts(batch.frame[id_column])
        columns = [batch.frame[name].cast(pl.String) for name in wanted]
        frames.append(pl.DataFrame([ids, *columns], schema=schema))
        if table.form == "csv":
            many_lines += _many_lines(batch)
    rows = pl.concat(frames)
    if not rows.height and not ledger.findings():
        raise DataError("data.no_rows", path=table.path)
    if many_lines and _quotes_are_odd(table.path):
        ledger.tell("bad.open_quote", table.file, many_lines, count=len(many_lines), action="kept")
    whole = RawBatch(rows, Place(table.file, 2 if table.form == "csv" else 1))
    keep = first_of_each(whole, rows["item_id"], id_column, ledger)
    return ItemRows(table, rows.height, rows.filter(keep), ledger.findings())


def missing_media(workspace: Workspace, items: ItemRows) -> tuple[BadRows, ...]:
    """Items whose media file is not where ``[content]`` says; no file is opened."""
    content = workspace.settings.content
    if content.media is None:
        return ()
    root = workspace.root / (content.media_root or ".")
    given = items.frame["path"].str.strip_chars()
    absent = [path for path in given if path and not _is_file(root / path)]
    ledger = Ledger()
    examples: list[tuple[int | None, str]] = [(None, shorten(path)) for path in absent[:EXAMPLES]]
    ledger.tell(
        "bad.missing_media",
        items.table.file,
        examples,
        count=len(absent),
        column=content.media,
        action="kept",
    )
    return tuple(one.worded() for one in ledger.findings())


def _is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file system takes is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _many_lines(batch: RawBatch) -> Iterator[tuple[int | None, str]]:
    """Rows with a value over several lines: honest texts, or what a quote left open swallowed."""
    broken = pl.any_horizontal(pl.all().cast(pl.String).str.contains("\n", literal=True))
    hit = batch.frame.select(broken.fill_null(value=False)).to_series().to_numpy()
    for index in np.flatnonzero(hit).tolist():
        value = next(str(one) for one in batch.frame.row(index) if "\n" in str(one))
        yield batch.place.first_row + index, value


def _quotes_are_odd(path: Path) -> bool:
    """Whether some quote of the file is never closed."""
    total = 0
    with open_bytes(path) as file:
        while chunk := file.read(_CHUNK):
            total += chunk.count(b'"')
    return total % 2 == 1
