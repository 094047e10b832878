"""Sound signals whose loudness, tempo, pitch and rate are known, for they are made here."""

import resource
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from tagcf.tags.media.opened import Media
from tagcf.tags.media.sound.loudness import k_weighting, loudness
from tagcf.tags.media.sound.measures import SoundMeasures, measure_sound
from tagcf.tags.media.sound.prosody import prosody
from tagcf.tags.media.sound.spectrum import HOP, RATE, STEP, sound_frames

Sound = NDArray[np.float32]


def seconds(duration: float) -> NDArray[np.float64]:
    return np.arange(round(duration * RATE)) / RATE


def sine(hertz: float, duration: float, dbfs: float = -20.0) -> Sound:
    """A tone whose peak is at `dbfs`."""
    return np.float32(10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * seconds(duration)))


def clicks(bpm: float, duration: float, first: float = 0.3) -> Sound:
    sound = np.zeros(round(duration * RATE))
    blip = 0.5 * np.sin(2 * np.pi * 1000 * seconds(0.05)) * np.exp(-seconds(0.05) / 0.006)
    for beat in np.arange(first, duration - 0.1, 60 / bpm):
        start = round(beat * RATE)
        sound[start : start + len(blip)] += blip
    return np.float32(sound)


def vowels(rate: float, duration: float, hertz: float = 120.0) -> Sound:
    """Syllables: pulses of a voice through formants, swelling `rate` times a second."""
    pulses = np.diff(np.floor(seconds(duration) * hertz), prepend=0)
    for formant in (700, 1200, 2600):
        radius = np.exp(-np.pi * 80 / RATE)
        turn = 2 * np.pi * formant / RATE
        pulses = signal.lfilter([1], [1, -2 * radius * np.cos(turn), radius**2], pulses)
    swell = (1 - np.cos(2 * np.pi * rate * seconds(duration))) / 2
    return np.float32(0.3 * pulses / np.abs(pulses).max() * swell)


def measured(sound: Sound) -> SoundMeasures:
    return measure_sound(sound).measures


def test_weighting_is_that_of_the_standard():
    """ITU-R BS.1770-4, annex 1, tables 1 and 2: coefficients at 48 kHz."""
    shelf, cut = k_weighting(48_000)
    table = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    assert shelf[:3] == pytest.approx(table, abs=1e-8)
    assert shelf[4:] == pytest.approx([-1.69065929318241, 0.73248077421585], abs=1e-8)
    assert cut == pytest.approx([1, -2, 1, 1, -1.99004745483398, 0.99007225036621], abs=1e-8)


@pytest.mark.parametrize("dbfs", [-10.0, -23.0, -36.0])
def test_loudness_of_a_tone(dbfs):
    """BS.1770-4: a 997 Hz sine at full scale in one channel reads -3.01 LKFS."""
    assert loudness(sine(997, 20, dbfs), RATE).integrated == pytest.approx(dbfs - 3.01, abs=0.1)


def test_quiet_parts_are_gated():
    """EBU Tech 3341, test case 3: 10 s at -36, 60 s at -23 and 10 s at -36 read as -23."""
    parts = [sine(1000, 10, -36), sine(1000, 60, -23), sine(1000, 10, -36)]
    assert loudness(np.concatenate(parts), RATE).integrated == pytest.approx(-26.01, abs=0.1)


@pytest.mark.parametrize(("loud", "quiet"), [(-20.0, -30.0), (-20.0, -15.0), (-40.0, -20.0)])
def test_loudness_range(loud, quiet):
    """EBU Tech 3342, test cases 1 to 3: 20 s at each of two levels; the range is their distance."""
    sound = np.concatenate([sine(1000, 20, loud), sine(1000, 20, quiet)])
    assert loudness(sound, RATE).range == pytest.approx(abs(loud - quiet), abs=1)


def test_levels():
    of = measured(np.concatenate([sine(440, 6, -6), np.zeros(2 * RATE, np.float32)]))
    assert of.peak_dbfs == pytest.approx(-6, abs=0.01)
    assert of.rms_dbfs == pytest.approx(-6 - 3.01 + 10 * np.log10(0.75), abs=0.01)
    assert of.silence_share == pytest.approx(0.25, abs=0.01)
    assert of.duration_s == 8
    steps = np.concatenate([sine(440, 4, level) for level in (-40, -30, -20)])
    assert measured(steps).level_range_db == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("bpm", [45, 60, 75, 90, 120, 128.5, 150])
def test_tempo_of_clicks(bpm):
    beat = measured(clicks(bpm, 20)).tempo
    assert beat.bpm == pytest.approx(bpm, rel=0.002)
    assert beat.confidence > 0.95
    assert measured(clicks(bpm, 20)).onsets_per_s == pytest.approx(bpm / 60, rel=0.1)


@pytest.mark.parametrize(("bpm", "heard", "other"), [(180, 90, 180), (200, 100, 200)])
def test_octave_nearer_to_120_is_given_and_the_other_named(bpm, heard, other):
    beat = measured(clicks(bpm, 20)).tempo
    assert beat.bpm == pytest.approx(heard, rel=0.002)
    assert beat.other_bpm == pytest.approx(other, rel=0.002)


