"""Questions put to the stream: who is in which room each minute, what was known, who then bought.

A question is asked of every user in every room a little after coming in and each minute from then
on. Its features use nothing that came after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.live.danmaku.labels import INTENTS
from tagcf.live.danmaku.read import read_danmaku
from tagcf.live.rooms.purchase import kernels
from tagcf.live.rooms.segments import RoomSegments
from tagcf.live.wire import id_key
from tagcf.types import Floats, Mask, TagMatrix
from tagcf.types.live import ACTIONS, LiveEvents

FIRST, EVERY = 15.0, 60.0  # seconds after coming in, and between questions
SILENT = 300.0  # seconds after which somebody is taken for gone
BUYING = ("ask_price", "ask_link", "ask_detail", "will_buy")
FEATURE_NAMES = (
    "dwell", "dwell_90s", "product_shown", "product_views", "clicks", "carts", "asked", "purchases",
    "owned", "price", "offer", "room_rate", "product_rate", "silence", "visits", "likes", "said",
    "segment_interest", "product_interest", "clicking", "carting", "earlier_stays",
)  # fmt: skip
_KINDS = {
    "click": kernels.ENTER, "leave": kernels.LEAVE, "product_click": kernels.CLICK,
    "add_to_cart": kernels.CART, "purchase": kernels.BUY, "like": kernels.LIKE,
    "danmaku": kernels.TALK, "comment": kernels.TALK,
}  # fmt: skip
_WEIGHTS = {
    "click": 0.5, "dwell": 1.0, "like": 0.7, "danmaku": 0.7, "comment": 0.7, "share": 1.0,
    "gift": 1.0, "follow": 1.0, "rewatch": 1.0, "product_click": 1.0, "add_to_cart": 2.0,
    "purchase": 2.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moments:
    """Users in rooms at times; n of them, in the order of time."""

    user: NDArray[np.uint64]
    room: NDArray[np.uint64]
    ts: Floats
    segment: NDArray[np.int64]  # row of the segments; -1
    features: Floats  # (n, FEATURES), columns as in FEATURE_NAMES

    def __len__(self) -> int:
        return len(self.ts)


def find_moments(
    events: LiveEvents, segments: RoomSegments, tags: TagMatrix | None = None
) -> Moments:
    """Ask of everybody in every room, minute by minute, and look up what was known then.

    Parameters
    ----------
    events
        In any order; each event once.
    tags
        Of products, for how well they meet a user's interest of the moment.
    """
    here = np.flatnonzero((events.room != 0) & (events.action != ACTIONS.index("impression")))
    here = here[np.argsort(events.ts[here], kind="stable")]
    user, room, ts = events.user[here], events.room[here], events.ts[here]
    action = events.action[here]
    users, user_code = np.unique(user, return_inverse=True)
    rooms, room_code = np.unique(room, return_inverse=True)
    pairs, pair = np.unique(user_code * np.int64(len(rooms)) + room_code, return_inverse=True)
    asked_pair, asked_at = _questions(pair, ts, action)
    asked_user, asked_room = np.divmod(pairs[asked_pair], len(rooms))

    all_ts = np.concatenate([ts, asked_at])
    order = np.argsort(all_ts, kind="stable")  # at equal times events come first
    is_question = order >= len(ts)
    all_user = np.concatenate([user_code, asked_user])[order].astype(np.int64)
    all_room = np.concatenate([room_code, asked_room])[order].astype(np.int64)
    all_pair = np.concatenate([pair, asked_pair])[order].astype(np.int64)
    when = all_ts[order]
    row = segments.at(rooms[all_room], when)
    n_asked = len(asked_at)
    kinds = np.array([_KINDS.get(name, kernels.OTHER) for name in ACTIONS])[action]
    kinds[_asking(events, here, action)] = kernels.ASK
    kind = np.concatenate([kinds, np.full(n_asked, kernels.QUESTION)])[order]
    gain = np.array([_WEIGHTS.get(name, 0.0) for name in ACTIONS])[action]
    weight = np.concatenate([gain, np.zeros(n_asked)])[order]
    table = _Table(segments, tags)
    own = np.concatenate([table.product_of_keys(events.product[here]), np.full(n_asked, -1)])[order]
    product = np.where(own >= 0, own, table.product[row]) * (row >= 0) - (row < 0)
    product = np.where((own >= 0), own, product)
    bought = np.unique(all_user * np.int64(len(table.price) + 1) + product, return_inverse=True)[1]
    owned = np.where(product >= 0, bought, -1)
    log_price = np.where(product >= 0, table.price[product], 0.0)
    tag = np.where(row >= 0, table.tag[row], -1)
    goods = np.where(product >= 0, table.goods_tag[product], -1)
    features = np.zeros((n_asked, kernels.FEATURES))
    kernels.follow(
        kind, when, all_user, all_pair, all_room, product, owned, log_price, tag, goods,
        np.where(row >= 0, segments.offer[row], 0.0) if len(segments) else np.zeros(len(row)),
        weight,
        np.zeros((len(pairs), 10)), np.zeros((len(users), 7)), np.zeros((len(rooms), 2)),
        np.zeros((int(bought.max(initial=0)) + 1, 2)), np.zeros((max(len(table.price), 1), 2)),
        np.zeros((len(users), table.n_tags), np.float32), np.zeros(len(users)), features,
    )  # fmt: skip
    q = np.flatnonzero(is_question)
    return Moments(users[all_user[q]], rooms[all_room[q]], when[q], row[q], features)


def bought_within(moments: Moments, events: LiveEvents, seconds: float = 300.0) -> Mask:
    """(n,) whether the user bought in that room within so many seconds after each moment."""
    buys = np.flatnonzero(events.action == ACTIONS.index("purchase"))
    names = np.unique(np.stack([events.user[buys], events.room[buys]], axis=1), axis=0)
    position = {(int(u), int(r)): k for k, (u, r) in enumerate(names)}
    mine = np.array(
        [
            position.get(pair, -1)
            for pair in zip(moments.user.tolist(), moments.room.tolist(), strict=True)
        ]
    )
    theirs = np.array(
        [
            position[pair]
            for pair in zip(events.user[buys].tolist(), events.room[buys].tolist(), strict=True)
        ],
        np.float64,
    )
    low = float(moments.ts.min(initial=0.0))
    band = 4.0 * (float(moments.ts.max(initial=1.0)) - low + seconds + 1.0)
    have = np.sort(theirs * band + (events.ts[buys] - low))
    at = mine * band + (moments.ts - low)
    after = np.searchsorted(have, at, side="right")
    hits = np.searchsorted(have, at + seconds, side="right") > after
    result: Mask = hits & (mine >= 0)
    return result


def _questions(
    pair: NDArray[np.int64], ts: Floats, action: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], Floats]:
    """Pairs and times of all questions: visits begin by coming in or after a silence."""
    order = np.argsort(pair, kind="stable")  # times of a pair stay in order
    p, t, a = pair[order], ts[order], action[order]
    leave = a == ACTIONS.index("leave")
    same = p[1:] == p[:-1]
    begins = np.ones(len(p), np.bool_)
    begins[1:] = ~same | (t[1:] - t[:-1] > SILENT) | leave[:-1]
    begins |= a == ACTIONS.index("click")
    start = np.flatnonzero(begins)
    stop = np.append(start[1:], len(p)) - 1
    first, last = t[start], t[stop]
    count = np.maximum(np.floor((last - first - FIRST) / EVERY) + 1, 0).astype(np.int64)
    nth = np.arange(int(count.sum())) - np.repeat(count.cumsum() - count, count)
    at: Floats = np.repeat(first, count) + FIRST + EVERY * nth
    return np.repeat(p[start], count), at


def _asking(events: LiveEvents, here: NDArray[np.int64], action: NDArray[np.uint8]) -> Mask:
    """(n,) which events say in words that somebody may buy."""
    talk = np.isin(action, [ACTIONS.index("danmaku"), ACTIONS.index("comment")])
    asks = np.zeros(len(action), np.bool_)
    if talk.any():
        texts = pl.Series(pl.from_arrow(events.rows["text"])).gather(here[talk])
        said = read_danmaku(texts)
        asks[talk] = np.isin(said.intent, [INTENTS.index(one) for one in BUYING])
    return asks


class _Table:
    """Products that are shown, their log prices and tags, and the tags of segments, as codes."""

    def __init__(self, segments: RoomSegments, tags: TagMatrix | None) -> None:
        shown = [one for one in segments.product_id if one is not None]
        ids = sorted(set(shown))
        code = {one: k for k, one in enumerate(ids)}
        self.product = np.array([code.get(one or "", -1) for one in segments.product_id] or [-1])
        price = np.full(max(len(ids), 1), np.nan)
        for one, paid in zip(segments.product_id, segments.price.tolist(), strict=True):
            if one is not None and paid > 0:
                price[code[one]] = np.log(paid)
        self.price = np.nan_to_num(price, nan=0.0)
        slugs = sorted({slug for about in segments.tags for slug in about})
        if tags is not None:
            slugs = [tag.slug for tag in tags.tags]
        name = {slug: k for k, slug in enumerate(slugs)}
        self.n_tags = max(len(slugs), 1)
        self.tag = np.array([name[about[0]] if about else -1 for about in segments.tags] or [-1])
        self.goods_tag = np.full(max(len(ids), 1), -1)
        if tags is not None:
            position = {item: k for k, item in enumerate(tags.items.ids.to_pylist())}
            for one, k in code.items():
                at = position.get(one, -1)
                if at >= 0 and tags.strength.indptr[at] < tags.strength.indptr[at + 1]:
                    span = slice(tags.strength.indptr[at], tags.strength.indptr[at + 1])
                    best = int(tags.strength.data[span].argmax())
                    self.goods_tag[k] = int(tags.strength.indices[span][best])
        self._keys = np.array([id_key(one) for one in ids], np.uint64)
        self._order = np.argsort(self._keys)

    def product_of_keys(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """(n,) codes of products by key; -1 where unknown."""
        if len(self._keys) == 0:
            return np.full(len(keys), -1)
        sorted_keys = self._keys[self._order]
        at = np.searchsorted(sorted_keys, keys).clip(0, len(sorted_keys) - 1)
        return np.where(sorted_keys[at] == keys, self._order[at], -1)
