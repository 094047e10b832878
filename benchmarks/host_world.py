"""Rooms whose segments hold, lose and sell by known rates: the truth for host reports. SIMULATED.

Segments differ by tag, host and chance; some carry an effect that was planted. Viewers come back,
and differ in how active they are and how much they buy, so that their acts belong together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from tagcf.live.rooms.workspace import LiveTables
from tagcf.live.wire import BadEvents, from_table
from tagcf.tags.matrix import tag_matrix_from_frame
from tagcf.types import IdMap, Tag
from tagcf.types.live import ACTIONS, EVENT_SCHEMA

START = 1_738_600_000.0
LEAVING, ACTING, BUYING = 0.09, 0.8, 0.05  # per minute, per minute, per viewer of a segment
PRICE_SLOPE = -0.4


@dataclass(frozen=True)
class Setting:
    """Size and spread of a world; spreads are standard deviations of log rates."""

    hosts: int = 12
    shows: int = 3
    segments: int = 10  # of a show
    arrivals: float = 9.0  # a minute and room
    users: int = 4_000
    tags: int = 3
    of_host: float = 0.2
    of_segment: float = 0.15
    of_tag: float = 0.3
    planted: float = 0.2  # share of the first host's segments
    effect: float = 0.6  # log ratio, up or down


@dataclass(frozen=True)
class World:
    """Tables, and true log rates by segment without the price's part: leaving, acting, buying."""

    tables: LiveTables
    log: np.ndarray  # (G, 3)
    peers: np.ndarray  # (G, 3) expected of a peer's segment about the same
    price: np.ndarray  # (G,) log price above the mean; NaN: no product
    ids: list[str]
    planted: np.ndarray  # (G,) segments with an effect of their own


def made_up(seed: int, setting: Setting) -> World:
    rng = np.random.default_rng(seed)
    n = setting.hosts * setting.shows * setting.segments
    host = np.repeat(np.arange(setting.hosts), setting.shows * setting.segments)
    show = np.tile(np.repeat(np.arange(setting.shows), setting.segments), setting.hosts)
    minutes = rng.uniform(6.0, 10.0, n)
    tag = rng.integers(0, setting.tags, n)
    price = np.where(rng.random(n) < 0.6, rng.normal(0, 0.6, n), np.nan)
    start = np.empty(n)
    for h in range(setting.hosts):
        for s in range(setting.shows):
            rows = (host == h) & (show == s)
            begin = START + 86_400.0 * s + rng.uniform(0, 5_400)
            start[rows] = begin + 60.0 * np.append(0.0, minutes[rows].cumsum()[:-1])
    of_tag = setting.of_tag * rng.normal(size=(setting.tags, 3))
    usual = setting.of_host * rng.normal(size=(setting.hosts, 3))[host]
    usual += setting.of_segment * rng.normal(size=(n, 3))
    planted = (host == 0) & (rng.random(n) < setting.planted)
    extra = np.where(planted[:, None], setting.effect * rng.choice([-1.0, 1.0], (n, 3)), 0.0)
    log = np.log([LEAVING, ACTING, BUYING]) + of_tag[tag] + usual + extra
    spread = (setting.of_host**2 + setting.of_segment**2) / 2
    peers = np.log([LEAVING, ACTING, BUYING]) + of_tag[tag] + spread
    segments = pl.DataFrame(
        {
            "segment_id": [f"s{k}" for k in range(n)],
            "room_id": [f"room{h}" for h in host],
            "streamer_id": [f"host{h:02d}" for h in host],
            "start_ts": start,
            "end_ts": start + 60.0 * minutes,
            "product_id": [None if np.isnan(p) else "goods" for p in price],
            "price": [None if np.isnan(p) else float(50 * np.exp(p)) for p in price],
            "offer": [False] * n,
        },
        schema_overrides={"product_id": pl.String, "price": pl.Float64},
    )
    rates = np.exp(log)
    rates[:, 2] *= np.exp(PRICE_SLOPE * np.nan_to_num(price))
    activity = rng.gamma(2.0, 0.5, setting.users)  # mean 1
    buying = rng.gamma(2.0, 0.5, setting.users)
    parts = [
        _show(rows, start, minutes, rates, ~np.isnan(price), activity, buying, host, setting, rng)
        for rows in np.split(np.arange(n), setting.hosts * setting.shows)
    ]
    events = pl.concat(parts).sort("ts")
    table = pa.table(
        {
            "event_id": [f"e{k}" for k in range(events.height)],
            "user_id": events["user"].to_list(),
            "room_id": events["room"].to_list(),
            "item_id": pa.nulls(events.height, pa.string()),
            "product_id": pa.nulls(events.height, pa.string()),
            "scene": pa.nulls(events.height, pa.string()),
            "device": pa.nulls(events.height, pa.string()),
            "ts": events["ts"].to_numpy(),
            "action": events["action"].to_numpy().astype(np.uint8),
            "value": pa.nulls(events.height, pa.float32()),
            "text": pa.nulls(events.height, pa.string()),
        },
        schema=EVENT_SCHEMA,
    )
    ids = segments["segment_id"].to_list()
    tags = tuple(Tag(f"t{k}", f"标签{k}", f"tag {k}", "theme") for k in range(setting.tags))
    frame = pl.DataFrame(
        {
            "item_id": ids,
            "tag": [f"t{k}" for k in tag],
            "strength": [1.0] * n,
            "source": ["made up"] * n,
        }
    )
    matrix = tag_matrix_from_frame(frame, IdMap(pa.array(ids, pa.string())), tags)
    tables = LiveTables(from_table(table), segments, matrix, BadEvents(), 0, 0)
    return World(tables, log, peers, price, ids, planted)