def test_tempo_is_found_in_noise():
    rng = np.random.default_rng(3)
    noisy = clicks(96, 30) + rng.normal(0, 0.01, 30 * RATE).astype(np.float32)
    beat = measured(noisy).tempo
    assert beat.bpm == pytest.approx(96, rel=0.005)
    assert 0.3 < beat.confidence <= 1


def test_no_beat_no_confidence():
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 0.1, 30 * RATE).astype(np.float32)
    assert measured(noise).tempo is None or measured(noise).tempo.confidence < 0.2
    scattered = clicks(60, 30) * 0
    for start in np.sort(rng.uniform(0, 29, 40)):
        scattered += np.roll(clicks(1, 30, first=0.0), round(start * RATE))
    assert measured(scattered).tempo.confidence < 0.3
    assert measured(sine(440, 20)).tempo is None
    assert measured(clicks(120, 3)).tempo is None  # too short


@pytest.mark.parametrize("hertz", [65, 110, 220, 440, 880])
def test_pitch_of_tones(hertz):
    voice = measured(sine(hertz, 2)).voice
    assert voice.pitch_hz == pytest.approx(hertz, rel=0.0005)
    assert voice.voiced_share > 0.95
    assert voice.pitch_spread < 0.1


def test_pitch_of_a_voice_and_its_movement():
    """A glide over an octave, by its fundamental only implied by overtones."""
    glide = 100 * 2 ** (seconds(4) / 4)
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    sound = np.float32(0.1 * sum(np.sin(k * phase) for k in range(3, 9)))
    voice = measured(sound).voice
    assert voice.pitch_hz == pytest.approx(100 * 2**0.5, rel=0.02)
    assert voice.pitch_spread == pytest.approx(0.8 * 12, abs=0.3)  # 10th to 90th percentile


def test_noise_has_no_pitch():
    rng = np.random.default_rng(5)
    of = measured(rng.normal(0, 0.1, 10 * RATE).astype(np.float32))
    assert of.voice.voiced_share < 0.01
    assert of.voice.pitch_hz is None
    assert of.voice.syllables_per_s is None
    assert of.flatness == pytest.approx(np.exp(-np.euler_gamma), abs=0.02)  # of exponential power
    assert of.brightness_hz == pytest.approx(4000, rel=0.02)
    assert measured(sine(1000, 2)).flatness < 1e-3


@pytest.mark.parametrize("rate", [2, 4, 6, 8])
def test_syllables(rate):
    voice = measured(vowels(rate, 20)).voice
    assert voice.syllables_per_s == pytest.approx(rate, rel=0.03)


def test_pauses_are_no_speaking_time():
    talk = np.concatenate([vowels(4, 5), np.zeros(5 * RATE, np.float32), vowels(4, 5)])
    voice = measured(talk).voice
    assert voice.sounding_s == pytest.approx(10, abs=0.6)
    assert voice.syllables_per_s == pytest.approx(4, rel=0.06)
    part = prosody(measure_sound(np.concatenate([vowels(3, 5), vowels(6, 5)])).frames, [(5, 10)])
    assert part.syllables_per_s == pytest.approx(6, rel=0.06)


def test_silence_and_next_to_nothing():
    for samples in (10 * RATE, 100, 1):
        of = measured(np.zeros(samples, np.float32))
        assert of.silence_share == 1
        assert of.loudness_lufs is None
        assert of.tempo is None
        assert of.onsets_per_s == 0
        assert of.voice.sounding_s == 0
    assert measured(sine(440, 0.05)).duration_s == pytest.approx(0.05)


def test_blocks_leave_no_trace():
    """Frames of a sound are those of its parts: nothing depends on where a block begins."""
    rng = np.random.default_rng(6)
    sound = clicks(100, 25) + rng.normal(0, 0.01, 25 * RATE).astype(np.float32)
    whole, late = sound_frames(sound), sound_frames(sound[600 * HOP :])
    for column in ("power", "voice_power", "centroid", "flatness"):
        expected, found = getattr(whole, column)[600:], getattr(late, column)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(late.onset[2:], whole.onset[602:], atol=1e-4)
    np.testing.assert_allclose(late.pitch, whole.pitch[300:], rtol=1e-3)
    assert len(whole) == 1 + (len(sound) - 512) // HOP
    assert pytest.approx(0.01) == STEP


def test_ten_minutes_in_bounded_memory():
    """Beside the samples: less than a tenth of what all spectra at once would take (62 MB)."""
    rng = np.random.default_rng(7)
    sound = rng.normal(0, 0.05, 600 * RATE).astype(np.float32)
    measure_sound(sound[: 20 * RATE])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    measure_sound(sound)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 25  # MB


@pytest.mark.parametrize(
    ("file", "duration", "pitch"),
    [("english.wav", 2.74, (75, 110)), ("chinese.flac", 0.96, (150, 260))],
)
def test_recorded_voices(shared_data: Path, file, duration, pitch):
    of = measured(Media(shared_data / "media" / file).audio())
    assert of.duration_s == pytest.approx(duration, abs=0.01)
    assert pitch[0] < of.voice.pitch_hz < pitch[1]  # read off the waveform's periods
    assert of.tempo is None


def test_counted_to_three(shared_data: Path):
    """ "One, two, three": three syllables, and no more, in english.wav."""
    voice = measured(Media(shared_data / "media" / "english.wav").audio()).voice
    assert voice.syllables_per_s * voice.sounding_s == pytest.approx(3)
