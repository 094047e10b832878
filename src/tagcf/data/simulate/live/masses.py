"""What a few accounts do in masses: bots, and one viewer's run of gifts. Neither is a highlight."""

from __future__ import annotations

import numpy as np

from tagcf.data.simulate.live.behaviour import Acts, acts, join_acts
from tagcf.data.simulate.live.bursts import KINDS, RATES, Bursts
from tagcf.data.simulate.live.platform import TICK
from tagcf.data.simulate.live.visits import Pieces
from tagcf.types import Codes, Floats
from tagcf.types.live import ACTIONS


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
    for b in np.flatnonzero(bursts.kind == KINDS.index("bots")).tolist():
        a, z, room = bursts.start[b], bursts.end[b], int(bursts.room[b])
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
    for b in np.flatnonzero(bursts.kind == KINDS.index("combo")).tolist():
        a, z, room = bursts.start[b], bursts.end[b], int(bursts.room[b])
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
