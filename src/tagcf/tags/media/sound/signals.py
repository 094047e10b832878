"""Encoders of what is measured in a sound: its pace and quiet, and the tone of voice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.errors import MissingExtraError
from tagcf.tags.evidence import Content, Missing, Reading
from tagcf.tags.media.opened import Media
from tagcf.tags.media.sound.kind import length, share_of, sound_kinds
from tagcf.tags.media.sound.listened import heard, sound_of, why
from tagcf.tags.media.sound.loudness import decibels
from tagcf.tags.media.sound.measures import Heard, SoundMeasures
from tagcf.tags.media.sound.prosody import Span, covered, prosody
from tagcf.tags.media.sound.rules import found_in_sound
from tagcf.tags.media.sound.voice import spoken
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Reason


@dataclass(frozen=True, slots=True)
class Sound:
    """The encoder of signals: needs no weights, and asks more where the small models are."""

    source: str = "sound"

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Tag one item by the stated rules."""
        media = sound_of(content, self.source)
        if isinstance(media, Missing):
            return Reading(missing=(media,))
        measured = measured_in(media)
        whole = (0.0, heard(media).measures.duration_s)
        found = found_in_sound(self.source, measured, vocabulary, whole)
        fault = media.faults.get("audio")  # broken off: what was heard before counts
        return Reading(found, (Missing(self.source, fault),) if fault else ())


@dataclass(frozen=True, slots=True)
class VoiceTone:
    """The encoder of the tone of voice (语音语调): prosody where somebody speaks.

    Who speaks is not guessed: pitch says little about age and sex of one person, and these are
    nobody's business. Feelings are not guessed either; prosody alone tells them badly.
    """

    least_s: float = 5.0  # seconds of speech below which nothing is said
    most_music: float = 0.3  # share of the speech that may have music under it
    source: str = "voice-tone"

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Tag one item by how its speakers speak."""
        media = sound_of(content, self.source)
        if isinstance(media, Missing):
            return Reading(missing=(media,))
        try:
            spans = spoken(media)
        except MissingExtraError as error:
            return Reading(missing=(Missing(self.source, why(error)),))
        reason = self._too_little(spans, media)
        if reason is not None:
            return Reading(missing=(Missing(self.source, reason),))
        longest = max(spans, key=lambda span: span[1] - span[0])
        measured = measured_in(media)
        return Reading(found=found_in_sound(self.source, measured, vocabulary, longest))

    def _too_little(self, spans: tuple[Span, ...], media: Media) -> Reason | None:
        seconds = length(spans)
        if seconds < self.least_s:
            facts = (("seconds", f"{seconds:.1f}"), ("least", f"{self.least_s:g}"))
            return Reason("sound.too_little_speech", facts)
        try:
            music = sound_kinds(media).music
        except MissingExtraError:
            return None
        frames = len(heard(media).frames)
        speech = covered(spans, frames)
        if (speech & covered(music, frames)).sum() > self.most_music * speech.sum():
            return Reason("sound.music_under_speech")
        return None


@dataclass(frozen=True, slots=True)
class NaturalSound:
    """The place of natural sound (自然音效): no weights that hear it can be had offline.

    Rain and applause cannot be told from noise by level and spectrum, so nothing is guessed.
    """

    source: str = "natural-sound"

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Say that it was not listened for."""
        del vocabulary
        media = sound_of(content, self.source)
        if isinstance(media, Missing):
            return Reading(missing=(media,))
        return Reading(missing=(Missing(self.source, Reason("sound.no_natural_sound")),))


def measured_in(media: Media) -> dict[str, float | None]:
    """Every measure that a rule may name; None where it could not be taken."""
    sound = heard(media)
    measured = named(sound.measures)
    try:
        measured |= _of_speech(sound, spoken(media))
    except MissingExtraError:
        measured |= {"spoken_share": None}
    try:
        kinds = sound_kinds(media)
        measured["music_share"] = share_of(kinds.music, kinds.duration_s)
        measured["singing_share"] = share_of(kinds.singing, kinds.duration_s)
    except MissingExtraError:
        measured |= {"music_share": None, "singing_share": None}
    return measured


def named(measures: SoundMeasures) -> dict[str, float | None]:
    """Measures of a whole sound by name."""
    beat, voice = measures.tempo, measures.voice
    return {
        "duration_s": measures.duration_s,
        "rms_dbfs": measures.rms_dbfs,
        "level_range_db": measures.level_range_db,
        "loudness_lufs": measures.loudness_lufs,
        "loudness_range_lu": measures.loudness_range_lu,
        "silence_share": measures.silence_share,
        "tempo_bpm": beat.bpm if beat else None,
        "tempo_bpm_other": beat.other_bpm if beat else None,
        "tempo_confidence": beat.confidence if beat else 0.0,
        "onsets_per_s": measures.onsets_per_s,
        "brightness_hz": measures.brightness_hz,
        "flatness": measures.flatness,
        "sounding_s": voice.sounding_s,
        "voiced_share": voice.voiced_share,
        "pitch_hz": voice.pitch_hz,
        "pitch_spread": voice.pitch_spread,
        "syllables_per_s": voice.syllables_per_s,
    }


def _of_speech(sound: Heard, spans: tuple[Span, ...]) -> dict[str, float | None]:
    voice = prosody(sound.frames, spans)
    speech = covered(spans, len(sound.frames))
    level = decibels(sound.frames.power[speech].astype(np.float64))
    loud = level[level > level.max() - 40] if len(level) else level
    spread = float(np.subtract(*np.percentile(loud, [90, 10]))) if len(loud) else None
    return {
        "spoken_s": length(spans),
        "spoken_share": share_of(spans, sound.measures.duration_s),
        "spoken_pitch_hz": voice.pitch_hz,
        "spoken_pitch_spread": voice.pitch_spread,
        "spoken_syllables_per_s": voice.syllables_per_s,
        "spoken_level_range_db": spread,
    }
