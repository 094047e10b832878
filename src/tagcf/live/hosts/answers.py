"""What a host report says; times are epoch seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tagcf.live.hosts.measures import MeasureName
from tagcf.live.rooms.dropoff import DropOff
from tagcf.live.rooms.highlights import Highlight
from tagcf.types import Floats

Against = Literal["own", "peers"]
Side = Literal["more", "less", "usual", "cannot tell"]
Verdict = Literal["held", "lost", "converted", "sold less", "usual", "cannot tell"]
Lack = Literal["", "viewers", "segments", "hosts", "events", "wide"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A segment's rate over what is usual, with a 95% interval; NaN where there is none.

    `side` is what stands after the false discovery rate over the whole report; "usual" means that
    the interval lies within the margin, "cannot tell" that it does neither, and `lack` why.
    """

    against: Against
    usual: float  # in the unit of the value beside it
    ratio: float  # of rates; of "held", of the rates of leaving
    low: float
    high: float
    p: float
    q: float
    side: Side
    lack: Lack
    segments: int  # compared with
    hosts: int
    alike: bool  # they are about the same things; else too few are, and they are about anything


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure of a segment: its value, with its own 95% interval, and how it compares.

    Values are shares (held), seconds (watch), per viewer-minute (lost, interactions), and per
    1,000 viewers (clicks, carts, purchases).
    """

    measure: MeasureName
    value: float
    low: float
    high: float
    own: Comparison
    peers: Comparison


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """One segment of a host's rooms."""

    segment_id: str
    room_id: str
    start: float
    end: float
    tags: tuple[str, ...]
    product_id: str | None
    price: float  # NaN: none
    offer: bool
    at_start: int  # viewers
    stayed: int  # of them, at the end
    viewers: int  # different ones, at any time
    figures: tuple[Figure, ...]
    highlights: tuple[Highlight, ...]
    dropoffs: tuple[DropOff, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Show:
    """A stretch on air, counted in steps of `step` seconds."""

    room_id: str
    start: float
    end: float
    step: int
    viewers: Floats  # (n,) mean
    acts: Floats  # (n,) likes, comments and the like, a viewer and minute
    segments: tuple[str, ...]  # ids


@dataclass(frozen=True, slots=True)
class Standing:
    """A host among all hosts: one measure over all segments, like for like."""

    measure: MeasureName
    value: float
    peers: Comparison


@dataclass(frozen=True, slots=True)
class HostReport:
    """All about one host."""

    host: str
    standing: tuple[Standing, ...]
    segments: tuple[SegmentReport, ...]  # in the order of time
    shows: tuple[Show, ...]
    hosts: int  # of the platform, this one included
    level: float  # false discovery rate
    margin: float  # times the usual within which a segment is called usual

    def with_verdict(self, verdict: Verdict) -> tuple[SegmentReport, ...]:
        """Return the segments of one verdict, in the order of time."""
        return tuple(one for one in self.segments if verdict in one.verdicts)


@dataclass(frozen=True, slots=True)
class HostLine:
    """One host in the list of all."""

    host: str
    rooms: int
    segments: int
    viewers: int
    hours: float
    standing: tuple[Standing, ...]
