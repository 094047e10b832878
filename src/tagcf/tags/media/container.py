"""Opening containers with FFmpeg, safely, and walking through one track of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tagcf.errors import MediaError, MissingExtraError
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
_ONE_FILE = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
READABLE = "mp4, mov, flv, mkv, webm, avi, ts, gif, wav, flac, mp3, m4a, ogg, aac, png, jpg, webp"
MOST_PIXELS = 100_000_000  # of one picture
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


@dataclass(slots=True)
class Progress:
    """How a walk through a track went: changed while frames are taken from it."""

    reached: float = 0.0  # second up to which the file had data, of whichever track
    damaged: int = 0  # packets of the track that could not be decoded
    frames: int = 0
    no_decoder: str = ""  # codec that this FFmpeg cannot decode


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
        Missing, not allowed to be read, empty, or no media.
    """
    av = library()
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
            raise MediaError("media.no_media", path=str(path), known=READABLE)
        file = path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        detail = getattr(error, "strerror", None) or str(error)
        raise MediaError("media.not_opened", path=str(path), detail=detail) from error
    with file:
        if not path.stat().st_size:
            raise MediaError("media.empty_file", path=str(path))
        try:
            container = av.open(_Nameless(file.read, file.seek, file.tell), options=_ONE_FILE)
        except av.FFmpegError as error:
            raise MediaError("media.no_media", path=str(path), known=READABLE) from error
        with container:
            yield container


def probe(path: Path) -> Facts:
    """Read the head of a file; without a duration in it, walk through its packets."""
    with opened(path) as container:
        name = container.format.name
        video, audio = video_track(container), audio_track(container)
        if video is None and audio is None:
            raise MediaError("media.no_media", path=str(path), known=READABLE)
        start = (container.start_time or 0) / _CLOCK
        if name.endswith("_pipe"):
            return Facts("image", name, 0.0, True, False, start)
        if container.duration:
            duration = container.duration / _CLOCK
        else:
            duration = _walk_to_the_end(container) - start
        kind: Kind = "audio" if video is None else "video"
        return Facts(kind, name, max(duration, 0.0), video is not None, audio is not None, start)


def video_track(container: InputContainer) -> VideoStream | None:
    """Return the first moving track; the cover of a song is none."""
    import av.stream

    cover = av.stream.Disposition.attached_pic
    moving = (one for one in container.streams.video if not one.disposition & cover)
    return next(moving, None)


def audio_track(container: InputContainer) -> AudioStream | None:
    """Return the first sound track."""
    return next(iter(container.streams.audio), None)


def decoded(
    container: InputContainer, track: VideoStream | AudioStream, start: float, progress: Progress
) -> Iterator[tuple[float, VideoFrame | AudioFrame]]:
    """Every frame of a track with its second; damaged packets are left out and counted."""
    av = library()
    if track.codec_context is None:
        progress.no_decoder = track.name or "?"
        return
    if track.type == "video":
        # Items are tagged side by side; threads within one would only get in each other's way.
        track.codec_context.thread_count = 1
        # A file of a few kilobytes can claim a picture that fills the memory.
        track.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    packets, second, length = container.demux(), -1.0, 0.0
    while True:
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


def _length(frame: VideoFrame | AudioFrame, track: VideoStream | AudioStream) -> float:
    """Seconds that a frame lasts, as far as known."""
    if frame.duration and frame.time_base:
        return float(frame.duration * frame.time_base)
    rate = getattr(track, "average_rate", None)
    return float(1 / rate) if rate else 0.0


def _walk_to_the_end(container: InputContainer) -> float:
    av, end = library(), 0.0
    try:
        for packet in container.demux():
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
