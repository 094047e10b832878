"""What is measured of the pictures of an item: pace, movement, light and colour over its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tagcf.errors import MediaError, MissingExtraError
from tagcf.tags.evidence import Content, Missing
from tagcf.tags.media.look import Look
from tagcf.tags.media.opened import Media
from tagcf.tags.media.shots import cut_seconds
from tagcf.tags.media.sound.listened import why
from tagcf.tags.media.watch import Watched
from tagcf.types import Reason

_STILL = 0.01  # share of changed pixels below which a picture stands still
_GREY = 12.0  # colourfulness below which there is no colour to speak of
_NIGHT = (0.5, 0.002, 0.2)  # least share of dark pixels; least and most of lights
_WIDEST_GAP = 0.45  # seconds between looks above which movement says nothing
_GREYSCALE_TONES = 0.05  # contrast from which there is a picture at all


@dataclass(frozen=True, slots=True)
class Measure:
    """A value and the time it stands for; a look that is typical of it has its own second twice."""

    value: float
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """Measures of the pictures of one item; `None` for what an image or a short clip has not.

    Light and colour are medians over looks 0.2 s apart; shares of time count looks.
    """

    video: bool
    width: int
    height: int
    cuts: tuple[float, ...]  # seconds of the first frames of new shots
    seen_s: Measure | None  # seconds that were looked at: all, or stretches of a huge file
    cuts_per_minute: Measure | None
    mean_shot_s: Measure | None  # a video without a cut is one shot
    motion: Measure | None  # share of pixels that change within 0.2 s
    still_share: Measure | None  # share of the time in which the picture stands still
    shots: Measure | None
    brightness: Measure
    contrast: Measure
    colourfulness: Measure
    warm: Measure
    cool: Measure
    hue: Measure | None  # degrees, where it is brightest in colour
    grey_share: Measure  # share of the time without colours
    night_share: Measure  # share of the time that is dark with lights in it
    upright: Measure  # height over width


def watched_of(content: Content, source: str) -> Media | Missing:
    """Return the media of an item if its pictures can be decoded, else what is missing."""
    media = content.media
    if media is None:
        return Missing(source, Reason("media.no_file"))
    path = (("path", str(media.path)),)
    try:
        if not media.has_video:
            return Missing(source, Reason("media.no_pictures", path))
        if not media.watched().looks:
            reason = media.faults.get("video", Reason("media.nothing_decoded", path))
            return Missing(source, reason)
    except (MediaError, MissingExtraError) as error:
        return Missing(source, why(error))
    return media


def unread(media: Media, source: str) -> tuple[Missing, ...]:
    """Say what of the pictures could not be read, if there is such a part."""
    return (Missing(source, media.faults["video"]),) if "video" in media.faults else ()


def measure_pictures(watched: Watched, *, video: bool) -> Seen:
    """Sum up what was watched; there must be one look at least."""
    looks, cuts = watched.looks, cut_seconds(watched.changes)
    span, seconds = (0.0, watched.end), watched.seen_s
    moving = _between_cuts(looks, cuts) if video else ()
    motions = [look.motion for look in moving]
    timed = video and seconds > 0
    still = float(np.mean(np.array(motions) < _STILL)) if motions else 0.0
    return Seen(
        video=video,
        width=watched.width,
        height=watched.height,
        cuts=cuts,
        seen_s=Measure(seconds, *span) if video else None,
        cuts_per_minute=Measure(60 * len(cuts) / seconds, *span) if timed else None,
        mean_shot_s=Measure(seconds / (len(cuts) + 1), *span) if timed else None,
        motion=_typical(moving, lambda look: look.motion) if motions else None,
        still_share=Measure(still, *span) if motions else None,
        shots=Measure(len(cuts) + 1, *span) if video else None,
        brightness=_typical(looks, lambda look: look.brightness),
        contrast=_typical(looks, lambda look: look.contrast),
        colourfulness=_typical(looks, lambda look: look.colourfulness),
        warm=_typical(looks, lambda look: look.warm),
        cool=_typical(looks, lambda look: look.cool),
        hue=_main_hue(looks),
        grey_share=_share(looks, _without_colour),
        night_share=_share(looks, _at_night),
        upright=Measure(watched.height / max(watched.width, 1)),
    )


def _between_cuts(looks: tuple[Look, ...], cuts: tuple[float, ...]) -> tuple[Look, ...]:
    """Looks whose change since the one before is movement within a shot."""
    seconds = np.array([look.second for look in looks])
    shot = np.searchsorted(np.array(cuts), seconds + 1e-6)
    near = np.diff(seconds, prepend=-np.inf) <= _WIDEST_GAP
    same = np.diff(shot, prepend=-1) == 0
    return tuple(
        look for look, use in zip(looks, near & same, strict=True) if use and look.motion >= 0
    )


def _typical(looks: tuple[Look, ...], of: Callable[[Look], float]) -> Measure:
    """Median over looks, and the second of the look that is nearest to it."""
    values = np.array([of(look) for look in looks])
    middle = float(np.median(values))
    second = looks[int(np.argmin(np.abs(values - middle)))].second
    return Measure(middle, second, second)


def _share(looks: tuple[Look, ...], applies: Callable[[Look], bool]) -> Measure:
    """Share of looks to which something applies, and the first second at which it does."""
    having = [look.second for look in looks if applies(look)]
    second = having[0] if having else None
    return Measure(len(having) / len(looks), second, second)


def _main_hue(looks: tuple[Look, ...]) -> Measure | None:
    """Hue of the look that is most colourful."""
    coloured = [look for look in looks if look.hue >= 0]
    if not coloured:
        return None
    most = max(coloured, key=lambda look: look.colourfulness)
    return Measure(most.hue, most.second, most.second)


def _without_colour(look: Look) -> bool:
    return look.colourfulness < _GREY and look.contrast >= _GREYSCALE_TONES


def _at_night(look: Look) -> bool:
    dark, fewest, most = _NIGHT
    return look.dark >= dark and fewest <= look.lights <= most
