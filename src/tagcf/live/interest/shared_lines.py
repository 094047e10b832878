"""Files of JSON lines that several processes append to: what users said, and what came of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tagcf.data.workspace import write_text
from tagcf.errors import OutputError

Told = TypeVar("Told")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from a file that several append to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as file:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def append_line(path: Path, told: Any) -> None:
    """Append a dataclass as a line, on disk when this returns."""
    with path.open("a", encoding="utf-8") as file:
        file.write(as_line(told))
        file.flush()
        os.fsync(file.fileno())


def write_lines(path: Path, told: Iterable[Any]) -> None:
    """Write a file anew, atomically."""
    write_text(path, "".join(map(as_line, told)))


def read_lines(path: Path, of: type[Told], broken: str) -> list[Told]:
    """Lines of a file, in order; a last line that was cut off while it was written is none.

    Parameters
    ----------
    broken
        Key of the message where a line cannot be read.

    Raises
    ------
    OutputError
        Another line than the last cannot be read.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    told = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            told.append(msgspec.json.decode(line, type=of))
        except msgspec.DecodeError as error:
            raise OutputError(broken, path=path, line=number, detail=error) from error
    if lines[-1]:
        write_lines(path, told)
    return told


def as_line(told: Any) -> str:
    """Return a dataclass as a line of JSON."""
    return msgspec.json.encode(told).decode() + "\n"
