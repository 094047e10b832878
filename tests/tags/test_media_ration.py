"""However large, long or quick the pictures of a file are, the work on them is bounded."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from made_media import RATE, textured, tone, write_video
from PIL import Image

from tagcf.tags.evidence import Content
from tagcf.tags.media.frames import Frames
from tagcf.tags.media.opened import Media
from tagcf.tags.media.ration import STRETCHES, Ration, work_of
from tagcf.tags.media.seen import measure_pictures
from tagcf.tags.media.sound.signals import Sound
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.text import choose_language

FRAME = work_of(96 * 64, 0)  # of `textured`, without the bytes it is packed in


@pytest.fixture(scope="module")
def two_minutes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute and a half of shots of two seconds each, a keyframe at the start of each."""
    path = tmp_path_factory.mktemp("long") / "shots.mp4"
    pictures = (textured(k // (2 * RATE)) for k in range(90 * RATE))
    return write_video(path, pictures, sound=tone(90.0))


def decoded(media: Media) -> list[tuple[float, int]]:
    return [(one.second, one.stretch) for one in media.decode_video()]


def test_what_fits_is_seen_whole(two_minutes: Path) -> None:
    media = Media(two_minutes)
    assert len(decoded(media)) == 90 * RATE
    assert {stretch for _, stretch in decoded(media)} == {1}
    assert not media.faults


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_a_file_too_large_is_seen_in_stretches_over_its_length(
    two_minutes: Path, share: float
) -> None:
    whole = 90 * RATE * FRAME
    media = Media(two_minutes, work=share * whole)
    frames = decoded(media)
    assert 0.7 * share * whole <= len(frames) * FRAME <= share * whole
    seconds, stretches = zip(*frames, strict=True)
    passed_over = np.diff(seconds)[np.diff(stretches) > 0]
    assert len(passed_over) >= 5
    assert passed_over.max() <= 90 / STRETCHES + 2 * 2.0  # keyframes are two seconds apart
    assert seconds[-1] > 80
    assert media.faults["video"].key == "media.sampled"


def test_pace_is_that_of_the_whole(two_minutes: Path) -> None:
    whole = measure_pictures(Media(two_minutes).watched(), video=True)
    media = Media(two_minutes, work=0.5 * 90 * RATE * FRAME)
    part = measure_pictures(media.watched(), video=True)
    assert part.seen_s is not None
    assert 0.35 * 90 <= part.seen_s.value <= 0.55 * 90
    assert whole.cuts_per_minute is not None
    assert whole.cuts_per_minute.value == pytest.approx(60 * 44 / 90, abs=0.5)
    assert part.cuts_per_minute is not None
    assert part.cuts_per_minute.value == pytest.approx(whole.cuts_per_minute.value, rel=0.35)
    real = {2.0 * k for k in range(1, 45)}
    assert all(min(abs(cut - one) for one in real) < 1e-6 for cut in part.cuts)
    assert part.brightness.value == pytest.approx(whole.brightness.value, abs=0.05)


def test_the_reading_says_what_was_looked_at(two_minutes: Path) -> None:
    media = Media(two_minutes, work=0.2 * 90 * RATE * FRAME)
    reading = Frames().encode(Content("i", media=media), default_vocabulary())
    [missing] = reading.missing
    assert missing.reason.key == "media.sampled"
    facts = dict(missing.reason.facts)
    assert (facts["width"], facts["height"], facts["rate"]) == (96, 64, RATE)
    assert 10 <= float(facts["seconds"]) <= 20
    for language in ("zh", "en"):
        choose_language(language)
        assert "96" in str(missing.reason)
        assert "shots.mp4" in str(missing.reason)


def test_one_keyframe_at_the_start_uses_the_ration_up_at_once(tmp_path: Path) -> None:
    path = tmp_path / "screen.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.gop_size = 10_000
        stream.codec_context.options = {"preset": "ultrafast", "sc_threshold": "0"}
        for k in range(20 * RATE):
            frame = av.VideoFrame.from_ndarray(textured(k // 50), format="rgb24")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    media = Media(path, work=0.5 * 20 * RATE * FRAME)
    frames = decoded(media)
    assert {stretch for _, stretch in frames} == {1}
    assert 0.3 * 20 * RATE <= len(frames) <= 0.5 * 20 * RATE
    assert media.faults["video"].key == "media.sampled"


def test_frames_asked_for_are_those_decoded(two_minutes: Path) -> None:
    shown = list(Media(two_minutes, work=0.3 * 90 * RATE * FRAME).frames(8))
    assert len(shown) == 8
    seconds = [one.second for one in shown]
    assert seconds == sorted(seconds)
    assert len(set(seconds)) == 8


def test_time_that_stands_still_gets_one_stretch_of_work() -> None:
    ration = Ration(most=1000.0, length=60.0)
    taken = sum(ration.takes(0.0, 10.0, keyframe=True) for _ in range(10_000))
    assert taken == 5


def test_more_frames_than_the_head_tells_are_no_way_around() -> None:
    ration = Ration(most=1000.0, length=60.0)
    seconds = np.linspace(0, 60, 100_000)
    spent = sum(
        ration.takes(float(one), 1.0, keyframe=k % 10 == 0) for k, one in enumerate(seconds)
    )
    assert 900 <= spent <= 1000


def _png(path: Path, width: int, height: int) -> Path:
    """Of zeros: some kilobytes that unpack to gigabytes."""
    row = zlib.compressobj(9)
    packed = b"".join(row.compress(bytes(1 + width * 8)) for _ in range(40)) + row.flush()
    head = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, body in ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b"")):
            check = zlib.crc32(kind + body)
            file.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check))
    return path


