"""Hosts, their rooms, what they sell, and the segments of a room. R rooms, G segments."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tagcf.data.simulate.live.people import TRUST_FACTORS, People
from tagcf.data.simulate.live.platform import TICK, LivePlatform
from tagcf.data.simulate.live.scene import Topics, words
from tagcf.types import Codes, Floats, Mask

GOODS_PER_ROOM = 5
# Strength of the other tags of a segment; the main one's is 1, MOOD that of a shared tag.
SECOND, MOOD = 0.5, 0.4
SEGMENT_SECONDS = (300, 600)
AIR_SHARE = (0.3, 0.55)  # of the opening hours, a room a day
FOCUS = 0.6  # of the Dirichlet from which a room's tags are drawn: small, few tags
STAYS = 0.6  # chance that a segment is about what the one before was
OFFER = 0.25  # chance that a selling segment comes with an offer
CONTENT_EMOTIONS = ("joy", "affection", "surprise", "none")


@dataclass(frozen=True, slots=True)
class Rooms:
    """Rooms and the hosts who run them, one each."""

    scene: Codes  # (R,)
    profile: Floats  # (R, T) chance of each tag as a segment's main one
    charm: Floats  # (R, TRUST_FACTORS) whom a host appeals to
    skill: Floats  # (R,) standard normal: holds, sells, draws people in
    resonance: Floats  # (R,) chance that the audience's emotion is the content's
    goods: Codes  # (R, GOODS_PER_ROOM) products

    def trust(self, people: People, users: Codes, rooms: Codes) -> Floats:
        """How much users take to the hosts of rooms; standard deviation about one."""
        trust: Floats = 1.3 * (people.trusting[users] * self.charm[rooms]).sum(axis=-1)
        return trust


@dataclass(frozen=True, slots=True)
class Goods:
    """Products. P products."""

    tag: Codes  # (P,)
    price: Floats  # (P,) money
    name: tuple[str, ...]  # (P,)


@dataclass(frozen=True, slots=True)
class Segments:
    """Rooms cut in time, in the order of room and start; inner seconds."""

    room: Codes
    start: Floats
    end: Floats
    main: Codes  # tag
    strength: Floats  # (G, T) 0..1
    product: Codes  # -1: none on the table
    offer: Mask
    emotion: Codes  # of the content, position in CONTENT_EMOTIONS
    text: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.room)


def draw_rooms(
    settings: LivePlatform, topics: Topics, rng: np.random.Generator
) -> tuple[Rooms, Goods]:
    """Draw hosts with their skill and style, and the products of each."""
    n, n_tags = settings.rooms, len(topics.tags)
    scene = rng.permutation(np.arange(n) % len(topics.scenes)).astype(np.int32)
    profile = np.zeros((n, n_tags))
    tag = np.empty((n, GOODS_PER_ROOM), np.int32)
    names: list[str] = []
    for room in range(n):
        own = np.flatnonzero(topics.scene_of == scene[room])
        profile[room, own] = rng.dirichlet(np.full(len(own), FOCUS))
        tag[room] = rng.choice(own, GOODS_PER_ROOM)
        kinds = rng.choice(topics.scenes[scene[room]].goods, GOODS_PER_ROOM)
        names += [f"{topics.tags[t].zh}{kind}" for t, kind in zip(tag[room], kinds, strict=True)]
    rooms = Rooms(
        scene=scene,
        profile=profile,
        charm=rng.normal(size=(n, TRUST_FACTORS)),
        skill=rng.normal(size=n),
        resonance=rng.uniform(0.2, 0.8, n),
        goods=np.arange(n * GOODS_PER_ROOM, dtype=np.int32).reshape(n, GOODS_PER_ROOM),
    )
    price = np.round(rng.lognormal(np.log(80), 0.7, n * GOODS_PER_ROOM)) - 0.1
    return rooms, Goods(tag.ravel(), np.maximum(price, 4.9), tuple(names))


def draw_segments(
    settings: LivePlatform,
    topics: Topics,
    rooms: Rooms,
    goods: Goods,
    rng: np.random.Generator,
) -> Segments:
    """Put every room on air once a day, and cut its hours into segments."""
    room, start, end = _cut(settings, topics, rooms, rng)
    return fill_segments(topics, rooms, goods, room, start, end, rng)


def _cut(
    settings: LivePlatform, topics: Topics, rooms: Rooms, rng: np.random.Generator
) -> tuple[Codes, Floats, Floats]:
    peaks = np.array([scene.peak for scene in topics.scenes])[rooms.scene]
    pieces: list[tuple[int, float, float]] = []
    for day in range(settings.days):
        long = settings.window * rng.uniform(*AIR_SHARE, settings.rooms)
        middle = settings.window * (peaks + 0.12 * rng.normal(size=settings.rooms))
        begins = np.clip(middle - long / 2, 0, settings.window - long)
        for room in range(settings.rooms):
            lengths = rng.uniform(*SEGMENT_SECONDS, int(long[room] / SEGMENT_SECONDS[0]) + 1)
            edges = begins[room] + np.append(0, lengths.cumsum())
            edges = np.append(
                edges[edges < begins[room] + long[room] - 120], begins[room] + long[room]
            )
            edges = day * settings.window + TICK * np.floor(edges / TICK)
            pieces += [(room, a, b) for a, b in pairwise(edges) if b > a]
    cut = np.array(sorted(pieces))
    return cut[:, 0].astype(np.int32), cut[:, 1], cut[:, 2]


def fill_segments(
    topics: Topics,
    rooms: Rooms,
    goods: Goods,
    room: Codes,
    start: Floats,
    end: Floats,
    rng: np.random.Generator,
) -> Segments:
    """Draw what segments (n,) of these rooms are about: tags, product, offer, emotion, words."""
    n, row = len(room), np.arange(len(room))
    main = _draw_from(rooms.profile[room], rng)
    goes_on = (rng.random(n) < STAYS) & np.append(False, room[1:] == room[:-1])
    origin = np.maximum.accumulate(np.where(goes_on, 0, row))
    main = main[origin]
    strength = np.zeros((n, len(topics.tags)))
    same = rooms.profile[room] + 0.02 * (topics.scene_of == rooms.scene[room][:, None])
    same[row, main] = 0
    second = _draw_from(same, rng)
    strength[row, second] = SECOND
    shared = np.flatnonzero(topics.scene_of < 0)
    if len(shared):
        strength[row, rng.choice(shared, n)] = MOOD
    strength[row, main] = 1.0
    sells = np.array([scene.sells for scene in topics.scenes])[rooms.scene[room]]
    selling = rng.random(n) < sells
    # A product that has to do with the segment is more likely to be on the table.
    fits = 1 + 4 * (goods.tag[rooms.goods[room]] == main[:, None])
    picked = _draw_from(fits.astype(np.float64), rng)
    product = np.where(selling, rooms.goods[room, picked], -1).astype(np.int32)
    offer = selling & (rng.random(n) < OFFER)
    emotion = rng.choice(len(CONTENT_EMOTIONS), n, p=[0.35, 0.25, 0.15, 0.25]).astype(np.int32)
    text = _talk(topics, goods, main, second, product, offer, rng)
    return Segments(room, start, end, main, strength, product, offer, emotion, text)


def _draw_from(weight: Floats, rng: np.random.Generator) -> Codes:
    """(n,) a column for each row, by weight; the first where nothing has any."""
    ladder = weight.cumsum(axis=1)
    position = (rng.random(len(weight)) * ladder[:, -1])[:, None]
    column = (ladder <= position).sum(axis=1).clip(0, weight.shape[1] - 1)
    return np.asarray(column, dtype=np.int32)


def _talk(
    topics: Topics,
    goods: Goods,
    main: Codes,
    second: Codes,
    product: Codes,
    offer: Mask,
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """(n,) what hosts say: two or three sentences with words of the tags and of the product."""
    host = words("talk")["host"]
    texts: list[str] = []
    for k in range(len(main)):
        facts = {
            "t": str(rng.choice(topics.tags[main[k]].keywords)),
            "u": str(rng.choice(topics.tags[second[k]].keywords)),
            "n": int(rng.integers(1, 9)),
        }
        said = [str(rng.choice(host["plain"]))]
        if product[k] >= 0:
            facts |= {"p": goods.name[product[k]], "c": f"{goods.price[product[k]]:.1f}"}
            said += [str(one) for one in rng.choice(host["selling"], 2, replace=False)]
        if offer[k]:
            said.append(str(rng.choice(host["offer"])))
        texts.append("。".join(one.format(**facts) for one in said) + "。")
    return tuple(texts)