def _show(rows, start, minutes, rates, sells, activity, buying, host, setting, rng) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    """Events of one show: who comes, stays by the rate of each segment, acts and buys."""
    edges = np.append(0.0, minutes[rows].cumsum())  # minutes from the start of the show
    flow = np.append(0.0, (rates[rows, 0] * minutes[rows]).cumsum())
    count = rng.poisson(setting.arrivals * edges[-1])
    came = np.sort(rng.uniform(-12.0, edges[-1], count)).clip(0.01)
    level = np.interp(came, edges, flow) + rng.exponential(1.0, count)
    gone = np.where(level < flow[-1], np.interp(level, flow, edges), edges[-1])
    user = rng.permutation(setting.users)[:count]  # once a show and room
    closes = gone >= edges[-1]
    parts = [(user, came, "click"), (user[~closes], gone[~closes], "leave")]
    parts.append((user[closes], np.full(int(closes.sum()), edges[-1] - 0.02), "leave"))
    beats = [
        (user[gone - came > at], came[gone - came > at] + at, "dwell")
        for at in np.arange(2.0, edges[-1], 2.0)
    ]
    parts += beats
    for k, row in enumerate(rows.tolist()):
        since, until = np.maximum(came, edges[k]), np.minimum(gone, edges[k + 1])
        inside = np.flatnonzero(until > since)
        acts = rng.poisson(rates[row, 1] * activity[user[inside]] * (until - since)[inside])
        who = np.repeat(inside, acts)
        at = since[who] + rng.random(len(who)) * (until - since)[who]
        parts.append((user[who], at, "like"))
        if sells[row]:
            # Once a viewer and segment, whichever of several visits it is.
            first = inside[np.unique(user[inside], return_index=True)[1]]
            buys = rng.poisson(rates[row, 2] * buying[user[first]])
            who = np.repeat(first, buys)
            parts.append((user[who], (since[who] + until[who]) / 2, "purchase"))
    begin, room = start[rows[0]], f"room{host[rows[0]]}"
    return pl.concat(
        [
            pl.DataFrame(
                {
                    "user": [f"u{code}" for code in who.tolist()],
                    "room": [room] * len(who),
                    "ts": begin + 60.0 * at,
                    "action": np.full(len(who), ACTIONS.index(name), np.int64),
                }
            )
            for who, at, name in parts
            if len(who)
        ]
    )
