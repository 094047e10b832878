"""Width and height that the first bytes of a picture claim, read before anything is unpacked."""

from __future__ import annotations

import struct

LOOKED_AT = 1 << 20  # bytes; a JPEG may carry a preview and colour tables before its size
_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # start-of-frame markers (ITU T.81, table B.1)
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length


def claimed_size(head: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG (its IHDR) or JPEG (its SOF); None for anything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    if head.startswith(b"\xff\xd8"):
        return _of_jpeg(head)
    return None


def _of_jpeg(head: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(head) and head[place] == 0xFF:
        marker = head[place + 1]
        if marker == 0xFF:  # filling
            place += 1
        elif marker in _ALONE:
            place += 2
        elif marker in _SIZES:
            height, width = struct.unpack(">HH", head[place + 5 : place + 9])
            return width, height
        else:
            place += 2 + int.from_bytes(head[place + 2 : place + 4], "big")
    return None
