"""Speech to tags: the transcript read by the text encoders, with the words and their seconds."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import polars as pl

from tagcf.errors import MissingExtraError
from tagcf.tags.encode import TextEncoder, default_encoders
from tagcf.tags.evidence import Content, Evidence, Found, Missing, Reading
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.lexis import plurals
from tagcf.tags.media.sound.listened import sound_of, why
from tagcf.tags.media.sound.transcript import SURE, SpokenWord, Transcript, Utterance, transcript
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Reason

PASSAGE_S = 10.0  # utterances are read together up to this: a sentence alone says little
_LETTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Speech:
    """The encoder of what is said.

    Parameters
    ----------
    using
        Text encoders that read the transcript; default: words, and meaning where installed.
    weights
        Folder of another Whisper model, converted for CTranslate2.
    """

    using: Sequence[TextEncoder] | None = None
    weights: Path | None = None
    source: str = "speech"

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Tag one item by what is said in it."""
        media = sound_of(content, self.source)
        if isinstance(media, Missing):
            return Reading(missing=(media,))
        try:
            said = transcript(media, self.weights)
        except MissingExtraError as error:
            return Reading(missing=(Missing(self.source, why(error)),))
        if not said.utterances:
            return Reading(missing=(Missing(self.source, _nothing_said(said)),))
        encoders = default_encoders() if self.using is None else self.using
        return Reading(found=tags_said(said, encoders, vocabulary, self.source))


def tags_said(
    said: Transcript, encoders: Sequence[TextEncoder], vocabulary: Vocabulary, source: str
) -> tuple[Found, ...]:
    """Tags of a transcript, each once with its best passage.

    Strength is that of the text encoder in that passage; confidence is its confidence times the
    mean probability that Whisper gives the words. The evidence is the word of the lexicon that
    stands for the tag, or else the passage.
    """
    spoken = passages(said.utterances)
    texts = pl.Series("text", [passage.text for passage in spoken], dtype=pl.String)
    best: dict[str, tuple[Found, int]] = {}
    for encoder in encoders:
        for row, tag, strength, confidence, _ in encoder.encode(texts, vocabulary).iter_rows():
            found = Found(tag, strength, confidence * spoken[row].confidence, source)
            if tag not in best or _worth(found) > _worth(best[tag][0]):
                best[tag] = (found, row)
    terms: dict[tuple[int, str], list[str]] = {}
    for row, tag, term in Lexicon().words(texts, vocabulary).iter_rows():
        terms.setdefault((row, tag), []).append(term)
    return tuple(
        replace(found, evidence=_evidence(spoken[row], terms.get((row, tag), [])))
        for tag, (found, row) in best.items()
    )


def passages(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Utterances joined to passages of about ten seconds."""
    joined: list[Utterance] = []
    for utterance in utterances:
        if joined and utterance.words[-1].end_s - joined[-1].words[0].start_s <= PASSAGE_S:
            joined[-1] = Utterance(joined[-1].words + utterance.words)
        else:
            joined.append(utterance)
    return joined


def _evidence(passage: Utterance, terms: Sequence[str]) -> Evidence:
    """Quote the first of the terms that is found among the words, else the whole passage."""
    words = next((found for term in terms if (found := _said(passage, term))), passage.words)
    return Evidence(Utterance(words).text, words[0].start_s, words[-1].end_s)


def _said(passage: Utterance, term: str) -> tuple[SpokenWord, ...]:
    """Words in which a term is said, with its plural or without; none if it is not."""
    letters = [_LETTERS.sub("", word.text.casefold()) for word in passage.words]
    ends = list(accumulate(map(len, letters)))
    text = "".join(letters)
    for form in reversed(plurals(term.casefold())):
        start = text.find(plain := _LETTERS.sub("", form))
        if plain and start >= 0:
            first = bisect.bisect_right(ends, start)
            return passage.words[first : bisect.bisect_left(ends, start + len(plain)) + 1]
    return ()


def _worth(found: Found) -> float:
    return found.strength * found.confidence


def _nothing_said(said: Transcript) -> Reason:
    if not said.language:
        return Reason("sound.nobody_speaks")
    if said.language_probability < SURE:
        return Reason("sound.language_unsure", (("language", said.language),))
    return Reason("sound.words_unsure", (("count", said.dropped),))
