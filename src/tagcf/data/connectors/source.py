"""Reading the files of a data set, with errors that name what is not as its layout says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tagcf.errors import DataError
from tagcf.types import Reason


@dataclass(frozen=True, slots=True)
class Imported:
    """What a connector hands back: the settings to write, and what a person should know."""

    settings: dict[str, Any]  # nested, as in tagcf.toml
    notes: tuple[Reason, ...] = ()


def need_file(path: Path, name: str) -> Path:
    """Return `path` if it is a file; else say what the connector `name` expects."""
    if not path.is_file():
        raise DataError("import.no_source", path=path, name=name)
    return path


def need_folder(path: Path, name: str) -> Path:
    """Return `path` if it is a folder; else say what the connector `name` expects."""
    if not path.is_dir():
        raise DataError("import.no_source", path=path, name=name)
    return path


def need_columns(path: Path, columns: Iterable[str], needed: Sequence[str], name: str) -> None:
    """Raise `DataError` naming the first needed column that a source file lacks."""
    known = list(columns)
    for column in needed:
        if column not in known:
            raise DataError(
                "import.not_this_layout",
                path=path,
                name=name,
                column=column,
                known=", ".join(known[:20]),
            )


def scan_texts(
    path: Path | Sequence[Path], separator: str = ",", *, quoted: bool = True
) -> pl.LazyFrame:
    """Scan delimited UTF-8 files, all columns as text.

    Raises
    ------
    DataError
        A file is empty or its header cannot be read.
    """
    paths = [path] if isinstance(path, Path) else list(path)
    try:
        frame = pl.scan_csv(
            paths,
            separator=separator,
            quote_char='"' if quoted else None,
            infer_schema=False,
            null_values=[""],
        )
        frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as broken:
        detail = (str(broken).splitlines() or [""])[0]
        raise DataError("data.broken_csv", path=paths[0], detail=detail) from broken
    return frame
