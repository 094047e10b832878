"""Records on disk, one checksummed line each, appended whole: cache and resume in one.

A line is the CRC-32 of a JSON pair [key, record], a space, the pair and a line break. A process
killed while it writes leaves at most one line without its end; the next run finds it, drops it and
goes on. Every line is flushed to disk before its record counts as finished, so that a power cut
loses nothing either. In memory there are 16 bytes a record, whatever its size.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import zlib
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

from tagcf.errors import OutputError
from tagcf.tags.places import Places

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')  # of JSON


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
        self._places = Places()
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
        except OSError as error:
            os.close(self._file)
            raise self._refused(error) from error
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Records, of every key the newest."""
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return self._line(key) is not None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the newest record under a key."""
        text = self.text(key)
        return None if text is None else dict(json.loads(text))

    def text(self, key: str) -> bytes | None:
        """Return the newest record under a key, as JSON."""
        line = self._line(key)
        return None if line is None else line[9 + len(_head(key)) : -2]

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Write a record; when this returns, it is on disk.

        Raises
        ------
        OutputError
            It could not be written; the file is as it was before.
        """
        line = line_of(key, record)
        try:
            with self._lock:
                offset = os.fstat(self._file).st_size
                try:
                    _write_all(self._file, line)
                except OSError:
                    os.ftruncate(self._file, offset)
                    raise
                self._places.add(_short(key), offset)
            os.fsync(self._file)  # outside the lock: the disk takes several at once
        except OSError as error:
            raise self._refused(error) from error

    def _line(self, key: str) -> bytes | None:
        """The newest line of a key; of another key of the same hash, none."""
        with self._lock:
            offset = self._places.find(_short(key))
        if offset is None:
            return None
        line = _line_at(self._file, offset)
        return line if line[9:].startswith(_head(key)) and _is_whole(line) else None

    def _claim(self) -> None:
        """Two writers would take each other's half lines for broken ones."""
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError("tags.journal_in_use", path=str(self.path)) from error

    def _scan(self) -> None:
        """Find the records; drop what a killed process left at the end."""
        offset = whole = 0
        with self.path.open("rb") as lines:
            for line in lines:
                key = _key_of(line)
                if key is None:
                    self.dropped += 1
                else:
                    self._places.add(_short(key), offset)
                offset += len(line)
                if line.endswith(b"\n"):
                    whole = offset
        if whole < offset:
            os.ftruncate(self._file, whole)

    def _refused(self, error: OSError) -> OutputError:
        detail = error.strerror or str(error)
        return OutputError("tags.journal_refused", path=str(self.path), detail=detail)


def line_of(key: str, record: dict[str, Any]) -> bytes:
    """Return a record as it stands in the file."""
    text = json.dumps(record, ensure_ascii=True, separators=(",", ":"))
    raw = _head(key) + text.encode("ascii") + b"]"
    return b"%08x %s\n" % (zlib.crc32(raw), raw)


def _head(key: str) -> bytes:
    return f"[{json.dumps(key)},".encode("ascii")


def _short(key: str) -> int:
    """64 bits of a key: two of a million share theirs once in forty million journals."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little")


def _is_whole(line: bytes) -> bool:
    if not line.endswith(b"]\n") or line[8:9] != b" ":
        return False
    try:
        return int(line[:8], 16) == zlib.crc32(memoryview(line)[9:-1])
    except ValueError:
        return False


def _key_of(line: bytes) -> str | None:
    """Key of a line, or ``None`` where it is not whole."""
    if not _is_whole(line) or line[9:10] != b"[":
        return None
    key = _STRING.match(line, 10)
    return None if key is None else str(json.loads(key[0]))


def _line_at(file: int, offset: int) -> bytes:
    """The line that begins at an offset."""
    parts: list[bytes] = []
    while piece := os.pread(file, 65_536, offset):
        end = piece.find(b"\n")
        if end >= 0:
            parts.append(piece[: end + 1])
            break
        parts.append(piece)
        offset += len(piece)
    return b"".join(parts)


def _write_all(file: int, line: bytes) -> None:
    """Write a line; the system may take it in parts."""
    left = memoryview(line)
    while left:
        left = left[os.write(file, left) :]
