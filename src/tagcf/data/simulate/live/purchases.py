"""Who buys: a known chance for every minute in which a user watches while a product is shown."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from tagcf.data.simulate.live.behaviour import Acts, desire
from tagcf.data.simulate.live.people import People
from tagcf.data.simulate.live.rooms import Goods, Rooms, Segments
from tagcf.data.simulate.live.scene import Topics
from tagcf.data.simulate.live.visits import Pieces
from tagcf.types import Codes, Floats, Mask

BASE = -8.9
WANT, DWELL, VIEWS, ASKED, PRICE, LOYAL, TRUST, OFFER, SKILL = (
    2.2, 0.35, 0.4, 0.9, 0.9, 0.4, 0.45, 0.9, 0.25,
)  # fmt: skip
MOST_VIEWS, MOST_ASKED, MOST_BOUGHT = 4, 2, 3
RECENT = 300.0  # seconds for which asking counts
MINUTE = 60.0
# Danmaku by which somebody shows that they may buy.
BUYING_INTENTS = ("ask_price", "ask_link", "ask_detail", "will_buy")


@dataclass(frozen=True, slots=True)
class Opportunities:
    """A user, a room with a product on the table, and the minute (or less) that begins at `at`."""

    user: Codes
    room: Codes
    segment: Codes
    product: Codes
    piece: Codes
    at: Floats  # inner seconds
    seconds: Floats
    want: Floats
    dwell: Floats  # seconds in the room so far
    views: Floats  # clicks on the product so far
    asked: Floats  # buying intents in danmaku of the last RECENT seconds
    price: Floats  # log of price over budget
    offer: Mask
    trust: Floats
    skill: Floats
    buyer: Floats

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, slots=True)
class Bought:
    """What came of the opportunities, in their order."""

    before: Floats  # purchases of the user until then
    probability: Floats
    bought: Mask
    at: Floats  # inner seconds of the purchase; NaN


def purchase_logit(
    want: ArrayLike,
    dwell: ArrayLike,
    views: ArrayLike,
    asked: ArrayLike,
    price: ArrayLike,
    bought: ArrayLike,
    offer: ArrayLike,
    trust: ArrayLike,
    skill: ArrayLike,
    buyer: ArrayLike,
) -> Floats:
    """Log-odds of buying within a minute; the arguments are those of `Opportunities`.

    `bought` are the user's purchases so far. Nobody buys the same product twice.
    """
    logit: Floats = (
        BASE
        + WANT * np.asarray(want)
        + DWELL * np.log1p(np.asarray(dwell) / MINUTE)
        + VIEWS * np.minimum(views, MOST_VIEWS)
        + ASKED * np.minimum(asked, MOST_ASKED)
        - PRICE * np.asarray(price)
        + LOYAL * np.minimum(bought, MOST_BOUGHT)
        + OFFER * np.asarray(offer)
        + TRUST * np.asarray(trust)
        + SKILL * np.asarray(skill)
        + np.asarray(buyer)
    )
    return logit


def find_opportunities(
    topics: Topics,
    people: People,
    rooms: Rooms,
    goods: Goods,
    segments: Segments,
    pieces: Pieces,
    clicks: Acts,
    asked: Acts,
) -> Opportunities:
    """Cut all watching of selling segments into minutes, and look up what came before each.

    `clicks` holds the clicks on products, `asked` the danmaku with a buying intent.
    """
    selling = np.flatnonzero(
        (segments.product[pieces.segment] >= 0) & (pieces.user < len(people.kind))
    )
    length = (pieces.end - pieces.start)[selling]
    minutes = np.ceil(length / MINUTE - 1e-9).astype(np.int64).clip(1)
    piece = np.repeat(selling, minutes)
    nth = np.arange(len(piece)) - np.repeat(minutes.cumsum() - minutes, minutes)
    at = pieces.start[piece] + MINUTE * nth
    order = np.argsort(at, kind="stable")
    piece, at = piece[order], at[order]
    user, room, segment = pieces.user[piece], pieces.room[piece], pieces.segment[piece]
    product = segments.product[segment]
    views = count_before(clicks.user, clicks.product, clicks.at, user, product, at, np.inf)
    intents = count_before(asked.user, asked.room, asked.at, user, room, at, RECENT)
    return Opportunities(
        user=user,
        room=room,
        segment=segment,
        product=product,
        piece=piece.astype(np.int32),
        at=at,
        seconds=np.minimum(MINUTE, pieces.end[piece] - at),
        want=desire(topics, people, goods, user, pieces.interest[piece], product),
        dwell=at - pieces.entered[piece],
        views=views,
        asked=intents,
        price=np.log(goods.price[product] / people.budget[user]),
        offer=segments.offer[segment],
        trust=rooms.trust(people, user, room),
        skill=rooms.skill[room],
        buyer=people.buyer[user],
    )


def count_before(
    user: Codes,
    thing: Codes,
    at: Floats,
    of_user: Codes,
    of_thing: Codes,
    until: Floats,
    within: float,
) -> Floats:
    """(n,) events of the same user and thing before `until`, at most `within` seconds before."""
    width = 1 + max(int(thing.max(initial=0)), int(of_thing.max(initial=0)))
    key = user.astype(np.int64) * width + thing
    wanted = of_user.astype(np.int64) * width + of_thing
    order = np.lexsort((at, key))
    _, position = np.unique(np.concatenate([key, wanted]), return_inverse=True)
    # Times of one key lie in a band of their own, so that one search serves all keys.
    band = 4.0 * (1.0 + max(float(at.max(initial=0)), float(until.max(initial=0))))
    have = (position[: len(key)] * band + at)[order]
    base = position[len(key) :] * band
    until_then = np.searchsorted(have, base + until, side="left")
    since = np.searchsorted(have, base + np.maximum(until - within, -1.0), side="left")
    return (until_then - since).astype(np.float64)


def decide(people: People, chances: Opportunities, rng: np.random.Generator) -> Bought:
    """Decide minute by minute, because what was bought before matters."""
    n = len(chances)
    before, probability = np.zeros(n), np.zeros(n)
    bought = np.zeros(n, np.bool_)
    luck = rng.random(n)
    total = np.zeros(len(people.kind))
    width = 1 + int(chances.product.max(initial=0))
    owned = np.zeros(len(people.kind) * width, np.bool_)
    key = chances.user.astype(np.int64) * width + chances.product
    edges = np.searchsorted(chances.at, np.arange(0, chances.at.max(initial=0) + 61, MINUTE))
    for a, z in pairwise(edges):
        if a == z:
            continue
        now = slice(a, z)
        user = chances.user[now]
        before[now] = total[user]
        logit = purchase_logit(
            chances.want[now],
            chances.dwell[now],
            chances.views[now],
            chances.asked[now],
            chances.price[now],
            total[user],
            chances.offer[now],
            chances.trust[now],
            chances.skill[now],
            chances.buyer[now],
        )
        share = chances.seconds[now] / MINUTE
        chance = (1 - (1 - 1 / (1 + np.exp(-logit))) ** share) * ~owned[key[now]]
        probability[now] = chance
        hit = luck[now] < chance
        # Two pieces of one user may begin in the same minute: the first purchase counts.
        _, once = np.unique(key[now][hit], return_index=True)
        rows = a + np.flatnonzero(hit)[once]
        bought[rows] = True
        owned[key[rows]] = True
        np.add.at(total, chances.user[rows], 1)
    when = np.where(bought, chances.at + rng.random(n) * chances.seconds, np.nan)
    return Bought(before, probability, bought, when)
