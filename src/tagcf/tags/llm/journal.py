"""Answers on disk: one checksummed line each, appended whole; cache and resume in one.

A line is the CRC-32 of a JSON record, a space, the record and a line break. A process killed
while it writes leaves at most one line without its end; the next run finds it, drops it and goes
on. Every line is flushed to disk before its answer counts as finished, so that a power cut loses
nothing either. Keys are hashes of model, prompt, schema and input (`Request.key`).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import zlib
from pathlib import Path
from typing import Any, Self

from tagcf.errors import OutputError

FILE = Path("llm") / "answers.jsonl"  # below out/


class Journal:
    """An open journal: a mapping from keys to records that survives the process.

    Parameters
    ----------
    path
        The file; it and its folder are made where missing, readable by the owner alone.

    Raises
    ------
    OutputError
        Another process has it open, or it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped = 0  # lines that were broken: half written, or damaged since
        self._offsets: dict[str, int] = {}
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = getattr(os, "O_BINARY", 0)  # Windows would put \r before every line break
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | whole, 0o600)
        except OSError as error:
            raise self._refused(error) from error
        try:
            self._claim()
            self._scan()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._offsets)

    def __contains__(self, key: str) -> bool:
        return key in self._offsets

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the newest record under a key."""
        offset = self._offsets.get(key)
        if offset is None:
            return None
        with self._lock:  # one place to read at; what is appended goes to the end whatever it is
            line = _line_at(self._file, offset)
        found = _record(line)
        return found[1] if found else None

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Write a record; when this returns, it is on disk.

        Raises
        ------
        OutputError
            It could not be written; the file is as it was before.
        """
        text = json.dumps([key, record], ensure_ascii=True, separators=(",", ":"))
        raw = text.encode("ascii")
        line = b"%08x %s\n" % (zlib.crc32(raw), raw)
        try:
            with self._lock:
                offset = os.fstat(self._file).st_size
                try:
                    _write_all(self._file, line)
                except OSError:
                    os.ftruncate(self._file, offset)
                    raise
                self._offsets[key] = offset
            os.fsync(self._file)  # outside the lock: the disk takes several at once
        except OSError as error:
            raise self._refused(error) from error

    def _claim(self) -> None:
        """Two writers would take each other's half lines for broken ones."""
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError("llm.journal_in_use", path=str(self.path)) from error

    def _scan(self) -> None:
        """Index the records; drop what a killed process left at the end."""
        offset = whole = 0
        with self.path.open("rb") as lines:
            for line in lines:
                found = _record(line)
                if found is None:
                    self.dropped += 1
                else:
                    self._offsets[found[0]] = offset
                    whole = offset + len(line)
                offset += len(line)
                if line.endswith(b"\n"):
                    whole = offset
        if whole < offset:
            os.ftruncate(self._file, whole)

    def _refused(self, error: OSError) -> OutputError:
        return OutputError(
            "llm.journal_refused", path=str(self.path), detail=error.strerror or str(error)
        )


def _record(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """Key and record of a line, or ``None`` where it is not whole."""
    if not line.endswith(b"\n") or line[8:9] != b" ":
        return None
    raw = line[9:-1]
    try:
        if int(line[:8], 16) != zlib.crc32(raw):
            return None
        key, record = json.loads(raw)
    except (ValueError, TypeError):
        return None
    return (key, record) if isinstance(key, str) and isinstance(record, dict) else None


def _line_at(file: int, offset: int) -> bytes:
    """The line that begins at an offset."""
    os.lseek(file, offset, os.SEEK_SET)
    parts: list[bytes] = []
    while piece := os.read(file, 65_536):
        end = piece.find(b"\n")
        if end >= 0:
            parts.append(piece[: end + 1])
            break
        parts.append(piece)
    return b"".join(parts)


def _write_all(file: int, line: bytes) -> None:
    """Write a line; the system may take it in parts."""
    left = memoryview(line)
    while left:
        left = left[os.write(file, left) :]
