"""What a file holds, told apart cheaply: copies and touched files are the same, edited ones not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tagcf.data.files import locate
from tagcf.data.workspace import Workspace

_WHOLE = 64 << 20  # bytes up to which every one is read
_SAMPLES, _BLOCK = 256, 64 << 10  # of larger files: blocks, evenly spread, and their size


def tables_content(workspace: Workspace, names: Iterable[str]) -> str:
    """Short hash of the contents of tables of a workspace; empty where there is none."""
    found = (locate(workspace.root, name) for name in names)
    return files_content(part for path in found if path is not None for part in members(path))


def files_content(paths: Iterable[Path]) -> str:
    """Short hash of contents, in the order given; empty where none of the files is there.

    Files above 64 MB are read in part: their size, and 256 blocks of 64 KB from first to last.
    """
    digests = [_content(path) for path in paths if path.is_file()]
    return hashlib.blake2b(b"".join(digests), digest_size=8).hexdigest() if digests else ""


def members(path: Path) -> list[Path]:
    """Files of a table: the parts of a folder, or the file itself."""
    return sorted(path.rglob("*.parquet")) if path.is_dir() else [path]


def _content(path: Path) -> bytes:
    size = path.stat().st_size
    digest = hashlib.blake2b(size.to_bytes(8), digest_size=16)
    with path.open("rb") as file:
        if size <= _WHOLE:
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.digest()
        for k in range(_SAMPLES):
            file.seek(k * (size - _BLOCK) // (_SAMPLES - 1))
            digest.update(file.read(_BLOCK))
    return digest.digest()
