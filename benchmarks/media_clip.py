"""Made videos for `benchmarks.media`.

One of 20 s, 720 × 1280, 30 a second, with known cuts and words; others so large, long or quick that
they are looked at in part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

SECONDS, RATE, WIDTH, HEIGHT = 20, 30, 720, 1280
SHOT_FRAMES = (90, 45, 150, 75, 120, 120)  # 3, 1.5, 5, 2.5, 4 and 4 seconds
CAPTIONS = (
    "Camping with my dog",
    "First the tent",
    "Dinner by the lake",
    "Grilled fish",
    "Good night",
    "See you tomorrow",
)
SOUND_RATE = 44_100


def true_cuts() -> list[float]:
    """Seconds of the first frames of the second to the last shot."""
    return [float(frames) / RATE for frames in np.cumsum(SHOT_FRAMES)[:-1]]


def pictures() -> Iterator[NDArray[np.uint8]]:
    """Frames of shots: a scene that drifts sideways, and a caption that stays."""
    rng = np.random.default_rng(0)
    for shot, length in enumerate(SHOT_FRAMES):
        coarse = rng.integers(20, 236, (16, 18, 3), np.uint8)
        scene = cv2.resize(coarse, (WIDTH * 2, HEIGHT), interpolation=cv2.INTER_CUBIC)
        scene = cv2.add(scene, rng.integers(0, 20, scene.shape, np.uint8))
        for frame in range(length):
            picture = scene[:, 3 * frame : 3 * frame + WIDTH].copy()
            for colour, width in (((0, 0, 0), 12), ((255, 255, 255), 4)):
                place, font = (40, 1100), cv2.FONT_HERSHEY_SIMPLEX
                cv2.putText(picture, CAPTIONS[shot], place, font, 1.8, colour, width, cv2.LINE_AA)
            yield picture


def write_clip(path: Path, speech: NDArray[np.float32]) -> Path:
    """Write the clip; (n,) samples of speech, 16,000 a second, are repeated as its sound."""
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.options = {"crf": "23", "preset": "veryfast"}
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        for place, picture in enumerate(pictures()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = place, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        heard = np.resize(speech, SECONDS * 16_000)[None]
        for start in range(0, heard.shape[1], 1024):
            block = np.ascontiguousarray(heard[:, start : start + 1024])
            part = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            part.sample_rate, part.pts = 16_000, start
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))
    return path


@dataclass(frozen=True, slots=True)
class Huge:
    """A file that nobody would want to decode whole."""

    width: int
    height: int
    rate: int  # frames a second
    minutes: float
    codec: str
    ending: str


HUGE = {
    "4K, 60 a second, 10 min, H.264": Huge(3840, 2160, 60, 10, "libx264", ".mp4"),
    "4K, 30 a second, 10 min, HEVC": Huge(3840, 2160, 30, 10, "libx265", ".mp4"),
    "1080p, 30 a second, 2 h, VP9": Huge(1920, 1080, 30, 120, "libvpx-vp9", ".webm"),
    "640 × 360, 240 a second, 10 min, H.264": Huge(640, 360, 240, 10, "libx264", ".mp4"),
}
_FAST = {
    "libx264": {"preset": "veryfast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}


def write_huge(path: Path, wanted: Huge) -> Path:
    """Write a second of a drifting scene, over and over: its packets are encoded once."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(20, 236, (12, 24, 3), np.uint8)
    size = (wanted.width + 4 * wanted.rate, wanted.height)
    scene = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    scene = cv2.add(scene, rng.integers(0, 12, scene.shape, np.uint8))
    with av.open(path, "w") as container:
        stream = container.add_stream(wanted.codec, rate=wanted.rate)
        stream.width, stream.height, stream.pix_fmt = wanted.width, wanted.height, "yuv420p"
        stream.gop_size = wanted.rate
        stream.codec_context.options = _FAST[wanted.codec]
        packets = []
        for place in range(wanted.rate):
            picture = np.ascontiguousarray(scene[:, 4 * place : 4 * place + wanted.width])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = place, Fraction(1, wanted.rate)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        kept = [(bytes(one), one.pts, one.dts, one.is_keyframe) for one in packets]
        clock = packets[0].time_base
        second = round(1 / clock)
        for turn in range(round(60 * wanted.minutes)):
            for raw, pts, dts, key in kept:
                packet = av.Packet(raw)
                packet.stream, packet.time_base = stream, clock
                packet.pts, packet.dts = pts + turn * second, dts + turn * second
                packet.is_keyframe = key
                container.mux(packet)
    return path
