"""Which character encoding a text file has, found by decoding all of it once."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from tagcf.errors import DataError, SettingsError

_CHUNK = 1 << 22  # bytes decoded at a time
_SHOWN = 40  # bytes of a line that an error shows
_WINDOW = 1 << 16  # bytes looked at when UTF-8 has failed


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading its content; ``.gz`` is unpacked on the way."""
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


def detect_encoding(path: Path, wanted: str = "auto") -> str:
    """Return the encoding of a text file.

    ``auto`` means UTF-8 (with or without byte order mark), UTF-16 with one, else GB18030
    if the text then consists of everyday Chinese characters.

    Raises
    ------
    SettingsError
        `wanted` is not an encoding.
    DataError
        The bytes do not fit (with the offset of the first that does not), or the gzip
        archive is cut off or broken.
    """
    if wanted != "auto":
        try:
            codecs.lookup(wanted)
        except LookupError:
            raise SettingsError("data.unknown_encoding", name=wanted) from None
        offset = _first_undecodable(path, wanted)
        if offset is not None:
            raise _bad_bytes(path, offset, wanted)
        return wanted
    with open_bytes(path) as file:
        start = b"".join(_chunks(file, path, limit=2))
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return detect_encoding(path, "utf-16")
    offset = _first_undecodable(path, "utf-8")
    if offset is None:
        return "utf-8"
    if _looks_chinese(_window(path, offset)) and _first_undecodable(path, "gb18030") is None:
        return "gb18030"
    raise _bad_bytes(path, offset, "utf-8")


def _chunks(file: BinaryIO, path: Path, limit: int | None = None) -> Iterator[bytes]:
    """Yield the content block by block, with errors of the archive put into words."""
    try:
        while chunk := file.read(limit or _CHUNK):
            yield chunk
            if limit is not None:
                return
    except EOFError:
        raise DataError("data.truncated_gzip", path=path) from None
    except (gzip.BadGzipFile, zlib.error) as broken:
        raise DataError("data.broken_gzip", path=path, detail=broken) from broken


def _first_undecodable(path: Path, encoding: str) -> int | None:
    """Offset of the first byte (of the unpacked content) that is not `encoding`."""
    decoder = codecs.getincrementaldecoder(encoding)()
    position = 0
    with open_bytes(path) as file:
        for chunk in _chunks(file, path):
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as wrong:
                return position - pending + wrong.start
            position += len(chunk)
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return position - pending
    return None


def _bad_bytes(path: Path, offset: int, encoding: str) -> DataError:
    """Name the line of a byte that does not fit, and how it starts: mostly with an id."""
    line, begin, position = 1, 0, 0
    with open_bytes(path) as file:
        while position < offset and (chunk := file.read(min(_CHUNK, offset - position))):
            line += chunk.count(b"\n")
            last = chunk.rfind(b"\n")
            begin = position + last + 1 if last >= 0 else begin
            position += len(chunk)
        file.seek(begin, io.SEEK_SET)
        start = file.read(min(_SHOWN, offset - begin)).decode(encoding, "ignore").strip()
    facts = {"line": line, "start": start.lstrip("\ufeff")}
    key = "data.bad_bytes" if facts["start"] else "data.bad_bytes_first"
    return DataError(key, path=path, offset=offset, encoding=encoding, **facts)


def _window(path: Path, offset: int) -> bytes:
    """Bytes around the first one that is not UTF-8, from the start of a line."""
    with open_bytes(path) as file:
        file.seek(max(0, offset - _WINDOW // 2), io.SEEK_SET)
        block = file.read(_WINDOW)
    return block if offset < _WINDOW // 2 else block.partition(b"\n")[2]


def _looks_chinese(block: bytes) -> bool:
    """Tell GBK text from UTF-8 with a flaw and from Latin-1.

    Nearly all Chinese text is made of the 3,755 everyday characters of GB 2312 (lead bytes
    B0 to D7) and its punctuation (A1 to A3); bytes of UTF-8 or Latin-1 text rarely fall there.
    """
    wide = [char for char in block.decode("gb18030", "replace") if char > "\x7f"]
    everyday = sum(1 for char in wide if _is_everyday(char))
    return everyday * 10 >= len(wide) * 7


def _is_everyday(char: str) -> bool:
    try:
        lead = char.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    return 0xB0 <= lead <= 0xD7 or 0xA1 <= lead <= 0xA3