@pytest.mark.parametrize(
    ("name", "width", "height"), [("bomb.png", 60_000, 60_000), ("just.png", 10_001, 10_000)]
)
def test_bombs_are_refused_before_they_are_unpacked(
    tmp_path: Path, name: str, width: int, height: int
) -> None:
    media = Media(_png(tmp_path / name, width, height))
    reading = Frames().encode(Content("i", media=media), default_vocabulary())
    assert not reading.found
    [missing] = reading.missing
    assert missing.reason.key == "media.too_big"
    assert str(width) in str(missing.reason)
    assert name in str(missing.reason)


def test_a_preview_before_the_size_of_a_jpeg_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "camera.jpg"
    Image.new("L", (12_000, 9_000)).save(path, exif=b"Exif\0\0" + bytes(60_000))
    media = Media(path)
    reading = Frames().encode(Content("i", media=media), default_vocabulary())
    assert "12000 × 9000" in str(reading.missing[0].reason)


def test_sound_is_heard_though_the_pictures_are_too_big(tmp_path: Path) -> None:
    wall = [np.zeros((4200, 9000, 3), np.uint8)]
    path = write_video(tmp_path / "wall.mp4", wall, sound=tone(4.0))
    content = Content("i", media=Media(path))
    pictures = Frames().encode(content, default_vocabulary())
    assert not pictures.found
    [missing] = pictures.missing
    assert missing.reason.key == "media.too_big"
    assert "9000 × 4200" in str(missing.reason)
    assert not Sound().encode(content, default_vocabulary()).missing
    assert content.media is not None
    assert len(content.media.audio()) > 60_000


def test_a_size_that_the_container_lies_about_costs_nothing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "lie.mp4", map(textured, range(10)), codec="mpeg4")
    raw = bytearray(path.read_bytes())
    place = raw.index(b"mp4v", raw.index(b"stsd"))
    raw[place + 28 : place + 32] = struct.pack(">HH", 60_000, 60_000)
    path.write_bytes(raw)
    seen = Media(path).watched()  # the stream itself tells its size
    assert (seen.width, seen.height) == (96, 64)
