"""The simulated events as a platform would have them: ids, words, and the disorder of arrival."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tagcf.data.arrays import tags_from_arrays
from tagcf.data.simulate.live.behaviour import Acts
from tagcf.data.simulate.live.chat import Chat
from tagcf.data.simulate.live.people import DEVICES, People
from tagcf.data.simulate.live.platform import LivePlatform
from tagcf.data.simulate.live.rooms import CONTENT_EMOTIONS, Goods, Rooms, Segments
from tagcf.data.simulate.live.scene import Topics
from tagcf.types import Codes, Floats, IdMap, Mask, TagMatrix
from tagcf.types.live import EVENT_SCHEMA

LATE, LATE_SECONDS = 0.02, (30.0, 600.0)
TWICE, TWICE_SECONDS = 0.005, (1.0, 120.0)
DELAY = 0.8  # seconds, mean, of all others


@dataclass(frozen=True, slots=True)
class Names:
    """Ids by code."""

    users: list[str]  # users, then bots, then guests
    rooms: list[str]
    segments: list[str]
    products: list[str]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Rows of the event table: which act each is, and what befell it on the way."""

    act: NDArray[np.int64]
    delay: Floats  # seconds
    late: Mask
    again: Mask  # a second copy of an event that came before


def name_all(settings: LivePlatform, segments: Segments, n_products: int, n_accounts: int) -> Names:
    """Name everything; a segment is its room and its start, in epoch seconds."""
    rooms = [f"r{k:03d}" for k in range(settings.rooms)]
    start = settings.epoch(segments.start)
    return Names(
        users=[f"u{k:06d}" for k in range(max(settings.users, n_accounts))],
        rooms=rooms,
        segments=[f"{rooms[r]}@{ts:.0f}" for r, ts in zip(segments.room, start, strict=True)],
        products=[f"p{k:05d}" for k in range(n_products)],
    )


def arrive(settings: LivePlatform, done: Acts, rng: np.random.Generator) -> Arrival:
    """Draw when events arrive: some late, some twice."""
    n = len(done)
    late = rng.random(n) < LATE * settings.disorder
    delay = rng.exponential(DELAY, n) + np.where(late, rng.uniform(*LATE_SECONDS, n), 0)
    again = np.flatnonzero(rng.random(n) < TWICE * settings.disorder)
    act = np.concatenate([np.arange(n), again])
    delays = np.concatenate([delay, delay[again] + rng.uniform(*TWICE_SECONDS, len(again))])
    order = np.argsort(settings.epoch(done.at)[act] + delays, kind="stable")
    second = np.arange(len(act)) >= n
    return Arrival(act[order], delays[order], late[act[order]] & ~second[order], second[order])


def event_table(
    settings: LivePlatform,
    people: People,
    rooms: Rooms,
    topics: Topics,
    names: Names,
    done: Acts,
    chat: Chat,
    texts: list[str],
    arrival: Arrival,
) -> pa.Table:
    """Return the events in `EVENT_SCHEMA`, in the order of arrival."""
    row = arrival.act
    text = np.full(len(done), -1, np.int32)
    text[chat.act] = np.arange(len(chat.act))
    scenes = [scene.name for scene in topics.scenes]
    user, room = done.user[row], done.room[row]
    device = people.device[np.minimum(user, len(people.device) - 1)]
    columns = {
        "event_id": event_ids(row),
        "user_id": _taken(names.users, user),
        "room_id": _taken(names.rooms, room),
        "item_id": pa.nulls(len(row), pa.string()),
        "product_id": _taken(names.products, done.product[row]),
        "scene": _taken(scenes, rooms.scene[room]),
        "device": _taken(DEVICES, device),
        "ts": pa.array(np.round(settings.epoch(done.at[row]), 3)),
        "action": pa.array(done.action[row].astype(np.uint8)),
        "value": pa.array(done.value[row].astype(np.float32), from_pandas=True),
        "text": _taken(texts, text[row]),
    }
    return pa.table(columns, schema=EVENT_SCHEMA)


def event_ids(acts: NDArray[np.int64]) -> pa.StringArray:
    """Return the ids of acts, by their position."""
    return pa.array([f"e{k:08d}" for k in acts.tolist()], pa.string())


def _taken(names: list[str] | tuple[str, ...], codes: Codes) -> pa.StringArray:
    return pa.array(names, pa.string()).take(pa.array(codes, pa.int32(), mask=codes < 0))


def segment_frame(
    settings: LivePlatform, topics: Topics, goods: Goods, segments: Segments, names: Names
) -> pl.DataFrame:
    """Return segments as a platform would have them."""
    product = [None if p < 0 else names.products[p] for p in segments.product]
    return pl.DataFrame(
        {
            "segment_id": names.segments,
            "room_id": [names.rooms[room] for room in segments.room],
            "streamer_id": [f"h{room:03d}" for room in segments.room],
            "start_ts": settings.epoch(segments.start),
            "end_ts": settings.ending(segments.end),
            "text": segments.text,
            "product_id": product,
            "price": [None if p < 0 else float(goods.price[p]) for p in segments.product],
            "offer": segments.offer,
            "emotion": [CONTENT_EMOTIONS[e] for e in segments.emotion],
        },
        schema_overrides={"product_id": pl.String, "price": pl.Float64},
    )


def social_frame(people: People, names: Names) -> pl.DataFrame:
    """Return friendships, each in both directions."""
    links = people.friends.tocoo()
    return pl.DataFrame(
        {
            "user_id": [names.users[u] for u in links.coords[0]],
            "friend_id": [names.users[u] for u in links.coords[1]],
        }
    )


def tag_matrix(
    topics: Topics, goods: Goods, strength: Floats, segments: list[str], products: list[str]
) -> TagMatrix:
    """Return the tags of segments and of products."""
    of_goods = np.zeros((len(products), len(topics.tags)))
    of_goods[np.arange(len(products)), goods.tag] = 1.0
    items = IdMap(pa.array([*segments, *products], pa.string()))
    return tags_from_arrays(items, np.vstack([strength, of_goods]), topics.tags, "simulated")
