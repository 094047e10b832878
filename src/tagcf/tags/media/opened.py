"""One media file, opened when first asked and decoded at most once for all encoders.

Times are seconds from the start of the file as a player shows them. Frames are reached by
decoding forward: a seek lands on a keyframe, so that eight times asked can give three different
pictures. What stands behind a break in the file is lost, what stands before it is used, and of
pictures that would take too long stretches are decoded (`ration`); `Media.faults` says so.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

import numpy as np
from numpy.typing import NDArray

from tagcf.errors import MediaError
from tagcf.tags.media.container import (
    Facts,
    Kind,
    Progress,
    audio_track,
    decoded,
    keyframe_count,
    library,
    opened,
    probe,
    video_track,
)
from tagcf.tags.media.faults import fault_of, sampled, says_more
from tagcf.tags.media.pictures import Picture, picture_of
from tagcf.tags.media.ration import STRETCHES, WORK, Ration, work_of
from tagcf.types import Reason

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame

    from tagcf.tags.media.sound.measures import Heard
    from tagcf.tags.media.watch import Watched

Samples = NDArray[np.float32]

SOUND_RATE = 16_000  # samples a second of `Media.audio`
SIDE = 360  # longer side of the frames handed out, pixels
_HAIR = 1e-6  # seconds; frame times are fractions of an integer clock
MOST_SAMPLES = 1_000_000_000  # of sound, all channels: ten minutes of eight at 192 kHz


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a video and the second at which it comes on."""

    second: float
    picture: Picture


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame as FFmpeg gives it, its second, and in which stretch of the file it stands."""

    second: float
    frame: VideoFrame
    stretch: int  # 1, 2 …: between two of them the file was passed over


@dataclass(slots=True)
class SecondsSeen:
    """Seconds for which frames were looked at; what lies between two stretches is left out."""

    seconds: float = 0.0
    last: Decoded | None = None

    def add(self, one: Decoded) -> bool:
        """Count a frame; whether it follows the one before it without a gap."""
        follows = self.last is not None and self.last.stretch == one.stretch
        if self.last is not None and follows:
            self.seconds += one.second - self.last.second
        self.last = one
        return follows


class Media:
    """A media file; nothing is opened before the first question.

    Parameters
    ----------
    path
        The file.
    longest_s
        Seconds that are read of a longer file, so that time and memory per item are bounded
        (sound is 64 kB a second). What is left out is said in `faults`.
    work
        Pixels that may be decoded (`ration`), so that a large picture does not take longer than
        a long video. A file with more is decoded in stretches over its length.
    within
        Folder that the file must be in, links followed; a file outside is not opened. None: any.

    Notes
    -----
    Every question raises `MediaError` for a file that is missing, empty, no media or broken from
    the start, and `MissingExtraError` where PyAV is not installed.
    """

    def __init__(
        self,
        path: Path | str,
        longest_s: float = 600.0,
        within: Path | None = None,
        work: float = WORK,
    ) -> None:
        self.path = Path(path)
        self.longest_s = longest_s
        self.work = work
        self.within = within
        self.faults: dict[str, Reason] = {}  # "video", "audio": why it was not read to its end
        self._facts: Facts | MediaError | None = None
        self._audio: Samples | None = None
        self._watched: Watched | None = None
        self.heard: Heard | None = None  # kept by those who measure the sound

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what was decoded; a later question would decode again."""
        self._audio = self._watched = self.heard = None

    @property
    def facts(self) -> Facts:
        """What the head of the file says; read once, and so is a failure."""
        if self._facts is None:
            try:
                self._refuse_outside()
                self._facts = probe(self.path, self.longest_s)
            except MediaError as error:
                self._facts = error
        if isinstance(self._facts, MediaError):
            raise self._facts
        return self._facts

    @property
    def kind(self) -> Kind:
        """Whether it is a video, a sound or a still picture."""
        return self.facts.kind

    @property
    def duration(self) -> float:
        """Seconds; 0 for an image."""
        return self.facts.duration

    @property
    def has_video(self) -> bool:
        """Whether there are pictures, be it one; the cover of a song is none."""
        return self.facts.has_video

    @property
    def has_audio(self) -> bool:
        """Whether there is a sound track, be it silent."""
        return self.facts.has_audio

    @property
    def read_s(self) -> float:
        """Seconds from the start that are read: the duration, or the limit."""
        return min(self.duration, self.longest_s)

    def frames(self, times: Sequence[float] | int = 8, side: int = SIDE) -> Iterator[Frame]:
        """Pictures on show at these times, exactly, in the order of time.

        Parameters
        ----------
        times
            Seconds, each giving the last frame that starts at or before it (of those decoded,
            where `faults` says that only stretches were: `Frame.second` is always its own); or
            how many to spread evenly, each in the middle of its part. An image has one, at 0.
        side
            Longer side in pixels; smaller pictures are not enlarged.

        Yields
        ------
        One frame per time asked, one in memory at a time; none for times behind a break.
        """
        if isinstance(times, int):
            times = [self.read_s * (k + 0.5) / times for k in range(times)]
        wanted = sorted(min(max(time, 0.0), self.read_s) for time in times)
        if self.kind == "image":
            wanted = wanted[:1]
        if not wanted:
            return
        shown: Decoded | None = None
        for one in self.decode_video(until=wanted[-1]):
            if shown is not None and wanted:
                over = bisect.bisect_left(wanted, one.second - _HAIR)
                yield from _copies(shown, over, side)
                wanted = wanted[over:]
            shown = one
        if shown is not None:
            fault = self.faults.get("video")
            whole = fault is None or fault.key == "media.sampled"
            broken = np.inf if whole else shown.second + _HAIR
            yield from _copies(shown, bisect.bisect_right(wanted, broken), side)

    def audio(self) -> Samples:
        """Sound as (n,) float32 in -1..1, mono, `SOUND_RATE` samples a second; decoded once.

        Empty where there is none. Sample 0 is second 0: a track that starts later is preceded
        by silence.
        """
        if self._audio is None:
            self._audio = self._decode_audio()
        return self._audio

    def watched(self) -> Watched:
        """All that is measured and kept of the pictures, in one pass over them; done once."""
        if self._watched is None:
            from tagcf.tags.media.watch import watch

            self._watched = watch(self)
        return self._watched

    def _refuse_outside(self) -> None:
        folder = self.within
        if folder is not None and not self.path.resolve().is_relative_to(folder.resolve()):
            raise MediaError("media.outside", path=self.path, folder=folder)

    def decode_video(self, until: float = np.inf) -> Iterator[Decoded]:
        """Every frame, or those of the stretches allowed, up to the first one after `until`.

        Ends without an error at a break; `faults["video"]` then says where.
        """
        progress, ration, seen = Progress(), self._ration(), SecondsSeen()
        with opened(self.path) as container:
            track = video_track(container)
            if track is None:
                return
            for second, frame in decoded(container, track, self.facts.start, progress, ration):
                if second > self.longest_s:
                    break
                one = Decoded(second, cast("VideoFrame", frame), ration.begun)
                seen.add(one)
                yield one
                if second > until:
                    return
        fault = fault_of(self.path, self.facts, progress, self.longest_s)
        if ration.shared_out and not says_more(fault):
            told = (self.longest_s, seen.seconds, ration.begun)
            fault = sampled(self.path, self.facts, *told)
        self._note("video", fault)

    def _ration(self) -> Ration:
        """Work for the pictures, in no more stretches than there are keyframes to begin them."""
        facts = self.facts
        claimed = facts.rate * self.read_s * work_of(facts.width * facts.height, 0)
        if claimed + work_of(0, self.path.stat().st_size) <= self.work:
            return Ration(self.work, self.read_s)
        keys = keyframe_count(self.path, self.longest_s)
        return Ration(self.work, self.read_s, stretches=min(max(keys, 1), STRETCHES))

    def _decode_audio(self) -> Samples:
        facts, progress = self.facts, Progress()
        limit = round(self.longest_s * SOUND_RATE)
        mono = library().AudioResampler(format="flt", layout="mono", rate=SOUND_RATE)
        parts = [np.zeros(0, np.float32)]
        samples = taken = 0
        with opened(self.path) as container:
            track = audio_track(container)
            if track is None:
                return parts[0]
            for second, frame in decoded(container, track, facts.start, progress):
                if len(parts) == 1:
                    parts.append(np.zeros(min(round(second * SOUND_RATE), limit), np.float32))
                sound = cast("AudioFrame", frame)
                new = [one.to_ndarray()[0] for one in mono.resample(sound)]
                samples += sum(map(len, new))
                taken += sound.samples * len(sound.layout.channels)
                parts += new
                if samples >= limit or taken > MOST_SAMPLES:
                    break
            if len(parts) > 1:
                parts += [one.to_ndarray()[0] for one in mono.resample(None)]
        self._note("audio", fault_of(self.path, facts, progress, self.longest_s))
        return np.concatenate(parts)[:limit]

    def _note(self, track: str, fault: Reason | None) -> None:
        if fault is not None:
            self.faults[track] = fault


def _copies(shown: Decoded, count: int, side: int) -> Iterator[Frame]:
    if count:
        picture = picture_of(shown.frame, side)
        for _ in range(count):
            yield Frame(shown.second, picture)
