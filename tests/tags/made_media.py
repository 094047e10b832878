"""Media made for tests, of which everything is known: pictures, cuts, seconds, sound."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]

CHINESE = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
RATE = 25


def plain(colour: Sequence[int], width: int = 96, height: int = 64) -> Picture:
    """A picture of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def textured(seed: int, width: int = 96, height: int = 64) -> Picture:
    """Blocks of random colours: two seeds have little in common."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
    return np.kron(blocks, np.ones((height // 4, width // 6, 1), np.uint8))


def numbered(number: int, width: int = 96, height: int = 64) -> Picture:
    """Eight bars, black or white: the number, its highest bit left."""
    bits = [(number >> (7 - place)) & 1 for place in range(8)]
    row = np.repeat(np.array(bits, np.uint8) * 255, width // 8)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def number_of(picture: Picture) -> int:
    """What `numbered` has drawn."""
    width = picture.shape[1] // 8
    bars = picture.mean(axis=(0, 2))[width // 2 :: width][:8]
    return int(sum((bar > 127) << (7 - place) for place, bar in enumerate(bars)))


def written(lines: Iterable[tuple[str, int, int]], size: tuple[int, int] = (720, 1280)) -> Picture:
    """Lines of words (text, top, letter height) on a calm background."""
    image = Image.new("RGB", size, (46, 84, 66))
    draw = ImageDraw.Draw(image)
    for text, top, height in lines:
        font = ImageFont.truetype(str(CHINESE), height)
        draw.text((50, top), text, font=font, fill="white", stroke_width=3, stroke_fill="black")
    return np.asarray(image)


def tone(seconds: float, hertz: float = 440.0, rate: int = 44_100) -> NDArray[np.float32]:
    """A sine of half loudness."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def write_video(
    path: Path,
    pictures: Iterable[Picture],
    *,
    times: Sequence[float] | None = None,
    sound: NDArray[np.float32] | None = None,
    sound_rate: int = 44_100,
    options: dict[str, str] | None = None,
    codec: str = "libx264",
) -> Path:
    """Write pictures at `RATE` a second, or at these times, with keyframes two seconds apart."""
    with av.open(path, "w", options=options or {}) as container:
        stream = None
        for place, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream(codec, rate=RATE)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.gop_size = 2 * RATE
                stream.codec_context.time_base = Fraction(1, 1000)
                stream.codec_context.options = {"crf": "18", "preset": "ultrafast"}
                heard = (
                    container.add_stream("aac", rate=sound_rate, layout="mono")
                    if sound is not None
                    else None
                )
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            second = place / RATE if times is None else times[place]
            frame.pts, frame.time_base = round(second * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if heard is not None:
            for start in range(0, len(sound), 1024):
                block = sound[None, start : start + 1024]
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = sound_rate, start
                container.mux(heard.encode(frame))
            container.mux(heard.encode(None))
    return path


def write_sound(path: Path, sound: NDArray[np.float32], rate: int = 44_100) -> Path:
    """Write mono sound; the codec is told by the ending."""
    codec = {".wav": "pcm_s16le", ".flac": "flac", ".mp3": "libmp3lame"}[path.suffix]
    kind = "s16p" if codec == "libmp3lame" else "s16"
    whole = np.round(sound * 32_767).astype(np.int16)[None]
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        for start in range(0, whole.shape[1], 1152):
            block = np.ascontiguousarray(whole[:, start : start + 1152])
            frame = av.AudioFrame.from_ndarray(block, format=kind, layout="mono")
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def with_cover(song: Path, target: Path) -> Path:
    """The same mp3 with a cover picture in its head, as shops sell it."""
    packed = io.BytesIO()
    Image.fromarray(textured(1)).save(packed, "PNG")
    body = b"\0image/png\0\3\0" + packed.getvalue()
    picture = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes((len(picture) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    target.write_bytes(b"ID3\3\0\0" + size + picture + song.read_bytes())
    return target
