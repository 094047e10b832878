"""A closed loop: a policy shows contents, users respond, and interests move on by themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import ArrayLike

from tagcf.data.simulate.live.behaviour import LIKING, USUAL, desire
from tagcf.data.simulate.live.bursts import INTERACTIONS, RATES
from tagcf.data.simulate.live.interests import KEPT, draw_minutes, next_logits
from tagcf.data.simulate.live.log import Names, segment_frame, tag_matrix
from tagcf.data.simulate.live.match import PEEK, leaving_rate, opening_chance, reach_of
from tagcf.data.simulate.live.people import DEVICES, People
from tagcf.data.simulate.live.platform import LivePlatform
from tagcf.data.simulate.live.purchases import MINUTE, purchase_logit
from tagcf.data.simulate.live.rooms import Goods, Rooms, Segments, fill_segments
from tagcf.data.simulate.live.scene import Topics
from tagcf.types import Codes, Floats, Mask, TagMatrix
from tagcf.types.live import ACTIONS, EVENT_SCHEMA

LONGEST = 300.0  # seconds for which one showing can last
SEEN = 0.4  # less of a match for every time that the same content was shown
WEARY = 0.05  # less of a match for every recent showing of the same main tag
RECOVERY = 600.0  # seconds in which that is forgotten
CHOOSY = 0.1  # noise in what users would pick by themselves
SPELLS = 16


@dataclass(frozen=True, slots=True)
class Responses:
    """What users (n,) did with what was shown to them."""

    user: Codes
    content: Codes
    watch: Floats  # seconds
    click: Mask
    like: Mask
    danmaku: Mask
    purchase: Mask
    value: Floats  # money paid, 0 without a purchase
    probability: Floats  # true chance of the purchase, given for how long the user watched


def respond_to(
    topics: Topics,
    people: People,
    rooms: Rooms,
    goods: Goods,
    segments: Segments,
    user: Codes,
    interest: Codes,
    content: Codes,
    match: Floats,
    luck: Floats,
) -> Responses:
    """Turn a match (n,) and luck (n, 6) in 0..1 into responses."""
    click = luck[:, 0] < opening_chance(match)
    rate = leaving_rate(match, np.zeros(len(user)), np.zeros(len(user), np.bool_))
    stays = np.minimum(-np.log1p(-luck[:, 1]) / rate, LONGEST)
    peeks = np.minimum(PEEK * (-np.log1p(-luck[:, 1]) / np.log(2)), 20.0)
    watch = np.where(click, stays, peeks)
    act = np.exp(LIKING * (np.clip(match, -0.2, 1.3) - USUAL) + people.activity[user] - 0.125)
    like_rate = RATES[INTERACTIONS.index("like")] * act
    chat_rate = RATES[INTERACTIONS.index("danmaku")] * act * np.exp(people.chatty[user] - 0.32)
    product = segments.product[content]
    selling = product >= 0
    shown = np.maximum(product, 0)
    price = goods.price[shown]
    logit = purchase_logit(
        want=desire(topics, people, goods, user, interest, shown),
        dwell=watch / 2,
        views=0,
        asked=0,
        price=np.log(price / people.budget[user]),
        bought=0,
        offer=segments.offer[content],
        trust=rooms.trust(people, user, segments.room[content]),
        skill=rooms.skill[segments.room[content]],
        buyer=people.buyer[user],
    )
    chance = (1 - (1 - 1 / (1 + np.exp(-logit))) ** (watch / MINUTE)) * (selling & click)
    purchase = luck[:, 4] < chance
    return Responses(
        user=user,
        content=content,
        watch=watch,
        click=click,
        like=click & (luck[:, 2] < 1 - np.exp(-like_rate * watch)),
        danmaku=click & (luck[:, 3] < 1 - np.exp(-chat_rate * watch)),
        purchase=purchase,
        value=np.where(purchase, price, 0.0),
        probability=chance,
    )


class LiveSession:
    """A feed for all users at once, after the end of the log; made by `LiveWorld.session`.

    Every step shows each user one content (a row of `segments`). Users have clocks of their
    own: who watches longer sees fewer contents in the same time. Interests follow the clock and
    nothing else; contents and tags wear off by being shown.

    Attributes
    ----------
    segments
        The contents that can be shown, as in the segments of a world.
    tags
        Their tags, in the order of `segments`, then those of products.
    users
        (U,) codes of the users, everybody.
    ts
        (U,) epoch seconds at which the next content is shown.
    """

    def __init__(
        self,
        settings: LivePlatform,
        topics: Topics,
        people: People,
        rooms: Rooms,
        goods: Goods,
        names: Names,
        last: Codes,
        seed: int,
        contents: int,
    ) -> None:
        self._topics, self._people, self._rooms, self._goods = topics, people, rooms, goods
        self._names, self._luck = names, [settings.seed, 1, seed]
        rng = np.random.default_rng([settings.seed, 0, seed])
        self._contents = _contents(settings, topics, rooms, goods, contents, rng)
        start = settings.seconds + 0.3 * settings.window
        ids = [f"{names.rooms[r]}#{seed}-{k}" for k, r in enumerate(self._contents.room)]
        named = Names(names.users, names.rooms, ids, names.products)
        self.segments: pl.DataFrame = segment_frame(settings, topics, goods, self._contents, named)
        self.tags: TagMatrix = tag_matrix(
            topics, goods, self._contents.strength, ids, names.products
        )
        self.users: Codes = np.arange(settings.users, dtype=np.int32)
        self.ts: Floats = np.full(settings.users, settings.epoch(np.array([start]))[0])
        self._until, self._tag = _interests(settings, topics, people, last, start, self.ts[0], rng)
        self._reach = reach_of(people, rooms, self._contents)
        self._seen = np.zeros((settings.users, contents))
        self._weary = np.zeros((settings.users, len(topics.tags)))
        self._step = 0

    @property
    def interest(self) -> Codes:
        """(U,) the tag that everybody wants at the moment of their clocks: the truth."""
        spell = (self._until <= self.ts[:, None]).sum(axis=1).clip(0, SPELLS - 1)
        interest: Codes = self._tag[self.users, spell]
        return interest

    def wanted(self) -> Codes:
        """(U,) the content that everybody would pick now if they saw all: the truth."""
        everything = np.arange(len(self._contents), dtype=np.int32)[None]
        match = self._match(self.users[:, None], self.interest[:, None], everything)
        match -= SEEN * self._seen
        noise = np.random.default_rng([*self._luck, 1, self._step]).gumbel(size=match.shape)
        chosen: Codes = (match + CHOOSY * noise).argmax(axis=1).astype(np.int32)
        return chosen

    def respond(self, content: ArrayLike) -> Responses:
        """Show everybody a content, draw what they do, and move their clocks on."""
        shown = np.asarray(content, np.int32)
        match = self._match(self.users, self.interest, shown)
        main = self._contents.main[shown]
        match -= SEEN * self._seen[self.users, shown] + WEARY * self._weary[self.users, main]
        luck = np.random.default_rng([*self._luck, 0, self._step]).random((len(shown), 6))
        done = respond_to(
            self._topics,
            self._people,
            self._rooms,
            self._goods,
            self._contents,
            self.users,
            self.interest,
            shown,
            match,
            luck,
        )
        self._seen[self.users, shown] += 1
        self._weary *= np.exp(-done.watch / RECOVERY)[:, None]
        self._weary[self.users, main] += 1
        self.ts = self.ts + done.watch + 1.0
        self._step += 1
        return done

    def events(self, done: Responses, ts: ArrayLike) -> pa.Table:
        """Return the events of responses to what was shown at `ts` (U,), in `EVENT_SCHEMA`.

        The content is named by `item_id`.
        """
        at, step = np.asarray(ts, np.float64), self._step
        no = ~done.click
        rows: list[tuple[str, Mask, Floats, Floats]] = [
            ("impression", np.ones(len(at), np.bool_), at, np.full(len(at), np.nan)),
            ("click", done.click, at + 0.5, np.full(len(at), np.nan)),
            ("like", done.like, at + done.watch * 0.6, np.full(len(at), np.nan)),
            ("danmaku", done.danmaku, at + done.watch * 0.7, np.full(len(at), np.nan)),
            ("purchase", done.purchase, at + done.watch * 0.9, done.value),
            ("dwell", no, at + done.watch, done.watch),
            ("leave", done.click, at + done.watch, done.watch),
        ]
        tables = [
            self._table(name, done, mask, when, value, step) for name, mask, when, value in rows
        ]
        return pa.concat_tables(tables).sort_by("ts")

    def _table(
        self, name: str, done: Responses, mask: Mask, at: Floats, value: Floats, step: int
    ) -> pa.Table:
        user, content = done.user[mask], done.content[mask]
        segments = self._contents
        scenes = [scene.name for scene in self._topics.scenes]
        items = self.segments["segment_id"].to_list()
        sold = segments.product[content] if name == "purchase" else np.full(len(user), -1)
        seed = self._luck[-1]
        columns = {
            "event_id": [f"s{seed}-{step}-{u}-{name}" for u in user.tolist()],
            "user_id": [self._names.users[u] for u in user],
            "room_id": [self._names.rooms[r] for r in segments.room[content]],
            "item_id": [items[c] for c in content],
            "product_id": [None if p < 0 else self._names.products[p] for p in sold],
            "scene": [scenes[s] for s in self._rooms.scene[segments.room[content]]],
            "device": [DEVICES[d] for d in self._people.device[user]],
            "ts": at[mask],
            "action": np.full(len(user), ACTIONS.index(name), np.uint8),
            "value": pa.array(value[mask].astype(np.float32), from_pandas=True),
            "text": pa.nulls(len(user), pa.string()),
        }
        return pa.table(columns, schema=EVENT_SCHEMA)

    def _match(self, users: Codes, interest: Codes, content: Codes) -> Floats:
        return self._reach.match(self._contents, self._rooms, users, interest, content)


def _contents(
    settings: LivePlatform,
    topics: Topics,
    rooms: Rooms,
    goods: Goods,
    n: int,
    rng: np.random.Generator,
) -> Segments:
    """Cut `n` contents from rooms of all kinds."""
    room = rng.permutation(np.arange(n) % settings.rooms).astype(np.int32)
    start = settings.seconds + LONGEST * np.arange(n, dtype=np.float64)
    return fill_segments(topics, rooms, goods, room, start, start + LONGEST, rng)


def _interests(
    settings: LivePlatform,
    topics: Topics,
    people: People,
    last: Codes,
    start: float,
    epoch: float,
    rng: np.random.Generator,
) -> tuple[Floats, Codes]:
    """Ends (U, SPELLS), in epoch seconds, and tags of everybody's interests from `start` on."""
    n = settings.users
    users = np.arange(n, dtype=np.int32)
    tag, before = last.copy(), np.full(n, -1, np.int32)
    tags, until = np.empty((n, SPELLS), np.int32), np.empty((n, SPELLS))
    at = np.full(n, start)
    quiet = np.zeros((n, len(topics.tags)))
    day = np.full(n, settings.days, np.int32)
    for spell in range(SPELLS):
        share = np.clip((at - settings.seconds) / settings.window, 0, 1)
        logits = next_logits(topics, people, users, tag, before, share, day, quiet)
        chosen = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1).astype(np.int32)
        if spell == 0:
            chosen = np.where((rng.random(n) < KEPT) & (last >= 0), last, chosen).astype(np.int32)
        before, tag = np.where(chosen == tag, before, tag).astype(np.int32), chosen
        at = at + draw_minutes(n, rng) * (rng.random(n) if spell == 0 else 1.0)
        tags[:, spell], until[:, spell] = tag, epoch + (at - start)
    return until, tags
