"""The host report: which segments held, lost and converted, against own past and peers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tagcf.live.hosts.answers import (
    Comparison,
    Figure,
    HostLine,
    HostReport,
    Lack,
    SegmentReport,
    Side,
    Standing,
)
from tagcf.live.hosts.compare import Level, Rate, compare, own_level, peer_level, rate_of
from tagcf.live.hosts.measures import MEASURES, MeasureName
from tagcf.live.hosts.platform import Platform, measure_platform
from tagcf.live.hosts.shows import Played, draw_shows, play_rooms
from tagcf.live.hosts.verdicts import judge
from tagcf.live.rooms.segments import RoomSegments
from tagcf.live.rooms.workspace import LiveTables
from tagcf.types import Floats

THOUSAND = 1_000.0


def report_host(
    tables: LiveTables | Platform,
    streamer: str,
    *,
    level: float = 0.1,
    margin: float = 1.5,
    events: LiveTables | None = None,
) -> HostReport:
    """Report on a host's segments against the host's own past and against peers.

    Own past: the earlier segments of the host, just as they were. Peers: other hosts' segments
    about the same things (cosine of tags), with or without a product alike. Both are adjusted for
    length, viewers at the start, hour, offer and price.

    Parameters
    ----------
    tables
        Events, segments and tags; or a platform that was measured before, for many reports.
    level
        False discovery rate over all comparisons of the report.
    margin
        Times the usual: a segment is called usual where the whole interval lies within it.
    events
        The live tables, where `tables` is a platform: for highlights, drop-offs and the timeline.

    Raises
    ------
    DataError
        There are no segments.
    UnknownNameError
        There is no such host.
    """
    platform = tables if isinstance(tables, Platform) else measure_platform(tables)
    source = tables if isinstance(tables, LiveTables) else events
    rows = platform.rows_of(streamer)
    played = play_rooms(source, platform.segments, rows) if source is not None else Played.nothing()
    reports = [_report(platform, int(row), rows, played) for row in rows.tolist()]
    return HostReport(
        streamer,
        stand(platform, streamer),
        judge(reports, level, margin),
        draw_shows(played, platform.segments, rows, platform.show),
        len(platform.hosts),
        level,
        margin,
    )


def _report(platform: Platform, row: int, own: NDArray[np.int64], played: Played) -> SegmentReport:
    segments, viewing = platform.segments, platform.viewing
    inside = viewing.segment == row
    there = viewing.there[inside]
    start, end = float(segments.start[row]), float(segments.end[row])
    room = segments.room[row]
    figures = [
        figure_of(platform, name, row, own)
        for name, kind in MEASURES.items()
        if platform.selling[row] or not kind.selling
    ]
    return SegmentReport(
        segments.segment_id[row],
        segments.room_id[row],
        start,
        end,
        segments.tags[row],
        segments.product_id[row],
        float(segments.price[row]),
        bool(segments.offer[row]),
        int(there.sum()),
        int((there & ~viewing.lost[inside]).sum()),
        int(inside.sum()),
        tuple(one for one in figures if one is not None),
        tuple(
            one
            for one in played.highlights
            if one.room_id == segments.room_id[row] and start <= (one.start + one.end) / 2 < end
        ),
        tuple(one for one in played.dropoffs_in(room) if start <= one.start < end),
        (),
    )


def figure_of(
    platform: Platform, name: MeasureName, row: int, own: NDArray[np.int64]
) -> Figure | None:
    """One measure of a segment; none where nobody had a chance.

    Parameters
    ----------
    own
        Rows of the host's segments; those that ended before are its past.
    """
    measured, usual = platform.measured[name], platform.usual[name]
    chance = float(measured.chance[row])
    if chance <= 0:
        return None
    rate = rate_of(float(measured.total[row]), chance, float(measured.spread))
    segments, base = platform.segments, float(usual.rate[row])
    past = own[segments.end[own] <= segments.start[row] + 1.0]
    if MEASURES[name].selling:
        past = past[platform.selling[past]]
    mine = own_level(measured, usual, platform.viewing, past, row)
    theirs, alike = _peers(platform, name, row)
    viewers = int((platform.viewing.segment == row).sum())
    if name == "held":
        viewers = int(platform.at_start[row])
    value, low, high = _in_units(name, rate, platform, row)
    return Figure(
        name,
        value,
        low,
        high,
        _told(name, compare("own", rate, base, mine, viewers), platform, row),
        _told(name, compare("peers", rate, base, theirs, viewers, alike=alike), platform, row),
    )


def _peers(platform: Platform, name: MeasureName, row: int) -> tuple[Level | Lack, bool]:
    """Level of peers' segments about the same things; of any, where those are too few."""
    measured, usual, host = platform.measured[name], platform.usual[name], platform.host
    near = peer_level(measured, usual, host, platform.alike(row), row)
    if isinstance(near, Level):
        return near, platform.tags is not None
    anything = platform.others(row).astype(np.float64)
    return peer_level(measured, usual, host, anything, row), False


