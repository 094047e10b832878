"""The sound of an item, or why there is none; measured once for all encoders that ask."""

from __future__ import annotations

import numpy as np

from tagcf.errors import MediaError, MissingExtraError, TagCFError
from tagcf.tags.evidence import Content, Missing
from tagcf.tags.media.opened import Media
from tagcf.tags.media.sound.measures import Heard, measure_sound
from tagcf.tags.media.sound.spectrum import Samples
from tagcf.types import Reason

_LOUDEST = 8.0  # full scale is 1; decoders overshoot, but not to this


def sound_of(content: Content, source: str) -> Media | Missing:
    """Return the media of an item if it has sound that can be decoded, else what is missing."""
    media = content.media
    if media is None:
        return Missing(source, Reason("sound.no_media"))
    try:
        if not media.has_audio:
            return Missing(source, Reason("sound.no_track", (("path", str(media.path)),)))
        if not len(media.audio()):
            path = (("path", str(media.path)),)
            return Missing(source, media.faults.get("audio", Reason("sound.no_track", path)))
    except (MediaError, MissingExtraError) as error:
        return Missing(source, why(error))
    return media


def heard(media: Media) -> Heard:
    """Measures of a sound; made once for each media until it is closed."""
    if media.heard is None:
        media.heard = measure_sound(samples_of(media))
    return media.heard


def samples_of(media: Media) -> Samples:
    """Return (n,) samples fit to calculate with: files of floats may hold anything."""
    samples = media.audio()
    if len(samples) and not np.abs(samples).max() <= _LOUDEST:  # not a number is no less, either
        samples = np.clip(np.nan_to_num(samples), -1, 1)
    return samples


def why(error: TagCFError) -> Reason:
    """Return an error as the reason of something missing."""
    facts = {
        name: fact if isinstance(fact, str | int | float) else str(fact)
        for name, fact in error.facts.items()
    }
    return Reason(error.key, tuple(facts.items()))
