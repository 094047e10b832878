"""How a simulated live platform runs: what is settled before, and what then happens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tagcf.data.simulate.live import bursts as bursting
from tagcf.data.simulate.live.behaviour import (
    Acts,
    acts,
    interact,
    join_acts,
    product_acts,
    watching_acts,
)
from tagcf.data.simulate.live.bursts import Bursts, viewers_of
from tagcf.data.simulate.live.chat import INTENTS, Chat, buying, draw_meanings, lottery_shares
from tagcf.data.simulate.live.interests import Episodes, live_through
from tagcf.data.simulate.live.masses import bot_acts, combo_acts
from tagcf.data.simulate.live.match import Reach
from tagcf.data.simulate.live.people import People, Sessions, draw_sessions
from tagcf.data.simulate.live.platform import TICK, LivePlatform
from tagcf.data.simulate.live.purchases import (
    BUYING_INTENTS,
    Bought,
    Opportunities,
    decide,
    find_opportunities,
)
from tagcf.data.simulate.live.rooms import Goods, Rooms, Segments
from tagcf.data.simulate.live.scene import Topics
from tagcf.data.simulate.live.visits import (
    Pieces,
    Shows,
    best_on_air,
    join_pieces,
    join_shows,
    on_air,
    watch,
)
from tagcf.types import Floats
from tagcf.types.live import ACTIONS

BOTS = 60  # accounts
BOASTS = 0.25  # chance that a buyer says so


@dataclass(frozen=True, slots=True)
class Mechanism:
    """All that is settled before the first event."""

    settings: LivePlatform
    topics: Topics
    people: People
    rooms: Rooms
    goods: Goods
    segments: Segments
    reach: Reach


@dataclass(frozen=True, slots=True)
class Course:
    """What happened behind the events; inner seconds."""

    sessions: Sessions
    episodes: Episodes
    pieces: Pieces
    shows: Shows
    bursts: Bursts
    usual: Floats  # (R, A, ticks) how the rates of rooms wander without bursts
    acts: Acts
    chat: Chat
    chances: Opportunities
    bought: Bought


def run(made: Mechanism, stream: list[np.random.Generator]) -> Course:
    """Let the days of the world pass; `stream` are eight generators."""
    settings, people, segments = made.settings, made.people, made.segments
    sessions = draw_sessions(settings, stream[0])
    air = on_air(settings, segments, settings.rooms)
    offered = best_on_air(segments, air)
    episodes = live_through(settings, made.topics, people, sessions, offered, stream[1])
    pieces, shows = watch(
        settings, people, made.rooms, segments, made.reach, sessions, episodes, stream[2]
    )
    viewers = viewers_of(settings, pieces)
    bursts = bursting.plant(settings, segments, viewers, stream[3])
    guests, arrivals = bursting.raids(bursts, segments, air, settings.users + BOTS, stream[3])
    pieces, shows = join_pieces([pieces, guests]), join_shows([shows, arrivals])
    usual = bursting.usual_rates(settings, stream[4])
    lottery = bursting.lift(settings, bursts, ("lottery",))
    rising = bursting.lift(settings, bursts, ("highlight",))
    done = join_acts(
        [
            watching_acts(pieces, shows, stream[5]),
            interact(people, pieces, usual * lottery * rising, stream[5]),
            product_acts(made.topics, people, made.goods, segments, pieces, stream[5]),
            bot_acts(bursts, viewers, air, settings.users, BOTS, stream[5]),
            combo_acts(bursts, pieces, settings.users, air, stream[5]),
        ]
    )
    shares = lottery_shares(settings, lottery, done, TICK)
    chat = draw_meanings(
        made.topics, people, made.rooms, made.goods, segments, done, shares, stream[6]
    )
    asked = _chosen(done, buying(done, chat, BUYING_INTENTS))
    clicks = _chosen(done, done.action == ACTIONS.index("product_click"))
    chances = find_opportunities(
        made.topics, people, made.rooms, made.goods, segments, pieces, clicks, asked
    )
    bought = decide(people, chances, stream[7])
    done, chat = _with_purchases(made, done, chat, chances, bought, stream[7])
    return Course(sessions, episodes, pieces, shows, bursts, usual, done, chat, chances, bought)


def _chosen(done: Acts, mask: np.ndarray) -> Acts:
    return Acts(*(getattr(done, name)[mask] for name in Acts.__slots__))


def _with_purchases(
    made: Mechanism,
    done: Acts,
    chat: Chat,
    chances: Opportunities,
    bought: Bought,
    rng: np.random.Generator,
) -> tuple[Acts, Chat]:
    """Add the purchases, and what some buyers say about them."""
    row = np.flatnonzero(bought.bought)
    where = (chances.user[row], chances.room[row], chances.segment[row])
    paid = made.goods.price[chances.product[row]]
    buys = acts(
        where[0],
        where[1],
        where[2],
        bought.at[row],
        "purchase",
        product=chances.product[row],
        value=paid,
    )
    says = rng.random(len(row)) < BOASTS
    user, room, segment = (one[says] for one in where)
    later = bought.at[row][says] + rng.uniform(3, 20, int(says.sum()))
    window = made.settings.window  # nobody writes after closing time
    later = np.minimum(later, (bought.at[row][says] // window + 1) * window - 0.5)
    boasts = acts(user, room, segment, later, "danmaku")
    first = len(done) + len(buys)
    n = len(boasts)
    said = Chat(
        np.concatenate([chat.act, np.arange(first, first + n, dtype=np.int32)]),
        np.concatenate([chat.intent, np.full(n, INTENTS.index("bought"), np.int32)]),
        np.concatenate([chat.emotion, np.full(n, 6, np.int32)]),
        np.concatenate([chat.sentiment, np.zeros(n, np.int32)]),
    )
    return join_acts([done, buys, boasts]), said
