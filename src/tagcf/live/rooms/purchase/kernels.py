"""Compiled: events and questions in the order of time, to what was known at each question."""

from __future__ import annotations

import numpy as np
from numba import njit

# What is kept of one user in one room.
(ENTERED, VISITS, CLICKS, CARTS, ASKED, ASKED_AT, LIKES, SAID, BOUGHT, STAYED) = range(10)
# What is kept of a user.
(U_BOUGHT, U_CLICKS, U_CARTS, U_LAST, U_PRICES, U_PRICED, U_FIRST) = range(7)
# Kinds of rows.
(QUESTION, ENTER, LEAVE, CLICK, CART, BUY, LIKE, TALK, ASK, OTHER) = range(10)
FEATURES = 22
_ASKING = 300.0  # seconds in which a question in danmaku fades to 1/e
_MOOD = 900.0  # seconds in which an interest fades to 1/e


@njit(cache=True)
def follow(  # noqa: PLR0912, PLR0915 (one pass over all that happens)
           kind, ts, user, pair, room, product, owned, price, tag, goods, offer, weight,
           pairs, users, rooms, items, wares, mood, mood_at, out):  # fmt: skip
    """Fill a row of `out` (questions, FEATURES) at each question; all else updates the state.

    Rows are in the order of time; `user`, `pair`, `room`, `product`, `owned` (user and product) are
    codes or -1; `tag` is the segment's, `goods` the product's, both below ``mood.shape[1]``, or -1.
    `weight` says how much a row speaks for its tag. State: `pairs`, `users`, `rooms` (purchases,
    viewer-minutes), `items` (clicks by user and product, whether bought), `wares` (clicks,
    purchases by product), `mood` (U, tags) and `mood_at` (U,).
    """
    q = 0
    for i in range(kind.size):
        what, t, u, p = kind[i], ts[i], user[i], pair[i]
        r, w, o = room[i], product[i], owned[i]
        of, me = pairs[p], users[u]
        if what == QUESTION:
            row = out[q]
            q += 1
            rooms[r, 1] += 1.0
            dwell = t - of[ENTERED]
            faded = np.exp(-(t - mood_at[u]) / _MOOD)
            total = mood[u].sum() * faded + 1.0
            row[0] = np.log1p(dwell / 60.0)
            row[1] = 1.0 if dwell > 90.0 else 0.0
            row[2] = 1.0 if w >= 0 else 0.0
            row[3] = np.log1p(items[o, 0]) if o >= 0 else 0.0
            row[4] = np.log1p(of[CLICKS])
            row[5] = np.log1p(of[CARTS])
            row[6] = min(of[ASKED] * np.exp(-(t - of[ASKED_AT]) / _ASKING), 2.0)
            row[7] = np.log1p(me[U_BOUGHT])
            row[8] = min(items[o, 1], 1.0) if o >= 0 else 0.0
            row[9] = (
                price[i] - (me[U_PRICES] + 2 * 4.2) / (me[U_PRICED] + 2) if price[i] > 0 else 0.0
            )
            row[10] = offer[i]
            row[11] = np.log((rooms[r, 0] + 2.0) / (rooms[r, 1] + 400.0)) + 5.3
            row[12] = np.log((wares[w, 1] + 1.0) / (wares[w, 0] + 15.0)) + 2.7 if w >= 0 else 0.0
            row[13] = np.log1p(max(t - me[U_LAST], 0.0)) - 3.0
            row[14] = np.log1p(of[VISITS])
            row[15] = np.log1p(of[LIKES])
            row[16] = np.log1p(of[SAID])
            row[17] = mood[u, tag[i]] * faded / total if tag[i] >= 0 else 0.0
            row[18] = mood[u, goods[i]] * faded / total if goods[i] >= 0 else 0.0
            row[19] = np.log((me[U_CLICKS] + 1.0) / ((t - me[U_FIRST]) / 3600.0 + 1.0))
            row[20] = np.log1p(me[U_CARTS])
            row[21] = np.log1p(of[STAYED] / 600.0)
            continue
        if me[U_FIRST] == 0.0:
            me[U_FIRST] = t
        if what == ENTER:
            of[ENTERED] = t
            of[VISITS] += 1.0
            of[CLICKS] = of[CARTS] = of[LIKES] = of[SAID] = 0.0
        elif what == LEAVE:
            of[STAYED] += max(t - of[ENTERED], 0.0)
        elif what == CLICK:
            of[CLICKS] += 1.0
            me[U_CLICKS] += 1.0
            if price[i] > 0:
                me[U_PRICES] += price[i]
                me[U_PRICED] += 1.0
            if o >= 0:
                items[o, 0] += 1.0
                wares[w, 0] += 1.0
        elif what == CART:
            of[CARTS] += 1.0
            me[U_CARTS] += 1.0
        elif what == BUY:
            of[BOUGHT] += 1.0
            me[U_BOUGHT] += 1.0
            rooms[r, 0] += 1.0
            if o >= 0:
                items[o, 1] += 1.0
                wares[w, 1] += 1.0
        elif what == LIKE:
            of[LIKES] += 1.0
        elif what in (TALK, ASK):
            of[SAID] += 1.0
            if what == ASK:
                of[ASKED] = of[ASKED] * np.exp(-(t - of[ASKED_AT]) / _ASKING) + 1.0
                of[ASKED_AT] = t
        me[U_LAST] = t
        gain = weight[i]
        if gain > 0.0:
            mood[u] *= np.exp(-(t - mood_at[u]) / _MOOD)
            mood_at[u] = t
            if what in (CLICK, CART, BUY):
                if goods[i] >= 0:
                    mood[u, goods[i]] += gain
            elif tag[i] >= 0:
                mood[u, tag[i]] += gain
