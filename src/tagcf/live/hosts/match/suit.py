"""Hosts for a viewer and viewers for a host, by interest and by how they did before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.errors import DataError, UnknownNameError
from tagcf.live.hosts.match.effects import Effects, fit_effects
from tagcf.live.hosts.match.past import FIT, PastVisits, fit_of, gather_visits
from tagcf.live.hosts.platform import host_names, segments_of
from tagcf.live.interest import InterestEngine
from tagcf.live.rooms.segments import RoomSegments
from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.wire import id_key
from tagcf.text import did_you_mean
from tagcf.types import Floats

RECENT = 12  # segments of a host that say what its rooms are about
SHARED = 3  # tags that explain a match
NORMAL = 1.959964
HISTORY = 0.2  # chosen on simulated worlds of seeds 100 and 101


@dataclass(frozen=True, slots=True)
class Match:
    """A viewer and a host; seconds are typical (median) of one to whom the room is shown.

    `parts` are factors on it, each against an average host: interest in what the host shows,
    the host with everybody, with such viewers, and with this one.
    """

    user: str
    host: str
    seconds: float
    low: float  # 95% interval of the typical length, not of the next visit
    high: float
    tags: tuple[str, ...]  # that the host shows and the viewer is after, the strongest first
    parts: tuple[tuple[str, float], ...]
    visits: int  # of this viewer to this host
    alike: int  # visits to the host by such viewers


@dataclass(frozen=True, slots=True)
class HostMatcher:
    """What was learned from past visits; the engine goes on living beside it."""

    hosts: tuple[str, ...]
    effects: Effects
    average: Floats  # (FIT,) interest, over visits
    recent: tuple[tuple[str, ...], ...]  # of each host: ids of its last segments
    slugs: tuple[str, ...]
    visits: int


def fit_matcher(
    tables: LiveTables, engine: InterestEngine | None = None
) -> tuple[HostMatcher, InterestEngine]:
    """Learn from past visits; return what was learned and an engine that has seen the stream.

    Parameters
    ----------
    engine
        A fresh one by default, to which nobody has said anything; one that is given must not have
        seen these events. What users say of their interests is for the engine that is asked later
        (`tagcf.live.kept.recorded_interests`): it was not so when past visits began.

    Raises
    ------
    DataError
        There are no segments.
    """
    segments = segments_of(tables)
    if engine is None:
        if tables.tags is None:
            raise DataError("live_hosts.no_tags")
        engine = InterestEngine(tables.tags, segments=tables.segments)
    past = gather_visits(engine, tables.events, segments)
    return learn(past, segments, engine), engine


def learn(past: PastVisits, segments: RoomSegments, engine: InterestEngine) -> HostMatcher:
    """Fit the effects of past visits."""
    keys = effect_keys(past.user, past.host, past.group)
    effects = fit_effects(np.log1p(past.seconds), past.interest, keys)
    names = np.array(host_names(segments))
    recent = []
    for host in past.hosts:
        rows = np.flatnonzero(names == host)
        rows = rows[np.argsort(segments.start[rows])][-RECENT:]
        recent.append(tuple(segments.segment_id[row] for row in rows.tolist()))
    average = past.interest.mean(axis=0) if len(past) else np.zeros(FIT)
    return HostMatcher(past.hosts, effects, average, tuple(recent), engine.slugs, len(past))


def effect_keys(
    user: NDArray[np.uint64], host: NDArray[np.int32], group: NDArray[np.int32]
) -> dict[str, NDArray[np.uint64]]:
    """(n,) keys of the effects that visits have; 0: none."""
    place = host.astype(np.uint64) + np.uint64(1)
    kind = group.astype(np.int64)
    such = np.where(kind >= 0, place * np.uint64(1 << 20) + kind.clip(0).astype(np.uint64), 0)
    with np.errstate(over="ignore"):
        both = (user * np.uint64(0x9E3779B97F4A7C15)) ^ (place * np.uint64(0xC2B2AE3D27D4EB4F))
    return {"viewer": user, "host": place, "such viewers": such, "this viewer": both}


def match_hosts(
    matcher: HostMatcher,
    engine: InterestEngine,
    user: str,
    k: int = 5,
    *,
    at: float | None = None,
    on_air: Mapping[str, str] | None = None,
    history: float = HISTORY,
) -> tuple[Match, ...]:
    """Rank hosts for a viewer by how long a visit would last.

    Parameters
    ----------
    engine
        Knows the viewer's interests of now.
    on_air
        Segment that is on, by host: only these are ranked, by what they show now. By default all,
        by their last segments.
    history
        Part that counts of what past visits say of the host beyond interest. Viewers chose those
        visits, so that a host's record also holds what it showed then: counting it in full ranks
        worse on simulated platforms.
    """
    hosts = list(matcher.hosts) if on_air is None else [h for h in matcher.hosts if h in on_air]
    if not hosts:
        return ()
    shown = [shown_by(matcher, host, on_air) for host in hosts]
    found = _judge(matcher, engine, [user] * len(hosts), hosts, shown, at, history)
    order = np.argsort(-found.centre, kind="stable")[:k]
    return tuple(_match(matcher, engine, found, int(j), at) for j in order)


def match_viewers(
    matcher: HostMatcher,
    engine: InterestEngine,
    host: str,
    users: Sequence[str],
    k: int = 20,
    *,
    at: float | None = None,
    segment: str | None = None,
    history: float = HISTORY,
) -> tuple[Match, ...]:
    """Rank viewers for a host by how long a visit would last: whom to tell that it is on.

    Parameters
    ----------
    segment
        What is on, or is about to be; by default the host's last segments.

    Raises
    ------
    UnknownNameError
        There is no such host.
    """
    if host not in matcher.hosts:
        hint, first = did_you_mean(host, matcher.hosts), ", ".join(matcher.hosts[:10])
        n = len(matcher.hosts)
        raise UnknownNameError("live_hosts.unknown_host", name=host, hint=hint, known=first, n=n)
    if not users:
        return ()
    shown = shown_by(matcher, host, None if segment is None else {host: segment})
    found = _judge(matcher, engine, users, [host] * len(users), [shown] * len(users), at, history)
    order = np.argsort(-found.centre, kind="stable")[:k]
    return tuple(_match(matcher, engine, found, int(j), at) for j in order)


def shown_by(matcher: HostMatcher, host: str, on_air: Mapping[str, str] | None) -> tuple[str, ...]:
    """Ids of the segments by which a host is judged."""
    if on_air is not None:
        return (on_air[host],)
    return matcher.recent[matcher.hosts.index(host)]


@dataclass(frozen=True, slots=True)
class _Judged:
    """n pairs; log seconds."""

    users: Sequence[str]
    hosts: Sequence[str]
    shown: Sequence[tuple[str, ...]]
    centre: Floats
    deviation: Floats
    parts: dict[str, Floats]
    visits: NDArray[np.int64]
    alike: NDArray[np.int64]


def _judge(
    matcher: HostMatcher,
    engine: InterestEngine,
    users: Sequence[str],
    hosts: Sequence[str],
    shown: Sequence[tuple[str, ...]],
    at: float | None,
    history: float,
) -> _Judged:
    n, effects = len(users), matcher.effects
    interest, group = np.zeros((n, FIT)), np.full(n, -1, np.int32)
    for j, (user, ids) in enumerate(zip(users, shown, strict=True)):
        interest[j], group[j] = fit_of(engine, user, engine.content_rows(ids), at)
    host = np.array([matcher.hosts.index(one) for one in hosts], np.int32)
    keys = effect_keys(np.array([id_key(one) for one in users], np.uint64), host, group)
    read = {name: effects.of[name].at(column) for name, column in keys.items()}
    viewer, mean = read["viewer"][0], interest @ effects.slopes
    own = {name: history * read[name][0] for name in ("host", "such viewers", "this viewer")}
    variance = sum(read[name][1] for name in own)
    centre = effects.level + mean + viewer + sum(own.values())
    parts = {"interest": (interest - matcher.average) @ effects.slopes, **own}
    visits, alike = read["this viewer"][2], read["such viewers"][2]
    return _Judged(users, hosts, shown, centre, np.sqrt(variance), parts, visits, alike)


def _match(
    matcher: HostMatcher, engine: InterestEngine, found: _Judged, j: int, at: float | None
) -> Match:
    centre, reach = float(found.centre[j]), NORMAL * float(found.deviation[j])
    seconds, low, high = np.expm1([centre, centre - reach, centre + reach]).clip(0.0).tolist()
    user = found.users[j]
    parts = tuple((name, float(np.exp(part[j]))) for name, part in found.parts.items())
    tags = shared_tags(engine, user, found.shown[j], at)
    return Match(
        user, found.hosts[j], seconds, low, high, tags, parts, int(found.visits[j]),
        int(found.alike[j]),
    )  # fmt: skip


def shared_tags(
    engine: InterestEngine, user: str, shown: Sequence[str], at: float | None
) -> tuple[str, ...]:
    """Tags that segments have and a viewer is after, by both strengths together."""
    rows = engine.content_rows(list(shown))
    about = np.asarray(engine.shelf.strength[rows[rows >= 0]].sum(axis=0)).ravel()
    wants = np.zeros(len(engine.slugs))
    for one in engine.interest(user, at, len(engine.slugs)):
        wants[engine.tag_at[one.tag]] = max(one.strength, 0.0)
    both = about * wants
    order = np.argsort(-both, kind="stable")[:SHARED]
    return tuple(engine.slugs[k] for k in order.tolist() if both[k] > 0)
