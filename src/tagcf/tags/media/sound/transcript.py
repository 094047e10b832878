"""What somebody says, with the seconds of every word: faster-whisper on the stretches of speech.

Whisper writes fluent sentences over music and noise, too, and falls into loops. So it only hears
what the voice detector took for speech; passages are dropped that it doubts itself (mean log
probability below -1, or more likely no speech), that compress too well (ratio above 2.4: a loop;
both thresholds are those of Radford and others 2022, section 4.5), and runs of the same words are
cut to one. It decodes at temperature 0: the same sound gives the same words. It mixes traditional
characters into Chinese; they are made simplified, as the vocabulary is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from tagcf.tags.media.opened import Media
from tagcf.tags.media.sound.listened import samples_of
from tagcf.tags.media.sound.prosody import Span
from tagcf.tags.media.sound.spectrum import RATE, Samples
from tagcf.tags.media.sound.voice import spoken
from tagcf.tags.media.sound.whisper import speech_model

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from opencc import OpenCC

CHINESE = ("zh", "yue")

STRETCH_S = 28.0  # Whisper hears thirty seconds at a time, and `AROUND_S` is added twice
LONGEST_S = 120.0  # speech without a pause is cut here
PAUSE_S = 2.0  # longer pauses are not heard
AROUND_S = 0.5  # of sound on both sides: without it the first and last word are often missed
WORST_LOG = -1.0  # mean log probability of the words
NO_SPEECH = 0.6  # probability that nobody speaks
TIGHTEST = 2.4  # compression ratio
TIMES, LOOP_WORDS = 3, 8  # so many repeats in a row of up to so many words are a loop
SURE = 0.5  # probability of the language

_HEARD: WeakKeyDictionary[Media, dict[Path | None, Transcript]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word; Chinese is cut into words of one or more characters."""

    text: str  # with the space that stands before it
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """Words in a row."""

    words: tuple[SpokenWord, ...]

    @property
    def text(self) -> str:
        """What is said."""
        return "".join(word.text for word in self.words).strip()

    @property
    def confidence(self) -> float:
        """Mean probability of the words."""
        return float(np.mean([word.probability for word in self.words]))


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that is said in a sound."""

    language: str  # code, as "zh"; empty: nobody speaks
    language_probability: float
    utterances: tuple[Utterance, ...]
    dropped: int  # passages that were doubtful or a loop

    @property
    def text(self) -> str:
        """One utterance a line."""
        return "\n".join(utterance.text for utterance in self.utterances)


def transcript(media: Media, weights: Path | None = None) -> Transcript:
    """Write down what is said in a media file; done once for each.

    Parameters
    ----------
    media
        The file.
    weights
        Folder of a Whisper model converted for CTranslate2; default: that of the installed
        packages.

    Raises
    ------
    MissingExtraError
        Model, weights or voice detector are not installed.
    """
    kept = _HEARD.setdefault(media, {})
    if weights not in kept:
        model = speech_model(weights)
        kept[weights] = written_down(model, samples_of(media), spoken(media))
    return kept[weights]


def written_down(model: WhisperModel, samples: Samples, spans: Sequence[Span]) -> Transcript:
    """Transcribe the spans of (n,) samples, 16,000 a second.

    The longest stretch tells the language of all.
    """
    utterances: list[Utterance] = []
    language, sure, dropped = "", 0.0, 0
    for begin, finish in sorted(stretches(spans), key=lambda span: span[0] - span[1]):
        start, end = max(begin - AROUND_S, 0.0), finish + AROUND_S
        found, told = model.transcribe(
            samples[round(start * RATE) : round(end * RATE)],
            language=language or None,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            compression_ratio_threshold=TIGHTEST,
            log_prob_threshold=WORST_LOG,
            no_speech_threshold=NO_SPEECH,
            word_timestamps=True,
            max_new_tokens=min(32 + round(12 * (end - start)), 220),
        )
        if not language:
            language, sure = str(told.language), float(told.language_probability)
            if sure < SURE:
                break
        for segment in found:
            words = () if _doubtful(segment) else without_loops(_words(segment, start, language))
            words = tuple(word for word in words if begin - AROUND_S / 2 <= word.start_s < finish)
            if words:
                utterances.append(Utterance(words))
            else:
                dropped += 1
    in_time = sorted(utterances, key=lambda one: one.words[0].start_s)
    return Transcript(language, sure, tuple(in_time), dropped)


def stretches(spans: Sequence[Span]) -> list[Span]:
    """Spans joined over short pauses as long as they stay below half a minute; long ones cut."""
    pieces = [
        (float(from_s), float(to_s))
        for start, end in spans
        for from_s, to_s in pairwise([*np.arange(start, end, LONGEST_S), end])
    ]
    joined: list[Span] = []
    for start, end in pieces:
        if joined and start - joined[-1][1] <= PAUSE_S and end - joined[-1][0] <= STRETCH_S:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def without_loops(words: Sequence[SpokenWord]) -> tuple[SpokenWord, ...]:
    """Words with every run of the same one to eight words, three times or more, kept once."""
    kept = list(words)
    texts = [word.text.strip().casefold() for word in kept]
    for size in range(1, LOOP_WORDS + 1):
        place = 0
        while place + size * TIMES <= len(kept):
            unit, end = texts[place : place + size], place + size
            while texts[end : end + size] == unit:
                end += size
            if end - place >= size * TIMES:
                del kept[place + size : end], texts[place + size : end]
            place += 1
    return tuple(kept)


def _doubtful(segment: Any) -> bool:
    loop = segment.compression_ratio > TIGHTEST
    nobody = segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < WORST_LOG / 2
    return bool(loop or nobody or segment.avg_logprob < WORST_LOG)


def _words(segment: Any, start: float, language: str) -> tuple[SpokenWord, ...]:
    written = _simplified().convert if language in CHINESE else str
    return tuple(
        SpokenWord(
            text=written(word.word),
            start_s=round(start + float(word.start), 3),
            end_s=round(start + float(word.end), 3),
            probability=float(word.probability),
        )
        for word in segment.words or ()
    )


@cache
def _simplified() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")
