"""What viewers do while they watch: interactions at rates that a room's bursts multiply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagcf.data.simulate.live.bursts import INTERACTIONS, RATES
from tagcf.data.simulate.live.people import People
from tagcf.data.simulate.live.platform import TICK
from tagcf.data.simulate.live.rooms import Goods, Segments
from tagcf.data.simulate.live.scene import Topics
from tagcf.data.simulate.live.visits import Pieces, Shows
from tagcf.types import Codes, Floats
from tagcf.types.live import ACTIONS

HEARTBEAT = 120.0  # seconds of watching after which a dwell is reported
LIKING = 2.2  # log rate per unit of match
SCROLLED = 0.3  # chance that a swipe is reported as one
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


def _of_shows(
    shows: Shows, row: NDArray[np.intp], at: Floats, action: str, value: Floats | None = None
) -> Acts:
    return acts(shows.user[row], shows.room[row], shows.segment[row], at[row], action, value=value)


def _of_pieces(
    pieces: Pieces,
    row: NDArray[np.intp],
    at: Floats,
    action: str,
    value: Floats | None = None,
    product: Codes | None = None,
) -> Acts:
    return acts(
        pieces.user[row],
        pieces.room[row],
        pieces.segment[row],
        at,
        action,
        interest=pieces.interest[row],
        value=value,
        product=product,
    )


def watching_acts(pieces: Pieces, shows: Shows, rng: np.random.Generator) -> Acts:
    """Impressions, clicks, swipes, dwell in parts, and leaving with the length of the visit."""
    enters, swiped = np.flatnonzero(shows.opened), np.flatnonzero(~shows.opened)
    scrolled = swiped[rng.random(len(swiped)) < SCROLLED]
    then = shows.at + shows.seconds
    parts = [
        acts(shows.user, shows.room, shows.segment, shows.at, "impression"),
        _of_shows(shows, enters, then, "click"),
        _of_shows(shows, swiped, then, "dwell", shows.seconds[swiped]),
        _of_shows(shows, scrolled, then, "scroll"),
    ]
    watched = pieces.end - pieces.start
    beats = np.floor(watched / HEARTBEAT - 1e-9).astype(np.int64).clip(0)
    piece = np.repeat(np.arange(len(beats)), beats)
    nth = np.arange(len(piece)) - np.repeat(beats.cumsum() - beats, beats) + 1
    at = pieces.start[piece] + HEARTBEAT * nth
    parts.append(_of_pieces(pieces, piece, at, "dwell", np.full(len(piece), HEARTBEAT)))
    # What is left is reported a little before the segment ends, not by everybody at once.
    rest = watched - HEARTBEAT * beats
    rest = np.round(rest - rng.uniform(0, 20, len(rest)).clip(0, 0.5 * rest), 1)
    stays = np.flatnonzero(~pieces.leaves & (rest >= 1))
    at = pieces.start[stays] + HEARTBEAT * beats[stays] + rest[stays]
    parts.append(_of_pieces(pieces, stays, at, "dwell", rest[stays]))
    gone = np.flatnonzero(pieces.leaves)
    total = np.round(pieces.end - pieces.entered, 1)
    parts.append(_of_pieces(pieces, gone, pieces.end[gone] - 0.01, "leave", total[gone]))
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


def join_acts(parts: list[Acts]) -> Acts:
    """Put acts one after another."""
    names = ("user", "room", "segment", "product", "interest", "at", "action", "value", "planted")
    return Acts(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
