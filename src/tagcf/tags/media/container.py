"""Opening containers with FFmpeg, safely, and walking through one track of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tagcf.errors import MediaError, MissingExtraError
from tagcf.tags.media.head import LOOKED_AT, claimed_size
from tagcf.tags.media.ration import Ration, work_of
from tagcf.text import say

if TYPE_CHECKING:
    from types import ModuleType

    from av import AudioFrame, AudioStream, VideoFrame, VideoStream
    from av.container import InputContainer

Kind = Literal["video", "audio", "image"]

# FFmpeg knows hundreds of formats, playlists that fetch other files among them. Content comes
# from strangers: only plain containers are opened, and nothing besides the file itself.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,flv,matroska,webm,avi,mpegts,gif,"
    "wav,flac,mp3,ogg,aac,png_pipe,jpeg_pipe,webp_pipe,bmp_pipe"
)
MOST_PIXELS = 100_000_000  # of a still picture
MOST_MOVING = 36_000_000  # of a frame, 8K; a decoder holds up to 17 of them
MOST_PACKETS = 2_000_000  # of all tracks; an hour of video has half of that
_ONE_FILE = {
    "format_whitelist": _FORMATS,
    "protocol_whitelist": "none",
    "max_pixels": str(MOST_PIXELS),  # FFmpeg decodes a first frame to see what it has
}
READABLE = (
    "mp4, mov, flv, mkv, webm, avi, ts, gif, wav, flac, mp3, m4a, ogg, aac, png, jpg, webp, bmp"
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # two letters at least: "C:" is a drive
_CLOCK = 1_000_000  # FFmpeg counts container times in microseconds


@dataclass(frozen=True, slots=True)
class Facts:
    """What the head of a file says, before anything is decoded."""

    kind: Kind
    format: str  # FFmpeg's short name
    duration: float  # seconds; 0 for an image
    has_video: bool
    has_audio: bool
    start: float  # FFmpeg's time of the first second
    open_end: bool = False  # the head has no duration, and the file is longer than was looked at
    width: int = 0  # of the pictures; a claim, and 0 where there is none
    height: int = 0
    rate: float = 0.0  # frames a second


@dataclass(slots=True)
class Progress:
    """How a walk through a track went: changed while frames are taken from it."""

    reached: float = 0.0  # second up to which the file had data, of whichever track
    damaged: int = 0  # packets of the track that could not be decoded
    frames: int = 0
    no_decoder: str = ""  # codec that this FFmpeg cannot decode
    too_big: tuple[int, int] | None = None  # width and height of frames that are not decoded


@cache
def library() -> ModuleType:
    """Load PyAV, or say which extra brings it."""
    if not all(util.find_spec(name) for name in ("av", "cv2")):
        raise MissingExtraError(
            "error.missing_extra", extra="media", otherwise=say("media.text_alone")
        )
    import av

    return av


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a file for reading and close it afterwards.

    Raises
    ------
    MediaError
        Missing, a URL, not allowed to be read, empty, or no media.
    """
    av = library()
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
            raise MediaError("media.no_media", path=str(path), known=READABLE)
        file = path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        if (url := _url_of(path)) is not None:
            raise MediaError("media.url", path=url) from error
        if isinstance(error, FileNotFoundError):
            raise MediaError("media.not_found", path=str(path)) from error
        detail = getattr(error, "strerror", None) or str(error)
        raise MediaError("media.not_opened", path=str(path), detail=detail) from error
    with file:
        if not path.stat().st_size:
            raise MediaError("media.empty_file", path=str(path))
        _refuse_huge(path, claimed_size(file.read(LOOKED_AT)))
        file.seek(0)
        try:
            container = av.open(_Nameless(file.read, file.seek, file.tell), options=_ONE_FILE)
        except av.FFmpegError as error:
            raise MediaError("media.no_media", path=str(path), known=READABLE) from error
        with container:
            yield container


def _url_of(path: Path) -> str | None:
    """Return the URL that was given in place of a path; None for what may be a path."""
    for place, part in enumerate(path.parts):
        if _SCHEME.fullmatch(part):
            return f"{part}//{'/'.join(path.parts[place + 1 :])}"
    return None


def _refuse_huge(path: Path, size: tuple[int, int] | None) -> None:
    if size is not None and size[0] * size[1] > MOST_PIXELS:
        facts = {"width": size[0], "height": size[1], "most": MOST_PIXELS}
        raise MediaError("media.too_big", path=str(path), **facts)


