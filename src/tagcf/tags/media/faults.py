"""Why a track of a file was not read to its end, put into a reason."""

from __future__ import annotations

from pathlib import Path

from tagcf.tags.media.container import MOST_MOVING, Facts, Progress
from tagcf.types import Reason

_GAP = 0.7  # seconds that a whole file may end before the duration in its head
Told = tuple[str, tuple[tuple[str, str | int | float], ...]]  # key and facts of a reason

_TOO_LONG = ("media.too_long", "media.longer")


def fault_of(path: Path, facts: Facts, progress: Progress, longest_s: float) -> Reason | None:
    """Say what of a track is lost; None where all of it was read."""
    told = _nothing(progress) or _a_part(facts, progress, longest_s)
    return None if told is None else Reason(told[0], (("path", str(path)), *told[1]))


def _nothing(progress: Progress) -> Told | None:
    """Why no frame came out."""
    if progress.too_big is not None:
        width, height = progress.too_big
        return "media.too_big", (("width", width), ("height", height), ("most", MOST_MOVING))
    if progress.no_decoder:
        return "media.no_decoder", (("codec", progress.no_decoder),)
    return None if progress.frames else ("media.nothing_decoded", ())


def _a_part(facts: Facts, progress: Progress, longest_s: float) -> Told | None:
    """Why some of the frames did not."""
    whole, limit = ("whole", round(facts.duration, 1)), ("read", round(longest_s, 1))
    if progress.reached < min(facts.duration, longest_s) - _GAP:
        return "media.cut_short", (("read", round(progress.reached, 1)), whole)
    if facts.open_end:
        return "media.longer", (limit,)
    if facts.duration > longest_s + _GAP:
        return "media.too_long", (limit, whole)
    return ("media.damaged", (("count", progress.damaged),)) if progress.damaged else None


def sampled(path: Path, facts: Facts, longest_s: float, seen_s: float, stretches: int) -> Reason:
    """Say how much was looked at of pictures too large or too many for one item."""
    size = (("width", facts.width), ("height", facts.height), ("rate", round(facts.rate, 1)))
    seen = (("seconds", round(seen_s, 1)), ("count", stretches))
    spread = ("read", round(min(facts.duration, longest_s), 1))
    return Reason("media.sampled", (("path", str(path)), *size, *seen, spread))


def says_more(fault: Reason | None) -> bool:
    """Whether a fault tells something that `sampled` does not."""
    return fault is not None and fault.key not in _TOO_LONG
