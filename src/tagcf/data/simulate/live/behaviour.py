"""What viewers do while they watch: interactions at rates that a room's bursts multiply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.data.simulate.live.bursts import INTERACTIONS, KINDS, RATES, Bursts
from tagcf.data.simulate.live.people import People
from tagcf.data.simulate.live.platform import TICK
from tagcf.data.simulate.live.rooms import Goods, Segments
from tagcf.data.simulate.live.scene import Topics
from tagcf.data.simulate.live.visits import Pieces, Shows
from tagcf.types import Codes, Floats
from tagcf.types.live import ACTIONS

HEARTBEAT = 120.0  # seconds of watching after which a dwell is reported
LIKING = 2.2  # log rate per unit of match
CLICKS, CARTS = 0.0035, 0.0006  # a second, of a product that the user does not want
CLICKING, CARTING = 1.6, 2.2  # log rate per unit of wanting it
USUAL = 0.9  # match at which the rates are those of RATES; also of guests


@dataclass(frozen=True, slots=True)
class Acts:
    """Events before ids, text and disorder; inner seconds. -1 where there is none."""

    user: Codes
    room: Codes
    segment: Codes
    product: Codes
    interest: Codes
    at: Floats
    action: Codes  # position in ACTIONS
    value: Floats  # NaN where none
    planted: Codes  # burst that it is part of, where it is an act of its own

    def __len__(self) -> int:
        return len(self.user)


def acts(
    user: Codes,
    room: Codes,
    segment: Codes,
    at: Floats,
    action: str | Codes,
    *,
    product: Codes | None = None,
    interest: Codes | None = None,
    value: Floats | None = None,
    planted: Codes | None = None,
) -> Acts:
    """Fill the columns that are not given."""
    n = len(user)
    none = np.full(n, -1, np.int32)
    code = np.full(n, ACTIONS.index(action), np.int32) if isinstance(action, str) else action
    return Acts(
        user,
        room,
        segment,
        none if product is None else product,
        none if interest is None else interest,
        at,
        code,
        np.full(n, np.nan) if value is None else value,
        none if planted is None else planted,
    )


def desire(
    topics: Topics, people: People, goods: Goods, user: Codes, interest: Codes, product: Codes
) -> Floats:
    """How much users want products: 1 where it is about their interest, and by their taste."""
    tag = goods.tag[product]
    known = interest >= 0
    same = known & (tag == interest)
    near = known & ~same & (topics.scene_of[tag] == topics.scene_of[interest])
    own = np.where(known, people.taste[np.minimum(user, len(people.kind) - 1), tag], 0)
    wanting: Floats = same + 0.25 * near + 0.3 * np.tanh(own)
    return wanting


def individual_rates(people: People, pieces: Pieces) -> Floats:
    """(n, A) how often each piece's viewer does what, times the room's rate; guests are average."""
    n_users = len(people.kind)
    known = pieces.user < n_users
    user = np.minimum(pieces.user, n_users - 1)
    match = np.where(known, np.clip(pieces.match, -0.2, 1.3), USUAL)
    rates = RATES * np.exp(LIKING * (match[:, None] - USUAL))
    rates *= np.exp(np.where(known, people.activity[user] - 0.125, 0.0))[:, None]
    chat = [INTERACTIONS.index("danmaku"), INTERACTIONS.index("comment")]
    rates[:, chat] *= np.exp(np.where(known, people.chatty[user] - 0.32, 0.0))[:, None]
    return rates


def interact(people: People, pieces: Pieces, multiplier: Floats, rng: np.random.Generator) -> Acts:
    """Draw interactions from a Poisson process whose rate is the viewer's times the room's.

    `multiplier` is (R, A, ticks). Exact: counts from the integral, times by its inverse.
    """
    rates = individual_rates(people, pieces)
    n_rooms, n_acts, ticks = multiplier.shape
    parts: list[Acts] = []
    for a in range(n_acts):
        flow = np.zeros((n_rooms, ticks + 1))
        np.cumsum(multiplier[:, a] * TICK, axis=1, out=flow[:, 1:])
        offset = np.append(0, (flow[:, -1] + 1.0).cumsum())[:-1]
        flat = (flow + offset[:, None]).ravel()
        time = TICK * np.arange(ticks + 1, dtype=np.float64)
        low = _flow_at(flow, pieces.room, pieces.start)
        high = _flow_at(flow, pieces.room, pieces.end)
        count = rng.poisson(rates[:, a] * (high - low))
        piece = np.repeat(np.arange(len(count)), count)
        level = low[piece] + rng.random(len(piece)) * (high - low)[piece]
        room = pieces.room[piece]
        at = np.interp(level + offset[room], flat, np.tile(time, n_rooms))
        value = _values(INTERACTIONS[a], len(piece), rng)
        parts.append(
            acts(
                pieces.user[piece],
                room,
                pieces.segment[piece],
                at,
                INTERACTIONS[a],
                interest=pieces.interest[piece],
                value=value,
            )
        )
    return join_acts(parts)


def _flow_at(flow: Floats, room: Codes, at: Floats) -> Floats:
    tick = np.minimum((at / TICK).astype(np.int64), flow.shape[1] - 2)
    left = flow[room, tick]
    level: Floats = left + (flow[room, tick + 1] - left) * (at / TICK - tick)
    return level


def _values(action: str, n: int, rng: np.random.Generator) -> Floats:
    if action == "gift":
        return np.ceil(rng.lognormal(1.5, 1.1, n))
    if action == "rewatch":
        return np.round(rng.uniform(5, 40, n), 1)
    return np.full(n, np.nan)


def watching_acts(pieces: Pieces, shows: Shows, rng: np.random.Generator) -> Acts:
    """Impressions, clicks, swipes, dwell in parts, and leaving with the length of the visit."""
    swiped = ~shows.opened
    n_swiped = int(swiped.sum())
    enters = shows.opened
    parts = [
        acts(shows.user, shows.room, shows.segment, shows.at, "impression"),
        acts(
            shows.user[enters],
            shows.room[enters],
            shows.segment[enters],
            (shows.at + shows.seconds)[enters],
            "click",
        ),
        acts(
            shows.user[swiped],
            shows.room[swiped],
            shows.segment[swiped],
            (shows.at + shows.seconds)[swiped],
            "dwell",
            value=shows.seconds[swiped],
        ),
    ]
    some = rng.random(n_swiped) < 0.3
    parts.append(
        acts(
            *(column[swiped][some] for column in (shows.user, shows.room, shows.segment)),
            (shows.at + shows.seconds)[swiped][some],
            "scroll",
        )
    )
    watched = pieces.end - pieces.start
    beats = np.floor(watched / HEARTBEAT - 1e-9).astype(np.int64).clip(0)
    piece = np.repeat(np.arange(len(beats)), beats)
    nth = np.arange(len(piece)) - np.repeat(beats.cumsum() - beats, beats) + 1
    at = pieces.start[piece] + HEARTBEAT * nth
    parts.append(
        acts(
            pieces.user[piece],
            pieces.room[piece],
            pieces.segment[piece],
            at,
            "dwell",
            interest=pieces.interest[piece],
            value=np.full(len(piece), HEARTBEAT),
        )
    )
    # What is left is reported a little before the segment ends, not by everybody at once.
    rest = watched - HEARTBEAT * beats
    rest = np.round(rest - rng.uniform(0, 20, len(rest)).clip(0, 0.5 * rest), 1)
    stays = np.flatnonzero(~pieces.leaves & (rest >= 1))
    at = pieces.start[stays] + HEARTBEAT * beats[stays] + rest[stays]
    parts.append(
        acts(
            pieces.user[stays],
            pieces.room[stays],
            pieces.segment[stays],
            at,
            "dwell",
            interest=pieces.interest[stays],
            value=rest[stays],
        )
    )
    gone = pieces.leaves
    total = np.round(pieces.end - pieces.entered, 1)
    parts.append(
        acts(
            pieces.user[gone],
            pieces.room[gone],
            pieces.segment[gone],
            pieces.end[gone] - 0.01,
            "leave",
            interest=pieces.interest[gone],
            value=total[gone],
        )
    )
    return join_acts(parts)


def product_acts(
    topics: Topics,
    people: People,
    goods: Goods,
    segments: Segments,
    pieces: Pieces,
    rng: np.random.Generator,
) -> Acts:
    """Draw clicks on the product on the table, and putting it into the cart."""
    selling = np.flatnonzero(segments.product[pieces.segment] >= 0)
    product = segments.product[pieces.segment[selling]]
    want = desire(topics, people, goods, pieces.user[selling], pieces.interest[selling], product)
    seconds = pieces.end[selling] - pieces.start[selling]
    parts: list[Acts] = []
    for action, base, slope in (
        ("product_click", CLICKS, CLICKING),
        ("add_to_cart", CARTS, CARTING),
    ):
        count = rng.poisson(base * np.exp(slope * want) * seconds)
        k = np.repeat(np.arange(len(count)), count)
        piece = selling[k]
        at = pieces.start[piece] + rng.random(len(k)) * seconds[k]
        parts.append(
            acts(
                pieces.user[piece],
                pieces.room[piece],
                pieces.segment[piece],
                at,
                action,
                product=product[k],
                interest=pieces.interest[piece],
            )
        )
    return join_acts(parts)


def bot_acts(
    bursts: Bursts,
    viewers: Floats,
    segment_at: Codes,
    first_bot: int,
    bots: int,
    rng: np.random.Generator,
) -> Acts:
    """Draw what a few bots do in masses; accounts are numbered from `first_bot` on."""
    parts: list[Acts] = []
    kinds = np.array(
        [ACTIONS.index(one) for one in ("like", "danmaku", "comment", "share", "gift")]
    )
    for b in np.flatnonzero(bursts.kind == KINDS.index("bots")):
        a, z, room = bursts.start[b], bursts.end[b], bursts.room[b]
        usual = RATES.sum() * viewers[room, int(a / TICK)] * (z - a)
        n = rng.poisson(max(25.0, usual * rng.uniform(1.5, 4.0)))
        accounts = first_bot + rng.choice(bots, int(bursts.size[b]), replace=False)
        code = kinds[rng.choice(len(kinds), n, p=[0.4, 0.35, 0.1, 0.1, 0.05])].astype(np.int32)
        value = np.where(code == ACTIONS.index("gift"), 1.0, np.nan)
        parts.append(
            _mass(b, room, rng.choice(accounts, n), rng.uniform(a, z, n), code, value, segment_at)
        )
    return join_acts(parts) if parts else _nothing()


def combo_acts(
    bursts: Bursts, pieces: Pieces, n_users: int, segment_at: Codes, rng: np.random.Generator
) -> Acts:
    """Draw one viewer's run of gifts for every combo."""
    parts: list[Acts] = []
    for b in np.flatnonzero(bursts.kind == KINDS.index("combo")):
        a, z, room = bursts.start[b], bursts.end[b], bursts.room[b]
        there = (
            (pieces.room == room)
            & (pieces.start <= a)
            & (pieces.end >= a)
            & (pieces.user < n_users)
        )
        if there.any():
            n = int(bursts.size[b])
            giver = np.full(n, rng.choice(pieces.user[there]), np.int32)
            code = np.full(n, ACTIONS.index("gift"), np.int32)
            parts.append(
                _mass(b, room, giver, rng.uniform(a, z, n), code, np.full(n, 1.0), segment_at)
            )
    return join_acts(parts) if parts else _nothing()


def _mass(
    b: int, room: int, user: Codes, at: Floats, code: Codes, value: Floats, segment_at: Codes
) -> Acts:
    n = len(user)
    rooms = np.full(n, room, np.int32)
    segment = segment_at[room, (at / TICK).astype(np.int64)]
    return acts(
        user.astype(np.int32),
        rooms,
        segment,
        at,
        code,
        value=value,
        planted=np.full(n, b, np.int32),
    )


def _nothing() -> Acts:
    none = np.empty(0, np.int32)
    return acts(none, none, none, np.empty(0), none)


def join_acts(parts: list[Acts]) -> Acts:
    """Put acts one after another."""
    names = ("user", "room", "segment", "product", "interest", "at", "action", "value", "planted")
    return Acts(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
