"""Themes of a host: segments about the same thing with the same product, and how they did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tagcf.live.hosts.answers import Comparison, HostReport, SegmentReport
from tagcf.live.hosts.compare import FEWEST_HOSTS, FEWEST_SEGMENTS, Level, peer_level
from tagcf.live.hosts.measures import MEASURES, MeasureName
from tagcf.live.hosts.platform import Platform

SPREAD = 0.4  # standard deviation of log ratios between themes before anything is known
NORMAL = 1.959964
LENGTHS = (3.0, 12.0)  # minutes of a segment that a rundown gives, at least and at most


@dataclass(frozen=True, slots=True)
class Theme:
    """Segments of one host about one tag, with one product or none."""

    tag: str | None
    product_id: str | None
    segments: tuple[SegmentReport, ...]
    staying: float  # shrunk log ratio of watching, against peers or else the own past
    buying: float  # the same of purchases, carts and clicks
    held: int  # segments of that verdict
    lost: int
    converted: int
    highlights: int

    @property
    def minutes(self) -> float:
        """Median length of those that did not lose viewers, within bounds."""
        chosen = [one for one in self.segments if "lost" not in one.verdicts] or self.segments
        middle = float(np.median([(one.end - one.start) / 60.0 for one in chosen]))
        return float(np.clip(middle, *LENGTHS))


@dataclass(frozen=True, slots=True)
class PeerTheme:
    """A tag that does well with peers and that the host has not shown."""

    tag: str
    ratio: float  # of watch seconds, against all peers
    low: float
    high: float
    segments: int
    hosts: int


def find_themes(report: HostReport) -> tuple[Theme, ...]:
    """Themes of a report, the one that keeps viewers best first."""
    groups: dict[tuple[str | None, str | None], list[SegmentReport]] = defaultdict(list)
    for one in report.segments:
        # What is sold is the theme, whatever is talked about meanwhile.
        tag = one.tags[0] if one.tags and one.product_id is None else None
        groups[tag, one.product_id].append(one)
    themes = [
        _theme(tag if product is None else _most_frequent(found), product, found)
        for (tag, product), found in groups.items()
    ]
    return tuple(
        sorted(themes, key=lambda one: (-one.staying, one.tag or "", one.product_id or ""))
    )


def _most_frequent(found: Sequence[SegmentReport]) -> str | None:
    counted = Counter(one.tags[0] for one in found if one.tags)
    return counted.most_common(1)[0][0] if counted else None


def _theme(tag: str | None, product: str | None, found: Sequence[SegmentReport]) -> Theme:
    return Theme(
        tag,
        product,
        tuple(found),
        _shrunk(found, ("watch",)),
        max(_shrunk(found, (name,)) for name in ("purchases", "carts", "clicks"))
        if product is not None
        else 0.0,
        sum("held" in one.verdicts for one in found),
        sum("lost" in one.verdicts for one in found),
        sum("converted" in one.verdicts for one in found),
        sum(len(one.highlights) for one in found),
    )


def _shrunk(found: Sequence[SegmentReport], names: Sequence[MeasureName]) -> float:
    """Mean log ratio, each weighted by what is known of it, drawn towards 0."""
    total, weight = 0.0, 1.0 / SPREAD**2
    for report in found:
        for figure in report.figures:
            one = _told(figure.peers) or _told(figure.own)
            if figure.measure not in names or one is None:
                continue
            known = 1.0 / (SPREAD**2 + ((np.log(one.high) - np.log(one.ratio)) / NORMAL) ** 2)
            total += known * MEASURES[figure.measure].good * float(np.log(one.ratio))
            weight += known
    return float(total / weight)


def _told(one: Comparison) -> Comparison | None:
    return one if np.isfinite(one.ratio) and np.isfinite(one.high) and one.ratio > 0 else None


def peer_themes(platform: Platform, host: str) -> tuple[PeerTheme, ...]:
    """Tags, not shown by a host, whose segments hold peers' viewers longer than others do.

    A tag is the main one of a segment. Intervals are those of `peer_level`: clusters are hosts.
    """
    mine = set(platform.rows_of(host).tolist())
    main = np.array([tags[0] if tags else "" for tags in platform.segments.tags])
    shown = {main[row] for row in mine}
    others = platform.host != platform.hosts.index(host)
    measured, usual = platform.measured["watch"], platform.usual["watch"]
    level = peer_level(measured, usual, platform.host, others.astype(np.float64), -1)
    if not isinstance(level, Level):
        return ()
    found: list[PeerTheme] = []
    for tag in sorted(set(main[others].tolist()) - shown - {""}):
        here = (others & (main == tag)).astype(np.float64)
        own = peer_level(measured, usual, platform.host, here, -1)
        if not isinstance(own, Level) or own.segments < FEWEST_SEGMENTS or own.hosts < FEWEST_HOSTS:
            continue
        d, reach = own.log - level.log, float(np.hypot(own.reach, level.reach))
        ratio, low, high = np.exp([d, d - reach, d + reach]).tolist()
        if low > 1:
            found.append(PeerTheme(tag, ratio, low, high, own.segments, own.hosts))
    return tuple(sorted(found, key=lambda one: -one.low))
