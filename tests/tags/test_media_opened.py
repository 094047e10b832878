import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_media import (
    number_of,
    numbered,
    plain,
    textured,
    tone,
    with_cover,
    write_sound,
    write_video,
)
from PIL import Image

from tagcf.errors import DataError, MediaError
from tagcf.tags.media.opened import SOUND_RATE, Media
from tagcf.text import choose_language


@pytest.fixture(scope="module")
def four_seconds(tmp_path_factory):
    """A hundred numbered frames with a tone, in an mp4 whose index stands in front."""
    path = tmp_path_factory.mktemp("clips") / "numbers.mp4"
    pictures = [numbered(k) for k in range(100)]
    return write_video(path, pictures, sound=tone(4.0), options={"movflags": "faststart"})


def test_a_frame_is_the_one_on_show_at_its_second(four_seconds):
    asked = [3.96, 0.0, 0.039, 0.04, 1.31, 2.0, 2.0, 99.0]
    frames = list(Media(four_seconds).frames(asked))
    assert [number_of(frame.picture) for frame in frames] == [0, 0, 1, 32, 50, 50, 99, 99]
    seconds = [frame.second for frame in frames]
    assert seconds == pytest.approx([0, 0, 0.04, 1.28, 2.0, 2.0, 3.96, 3.96])


def test_evenly_spaced_frames_are_no_keyframes(four_seconds):
    # Keyframes are 0 and 50: seeking to them would show two pictures for eight.
    numbers = [number_of(frame.picture) for frame in Media(four_seconds).frames(8)]
    assert numbers == [6, 18, 31, 43, 56, 68, 81, 93]


@pytest.mark.parametrize(
    ("ending", "codec"),
    [(".flv", "flv"), (".mkv", "libx264"), (".webm", "libvpx"), (".mov", "libx264")],
)
def test_containers_of_video(tmp_path, ending, codec):
    path = write_video(tmp_path / f"a{ending}", [numbered(k) for k in range(50)], codec=codec)
    media = Media(path)
    assert (media.kind, media.has_video, media.has_audio) == ("video", True, False)
    assert media.duration == pytest.approx(2.0, abs=0.05)
    assert [number_of(frame.picture) for frame in media.frames([0.5, 1.5])] == [12, 37]
    assert len(media.audio()) == 0
    assert not media.faults


def test_frames_that_last_unevenly(tmp_path):
    path = write_video(tmp_path / "slow.mp4", map(numbered, (1, 2, 3)), times=[0, 0.2, 3])
    shown = Media(path).frames([0.1, 0.2, 2.9, 3.0])
    assert [number_of(frame.picture) for frame in shown] == [1, 2, 2, 3]


@pytest.mark.parametrize("ending", [".wav", ".flac", ".mp3"])
def test_sound_is_mono_at_its_rate(tmp_path, ending):
    media = Media(write_sound(tmp_path / f"a{ending}", tone(2.0, hertz=500)))
    assert (media.kind, media.has_video, media.has_audio) == ("audio", False, True)
    sound = media.audio()
    assert sound.dtype == np.float32
    assert len(sound) == pytest.approx(2 * SOUND_RATE, abs=0.06 * SOUND_RATE)
    strongest = np.abs(np.fft.rfft(sound)).argmax() * SOUND_RATE / len(sound)
    assert strongest == pytest.approx(500, abs=1)
    assert np.abs(sound[8000:24000]).max() == pytest.approx(0.5, abs=0.03)
    assert list(media.frames(3)) == []


def test_sound_of_a_video_is_decoded_once_and_let_go(four_seconds):
    with Media(four_seconds) as media:
        sound = media.audio()
        assert media.audio() is sound
        assert len(sound) == pytest.approx(4 * SOUND_RATE, abs=0.1 * SOUND_RATE)
    assert media.audio() is not sound


def test_the_cover_of_a_song_is_no_video(tmp_path):
    song = write_sound(tmp_path / "plain.mp3", tone(1.0))
    media = Media(with_cover(song, tmp_path / "sold.mp3"))
    assert (media.kind, media.has_video, media.has_audio) == ("audio", False, True)
    assert len(media.audio()) > 0.9 * SOUND_RATE


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_pictures_are_upright_and_scaled(tmp_path, ending):
    above = np.vstack([plain((250, 10, 10), 100, 150), plain((10, 10, 250), 100, 150)])
    path = tmp_path / f"50%d.{ending}"  # FFmpeg would take that for the name of a sequence
    Image.fromarray(above).save(path)
    media = Media(path)
    assert (media.kind, media.duration, media.has_video) == ("image", 0, True)
    (frame,) = media.frames(8, side=60)
    assert frame.picture.shape == (60, 20, 3)
    assert frame.picture[10, 10].tolist() == pytest.approx([250, 10, 10], abs=12)
    assert frame.picture[50, 10].tolist() == pytest.approx([10, 10, 250], abs=12)


