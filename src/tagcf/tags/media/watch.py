"""One pass over the pictures of a media file: all that is measured, and the stills kept.

A video is decoded once, a huge one in stretches. Every frame is compared with those before it, a
few a second are measured, and where the picture has changed a still is packed for reading words and
for models. Memory is bounded: at most `_MOST_STILLS` packed pictures and some numbers per frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tagcf.tags.media.look import (
    Colours,
    Look,
    changed_most,
    colours_of,
    distance,
    look_at,
)
from tagcf.tags.media.opened import Media, SecondsSeen
from tagcf.tags.media.pictures import (
    Picture,
    from_jpeg,
    picture_of,
    to_jpeg,
    upright_size,
)
from tagcf.tags.media.shots import Changes

THUMB_SIDE = 160  # pixels
STILL_SIDE = 1280
_LOOK_EVERY = 0.2  # seconds
_STILL_EVERY = 0.5
_MOST_STILLS = 48  # about 10 MB packed
_NEW_PICTURE = 0.05  # change of brightness in one square that makes another still


@dataclass(frozen=True, slots=True)
class Still:
    """A packed picture and the time for which it, or much the same, is on show."""

    second: float
    until: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Watched:
    """What one pass found; an image is a video of one frame."""

    width: int  # as people see it; 0 when nothing could be decoded
    height: int
    end: float  # second up to which frames were seen
    seen_s: float  # of them; less than `end` where only stretches were decoded
    changes: Changes
    looks: tuple[Look, ...]
    stills: tuple[Still, ...]


def watch(media: Media) -> Watched:
    """Walk through all pictures of a file."""
    size, end, thumb_before = (0, 0), 0.0, None
    compared, kept, seen = _Compared(), _Kept(), SecondsSeen()
    quality = 97 if media.kind == "image" else 92
    looks: list[Look] = []
    for one in media.decode_video():
        second, frame = one.second, one.frame
        size = size if looks else upright_size(frame)
        thumb = picture_of(frame, THUMB_SIDE)
        if not seen.add(one):  # what changed while nobody looked is neither cut nor movement
            compared.last.clear()
            thumb_before = None
        compared.add(second, colours_of(thumb))
        if not looks or second >= looks[-1].second + _LOOK_EVERY - 1e-6:
            looks.append(look_at(thumb, second, thumb_before))
            thumb_before = thumb
        if kept.wants(second, thumb):
            kept.add(second, thumb, to_jpeg(picture_of(frame, STILL_SIDE), quality))
        end = second
    if media.kind == "video" and "video" not in media.faults:
        end = max(end, media.read_s)
    sampled = "video" in media.faults and media.faults["video"].key == "media.sampled"
    seen_s = seen.seconds if sampled else end
    return Watched(*size, end, seen_s, compared.changes(), tuple(looks), kept.stills(end))


def evenly(stills: Sequence[Still], most: int) -> tuple[Still, ...]:
    """At most so many stills, the first among them, spread evenly over all."""
    if len(stills) <= most:
        return tuple(stills)
    return tuple(stills[k * len(stills) // most] for k in range(most))


def keyframes(media: Media, count: int = 8, side: int = 768) -> tuple[tuple[float, bytes], ...]:
    """Pictures for a model to look at: (second, JPEG), at most `count`, all different.

    Raises
    ------
    MediaError
        The file cannot be read.
    """
    chosen = evenly(media.watched().stills, count)
    return tuple((still.second, to_jpeg(from_jpeg(still.jpeg, side), 85)) for still in chosen)


@dataclass(slots=True)
class _Compared:
    """Distances of each frame to the three before it."""

    last: deque[Colours] = field(default_factory=lambda: deque(maxlen=3))
    rows: list[tuple[float, float, float, float]] = field(default_factory=list)

    def add(self, second: float, colours: Colours) -> None:
        near = [distance(colours, before) for before in self.last]
        one, two, three = (near + [np.nan] * 3)[:3]
        self.rows.append((second, one, two, three))
        self.last.appendleft(colours)

    def changes(self) -> Changes:
        table = np.array(self.rows, np.float64).reshape(-1, 4)
        return Changes(*table.T)


@dataclass(slots=True)
class _Kept:
    """Stills so far; when there are too many, every second one goes and fewer are taken."""

    apart: float = _STILL_EVERY
    thumb: Picture | None = None
    packed: list[tuple[float, bytes]] = field(default_factory=list)

    def wants(self, second: float, thumb: Picture) -> bool:
        if self.thumb is None:
            return True
        enough = second >= self.packed[-1][0] + self.apart - 1e-6
        return enough and changed_most(thumb, self.thumb) >= _NEW_PICTURE

    def add(self, second: float, thumb: Picture, jpeg: bytes) -> None:
        self.packed.append((second, jpeg))
        self.thumb = thumb
        if len(self.packed) > _MOST_STILLS:
            del self.packed[1::2]
            self.apart *= 2

    def stills(self, end: float) -> tuple[Still, ...]:
        ends = [*(second for second, _ in self.packed[1:]), end]
        return tuple(
            Still(second, until, jpeg)
            for (second, jpeg), until in zip(self.packed, ends, strict=False)
        )
