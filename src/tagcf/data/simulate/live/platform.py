"""Size and character of a simulated live platform, and its clock."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from tagcf.data.simulate.exposure import DAY, START
from tagcf.data.simulate.sector import SECTORS, SectorName
from tagcf.errors import SettingsError
from tagcf.types import Codes, Floats

TICK = 5  # seconds; segments and bursts begin on a multiple of it


@dataclass(frozen=True, slots=True)
class LivePlatform:
    """Size and character of a simulated live platform.

    Parameters
    ----------
    opens, hours
        Hour of the day (UTC) at which rooms may go on air, and for how many hours a day.
    highlights
        Highlights per room and hour on air, where enough people watch.
    decoys
        Multiplies how often something looks like a highlight and is none.
    disorder
        Multiplies the share of events that come late or twice.
    start
        Epoch seconds of the first day's midnight.
    """

    sector: SectorName = "video"
    users: int = 400
    rooms: int = 24
    tags: int = 32
    days: int = 2
    opens: float = 18.0
    hours: float = 4.0
    seed: int = 0
    highlights: float = 2.0
    decoys: float = 1.0
    disorder: float = 1.0
    start: float = START + 28.0 * DAY

    def __post_init__(self) -> None:
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        limits = {
            "users": self.users >= 12,
            "rooms": self.rooms >= 4,
            "tags": 12 <= self.tags <= 1_000,
            "days": self.days >= 1,
            "opens": self.opens >= 0,
            "hours": 1 <= self.hours <= 24 - self.opens,
            "seed": self.seed >= 0,
            "highlights": 0 <= self.highlights <= 6,
            "decoys": 0 <= self.decoys <= 2,
            "disorder": 0 <= self.disorder <= 10,
            "sector": self.sector in SECTORS,
        }
        for name, holds in limits.items():
            if not holds:
                raise SettingsError("simulate.bad_setting", name=name, value=known[name])

    @property
    def window(self) -> int:
        """Seconds of a day in which rooms may be on air, a multiple of `TICK`."""
        return int(self.hours * 3600 / TICK) * TICK

    @property
    def seconds(self) -> int:
        """Length of the world on its inner clock, which runs during opening hours only."""
        return self.days * self.window

    @property
    def ticks(self) -> int:
        """Number of ticks of `TICK` seconds in `seconds`."""
        return self.seconds // TICK

    def epoch(self, inner: Floats) -> Floats:
        """Turn the inner clock into epoch seconds."""
        day, offset = np.divmod(inner, self.window)
        epoch: Floats = self.start + day * DAY + self.opens * 3600 + offset
        return epoch

    def ending(self, inner: Floats) -> Floats:
        """Turn ends into epoch seconds: what goes on until rooms close ends then, not next day."""
        day, offset = np.divmod(inner, self.window)
        closing = (offset == 0) & (day > 0)
        ends: Floats = self.epoch(inner) - closing * (DAY - self.window)
        return ends

    def inner(self, epoch: Floats) -> Floats:
        """Turn epoch seconds into the inner clock; times outside the opening hours are clipped."""
        day, offset = np.divmod(epoch - self.start, DAY)
        offset = np.clip(offset - self.opens * 3600, 0, self.window - 1e-3)
        inner: Floats = np.clip(day, 0, self.days - 1) * self.window + offset
        return inner

    def share_of_day(self, inner: Floats) -> Floats:
        """Return how far the opening hours have gone, 0..1."""
        share: Floats = (np.asarray(inner, np.float64) % self.window) / self.window
        return share

    def day_of(self, inner: Floats) -> Codes:
        """Return the day of the world, from 0."""
        return (np.asarray(inner) // self.window).astype(np.int32)