def probe(path: Path, longest_s: float) -> Facts:
    """Read the head of a file; without a duration in it, walk through so many seconds of it."""
    with opened(path) as container:
        name = container.format.name
        video, audio = video_track(container), audio_track(container)
        if video is None and audio is None:
            raise MediaError("media.no_media", path=str(path), known=READABLE)
        start = (container.start_time or 0) / _CLOCK
        if name.endswith("_pipe"):
            return Facts("image", name, 0.0, True, False, start)
        if container.duration:
            duration, open_end = container.duration / _CLOCK, False
        else:
            duration = _walk(container, start + longest_s + 1) - start
            open_end = duration > longest_s + 1
        kind: Kind = "audio" if video is None else "video"
        has = (video is not None, audio is not None)
        facts = Facts(kind, name, max(duration, 0.0), *has, start, open_end)
        if video is None or video.codec_context is None:
            return facts
        size, rate = video.codec_context, float(video.average_rate or 0)
        return replace(facts, width=size.width, height=size.height, rate=rate)


def video_track(container: InputContainer) -> VideoStream | None:
    """Return the first moving track; the cover of a song is none."""
    import av.stream

    cover = av.stream.Disposition.attached_pic
    moving = (one for one in container.streams.video if not one.disposition & cover)
    return next(moving, None)


def audio_track(container: InputContainer) -> AudioStream | None:
    """Return the first sound track."""
    return next(iter(container.streams.audio), None)


def keyframe_count(path: Path, until: float) -> int:
    """Keyframes of the pictures of a file up to a second; nothing is decoded."""
    count = 0
    with opened(path) as container:
        start = (container.start_time or 0) / _CLOCK
        try:
            for place, packet in enumerate(container.demux(video_track(container))):
                second = float((packet.pts or 0) * (packet.time_base or 0)) - start
                if second > until or place > MOST_PACKETS:
                    break
                count += packet.is_keyframe
        except library().FFmpegError:  # broken off: what there is counts
            return count
    return count


def decoded(
    container: InputContainer,
    track: VideoStream | AudioStream,
    start: float,
    progress: Progress,
    ration: Ration | None = None,
) -> Iterator[tuple[float, VideoFrame | AudioFrame]]:
    """Every frame of a track that a ration allows, with its second.

    Damaged packets are left out and counted.
    """
    av = library()
    if track.codec_context is None:
        progress.no_decoder = track.name or "?"
        return
    if track.type == "video" and not _prepared(container, track, progress):
        return
    packets, second, length, passed = container.demux(), -1.0, 0.0, 0
    while passed < MOST_PACKETS:
        passed += 1
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:  # the file breaks off within a packet
            packet = None
        if packet is not None and packet.pts is not None and packet.time_base is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - start
            progress.reached = max(progress.reached, end)
        if packet is not None and packet.stream.index != track.index:
            continue
        if ration is not None and packet is not None and not _allowed(ration, packet, progress):
            continue
        try:
            frames = track.decode(packet)
        except av.FFmpegError:
            progress.damaged += 1
            frames = []
        for frame in frames:
            second = second + length if frame.time is None else max(frame.time - start, 0.0)
            length = _length(frame, track)
            progress.frames += 1
            yield second, frame
        if packet is None:
            return


def _prepared(container: InputContainer, track: Any, progress: Progress) -> bool:
    """Set a decoder of pictures up; False if they are too big."""
    context = track.codec_context
    # Items are tagged side by side; threads within one would only get in each other's way.
    context.thread_count = 1
    moving = not container.format.name.endswith("_pipe")
    most = MOST_MOVING if moving else MOST_PIXELS
    # A file of a few kilobytes can claim a picture that fills the memory.
    context.options = {"max_pixels": str(most)}
    if context.width * context.height > most:
        progress.too_big = (context.width, context.height)
    return progress.too_big is None


def _allowed(ration: Ration, packet: Any, progress: Progress) -> bool:
    """Whether a packet is to be decoded."""
    if not packet.size:  # the end: frames that the decoder still holds
        return True
    context, rested = packet.stream.codec_context, ration.resting
    work = work_of(context.width * context.height, packet.size)
    takes = ration.takes(progress.reached, work, keyframe=packet.is_keyframe)
    if not (takes or rested):  # frames that it holds would come out after the gap
        context.flush_buffers()
    return takes


def _length(frame: VideoFrame | AudioFrame, track: VideoStream | AudioStream) -> float:
    """Seconds that a frame lasts, as far as known."""
    if frame.duration and frame.time_base:
        return float(frame.duration * frame.time_base)
    rate = getattr(track, "average_rate", None)
    return float(1 / rate) if rate else 0.0


def _walk(container: InputContainer, until: float) -> float:
    """FFmpeg's time of the end, or of the first packets behind `until`."""
    av, end = library(), 0.0
    try:
        for place, packet in enumerate(container.demux()):
            if end > until or place > MOST_PACKETS:
                break
            if packet.pts is not None and packet.time_base is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    except av.FFmpegError:  # broken off: what there is counts
        return end
    return end


@dataclass(frozen=True, slots=True)
class _Nameless:
    """A file that FFmpeg must judge by its content: its name could be taken for a pattern."""

    read: object
    seek: object
    tell: object