def _in_units(
    name: MeasureName, rate: Rate, platform: Platform, row: int
) -> tuple[float, float, float]:
    if name == "held":
        there = platform.viewing.there[platform.viewing.segment == row]
        gone = platform.viewing.lost[platform.viewing.segment == row]
        share = 1.0 - float(gone.sum()) / max(float(there.sum()), 1.0)
        low, high = (_kept(one, platform, row) for one in (rate.high, rate.low))
        return share, min(low, share), max(high, share)
    if MEASURES[name].selling:
        return THOUSAND * rate.value, THOUSAND * rate.low, THOUSAND * rate.high
    return rate.value, rate.low, rate.high


def _kept(rate: float, platform: Platform, row: int) -> float:
    """Share of viewers that a rate of leaving keeps over a segment."""
    minutes = float(platform.segments.end[row] - platform.segments.start[row]) / 60.0
    return float(np.exp(-rate * minutes))


def _told(name: MeasureName, one: Comparison, platform: Platform, row: int) -> Comparison:
    """Tell what is usual in the unit of the value."""
    if name == "held":
        usual = _kept(one.usual, platform, row)
    else:
        usual = one.usual * (THOUSAND if MEASURES[name].selling else 1.0)
    return replace(one, usual=usual)


def stand(platform: Platform, host: str) -> tuple[Standing, ...]:
    """Compare a host with all others, like for like; measures that are not known are left out."""
    mine = platform.rows_of(host)
    code = platform.hosts.index(host)
    standing: list[Standing] = []
    for name, kind in MEASURES.items():
        measured, usual = platform.measured[name], platform.usual[name]
        comparable = platform.selling if kind.selling else np.ones(len(platform.host), np.bool_)
        rows = mine[comparable[mine] & (measured.chance[mine] > 0)]
        expected = float((usual.rate * measured.chance)[rows].sum())
        if expected <= 0:
            continue
        total = float(measured.total[rows].sum())
        # Segments of a host vary by more than chance: that is part of the error of a host's rate.
        off = measured.total[rows] - total / expected * (usual.rate * measured.chance)[rows]
        spread = max(float(measured.spread), float(np.square(off).sum()) / max(total, 1e-9))
        weight: Floats = np.where(comparable & (platform.host != code), 1.0, 0.0)
        level = peer_level(measured, usual, platform.host, weight, -1)
        rate = rate_of(total, expected, spread)
        viewers = int(np.isin(platform.viewing.segment, rows).sum())
        value = total / float(measured.chance[rows].sum())
        if name == "held":
            gone, there = platform.viewing.lost, platform.viewing.there
            inside = np.isin(platform.viewing.segment, rows)
            value = 1.0 - float(gone[inside].sum()) / max(float(there[inside].sum()), 1.0)
        one = compare("peers", rate, 1.0, level, viewers)
        value *= THOUSAND if kind.selling else 1.0
        standing.append(Standing(name, value, _plain(name, one, value)))
    return tuple(standing)


def _plain(name: MeasureName, one: Comparison, value: float) -> Comparison:
    """Judge a comparison by its own interval: there are few of them."""
    if not np.isfinite(one.p):
        return one
    usual = value ** (1 / one.ratio) if name == "held" else value / one.ratio
    if one.p > 0.05:
        return replace(one, usual=usual, q=one.p)
    side: Side = "more" if one.ratio > 1 else "less"
    return replace(one, usual=usual, q=one.p, side=side, lack="")


def list_hosts(tables: LiveTables | Platform) -> tuple[HostLine, ...]:
    """A line for each host, in the order of their names."""
    platform = tables if isinstance(tables, Platform) else measure_platform(tables)
    segments = platform.segments
    return tuple(_line(platform, segments, host) for host in platform.hosts)


def _line(platform: Platform, segments: RoomSegments, host: str) -> HostLine:
    rows = platform.rows_of(host)
    inside = np.isin(platform.viewing.segment, rows)
    return HostLine(
        host,
        len({segments.room_id[row] for row in rows.tolist()}),
        len(rows),
        len(np.unique(platform.viewing.user[inside])),
        float((segments.end - segments.start)[rows].sum()) / 3600.0,
        stand(platform, host),
    )