def test_a_phone_held_sideways(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    left_red = np.hstack([plain((250, 10, 10), 80, 80), plain((10, 10, 250), 80, 80)])
    Image.fromarray(left_red).save(tmp_path / "phone.jpg", exif=exif)
    (frame,) = Media(tmp_path / "phone.jpg").frames(1)
    assert frame.picture.shape == (160, 80, 3)
    assert frame.picture[20, 40].tolist() == pytest.approx([250, 10, 10], abs=12)


def test_what_is_transparent_is_white(tmp_path):
    see_through = np.zeros((40, 40, 4), np.uint8)
    see_through[:, 20:] = (0, 200, 0, 255)
    Image.fromarray(see_through).save(tmp_path / "logo.png")
    (frame,) = Media(tmp_path / "logo.png").frames(1)
    assert frame.picture[20, 5].tolist() == [255, 255, 255]
    assert frame.picture[20, 35].tolist() == pytest.approx([0, 200, 0], abs=2)


def test_only_so_much_of_a_long_file_is_read(four_seconds):
    media = Media(four_seconds, longest_s=1.0)
    assert [number_of(frame.picture) for frame in media.frames(2)] == [6, 18]
    assert len(media.audio()) == SOUND_RATE
    assert media.watched().changes.seconds.max() <= 1.0
    assert str(media.faults["audio"]) == str(media.faults["video"])
    assert "first 1.0" in str(media.faults["video"])


def test_a_file_that_breaks_off_is_used_up_to_there(four_seconds, tmp_path):
    whole = four_seconds.read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole[: int(len(whole) * 0.6)])
    media = Media(broken)
    numbers = [number_of(frame.picture) for frame in media.frames([0.5, 1.0, 3.9])]
    assert numbers == [12, 25]
    assert 1.0 < media.watched().end < 3.5
    assert len(media.audio()) > SOUND_RATE
    assert media.faults["video"].key == "media.cut_short"
    assert str(broken) in str(media.faults["video"])


def _text(path):
    path.write_text("This is no video.\n" * 200)


def _playlist(path):
    secret = path.with_name("secret.ts")
    secret.write_bytes(b"G" * 400)
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{secret}\n")


def _no_index(path):
    whole = write_video(path.with_name("whole.mp4"), [numbered(k) for k in range(50)])
    path.write_bytes(whole.read_bytes()[:-2000])


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda path: None, "media.not_found"),
        (Path.mkdir, "media.not_opened"),
        (Path.touch, "media.empty_file"),
        (_text, "media.no_media"),
        (_playlist, "media.no_media"),
        (_no_index, "media.no_media"),
        (lambda path: path.write_bytes(bytes(range(256)) * 300), "media.no_media"),
    ],
)
def test_what_is_no_media_is_said_with_file_and_way_out(tmp_path, make, key):
    path = tmp_path / "item.mp4"
    make(path)
    media = Media(path)
    for ask in (lambda: media.kind, media.audio, media.watched, lambda: list(media.frames(3))):
        with pytest.raises(MediaError) as caught:
            ask()
        assert caught.value.key == key
        assert isinstance(caught.value, DataError)
    for language in ("zh", "en"):
        choose_language(language)
        assert str(path) in str(caught.value)


def test_pictures_of_a_broken_image_are_missed(tmp_path):
    Image.fromarray(textured(3, 240, 160)).save(tmp_path / "whole.png")
    half = (tmp_path / "whole.png").read_bytes()[:60]
    (tmp_path / "half.png").write_bytes(half)
    media = Media(tmp_path / "half.png")
    assert list(media.frames(1)) == []
    assert media.faults["video"].key == "media.nothing_decoded"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes among files")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    pipe = tmp_path / "clip.mp4"
    os.mkfifo(pipe)
    with pytest.raises(MediaError, match=r"clip\.mp4"):
        _ = Media(pipe).facts


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path, ending):
    Image.new("L", (12_000, 10_000)).save(tmp_path / f"bomb.{ending}")
    with pytest.raises(MediaError, match="12000 × 10000") as caught:
        Media(tmp_path / f"bomb.{ending}").watched()
    assert caught.value.key == "media.too_big"


REAL = {
    "bigbuckbunny.mp4": ("video", 5.312, True),
    "bikes.mp4": ("video", 10.0, False),
    "carphone_pristine.mp4": ("video", 4.004, False),
    "english.wav": ("audio", 2.745, True),
    "chinese.flac": ("audio", 0.956, True),
    "astronaut.png": ("image", 0.0, False),
    "rocket.jpg": ("image", 0.0, False),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files(shared_data, name):
    kind, duration, has_audio = REAL[name]
    media = Media(shared_data / "media" / name)
    assert (media.kind, media.has_audio) == (kind, has_audio)
    assert media.duration == pytest.approx(duration, abs=1e-3)
    assert len(media.audio()) == pytest.approx(duration * has_audio * SOUND_RATE, abs=200)
    pictures = {frame.picture.tobytes() for frame in media.frames(8)}
    assert len(pictures) == {"video": 8, "audio": 0, "image": 1}[kind]
    assert not media.faults


def test_nothing_heavy_is_loaded_before_a_file_is_opened():
    code = (
        "import sys, tagcf.tags.media.frames, tagcf.tags.media.ocr, tagcf.tags.media.labels\n"
        "print([name for name in ('av', 'cv2', 'onnxruntime', 'rapidocr') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
