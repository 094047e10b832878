"""A simulated live platform: what others see of it, and the truth that they do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import ArrayLike

from tagcf.data.simulate.live import bursts as bursting
from tagcf.data.simulate.live.behaviour import individual_rates
from tagcf.data.simulate.live.bursts import INTERACTIONS, viewers_of
from tagcf.data.simulate.live.chat import put_into_words
from tagcf.data.simulate.live.course import Course, Mechanism, run
from tagcf.data.simulate.live.log import (
    Arrival,
    Names,
    arrive,
    event_table,
    name_all,
    segment_frame,
    social_frame,
    tag_matrix,
)
from tagcf.data.simulate.live.match import reach_of
from tagcf.data.simulate.live.people import gather_people
from tagcf.data.simulate.live.platform import TICK, LivePlatform
from tagcf.data.simulate.live.rooms import Goods, draw_rooms, draw_segments
from tagcf.data.simulate.live.scene import Topics, draw_topics
from tagcf.data.simulate.live.session import LiveSession, Responses, respond_to
from tagcf.data.simulate.live.truth import true_table
from tagcf.types import Codes, Floats, Mask, TagMatrix
from tagcf.types.live import ACTIONS


@dataclass(frozen=True, slots=True)
class LiveWorld:
    """A simulated live platform.

    `events`, `segments`, `products`, `social` and `tags` are what a platform would have;
    everything else is the truth. `truth` has the columns of `truth.COLUMNS`.
    """

    mechanism: Mechanism
    course: Course
    names: Names
    arrival: Arrival
    events: pa.Table  # in EVENT_SCHEMA, in the order of arrival
    segments: pl.DataFrame
    products: pl.DataFrame
    social: pl.DataFrame
    tags: TagMatrix  # of segments, then products
    truth: pl.DataFrame

    @property
    def settings(self) -> LivePlatform:
        """The settings it was made from."""
        return self.mechanism.settings

    def interest(self, users: ArrayLike, ts: ArrayLike) -> Codes:
        """(n,) the tag that users want at these epoch seconds; -1 before their first.

        While they are away it is the last one.
        """
        spells, at = self.course.episodes, self.settings.inner(np.asarray(ts, np.float64))
        band = 2.0 * self.settings.seconds
        order = np.lexsort((spells.start, spells.user))
        have = (spells.user * band + spells.start)[order]
        user = np.asarray(users, np.int64)
        found = np.searchsorted(have, user * band + at, side="right") - 1
        known = (found >= 0) & (spells.user[order][found] == user)
        return np.where(known, spells.tag[order][found], -1).astype(np.int32)

    def purchase_probability(self, users: ArrayLike, rooms: ArrayLike, ts: ArrayLike) -> Floats:
        """(n,) chance that users buy within the minute that holds `ts`; NaN without an opportunity.

        `users` and `rooms` are codes, `ts` epoch seconds. Minutes are counted from when a user
        came to the room or a new segment began.
        """
        chances, made = self.course.chances, self.course.bought
        at = self.settings.inner(np.asarray(ts, np.float64))
        band = 2.0 * self.settings.seconds
        key = chances.user.astype(np.float64) * self.settings.rooms + chances.room
        order = np.lexsort((chances.at, key))
        wanted = np.asarray(users, np.float64) * self.settings.rooms + np.asarray(rooms)
        have = (key * band + chances.at)[order]
        row = order[np.searchsorted(have, wanted * band + at + 1e-6, side="right") - 1]
        inside = (key[row] == wanted) & (at - chances.at[row] < chances.seconds[row])
        probability: Floats = np.where(inside, made.probability[row], np.nan)
        return probability

    def expected_counts(self) -> Floats:
        """(R, A, ticks) counts of `INTERACTIONS` expected without highlights, decoys included."""
        course, made = self.course, self.mechanism
        rates = individual_rates(made.people, course.pieces)
        expected = np.empty_like(course.usual)
        for a in range(len(INTERACTIONS)):
            expected[:, a] = viewers_of(self.settings, course.pieces, rates[:, a])
        lottery = bursting.lift(self.settings, course.bursts, ("lottery",))
        expected *= TICK * course.usual * lottery
        own = course.acts.planted >= 0
        return expected + self._counts(own)

    def observed_counts(self) -> Floats:
        """(R, A, ticks) counts of `INTERACTIONS`."""
        return self._counts(np.ones(len(self.course.acts), np.bool_))

    def _counts(self, chosen: Mask) -> Floats:
        counts = np.zeros(self.course.usual.shape)
        done = self.course.acts
        for a, name in enumerate(INTERACTIONS):
            here = chosen & (done.action == ACTIONS.index(name))
            tick = np.minimum((done.at[here] / TICK).astype(int), self.settings.ticks - 1)
            np.add.at(counts, (done.room[here], np.full(len(tick), a), tick), 1)
        return counts

    def respond(
        self, users: ArrayLike, content: ArrayLike, ts: ArrayLike, rng: np.random.Generator
    ) -> Responses:
        """Draw what users do when segments (rows of `segments`) are shown to them at `ts`."""
        made = self.mechanism
        user, segment = np.asarray(users, np.int32), np.asarray(content, np.int32)
        interest = self.interest(user, ts)
        match = made.reach.match(made.segments, made.rooms, user, np.maximum(interest, 0), segment)
        luck = rng.random((len(user), 6))
        return respond_to(
            made.topics,
            made.people,
            made.rooms,
            made.goods,
            made.segments,
            user,
            interest,
            segment,
            match,
            luck,
        )

    def session(self, seed: int, contents: int = 200) -> LiveSession:
        """Open a closed loop after the end of the log, in which a policy decides what is shown.

        Two sessions of the same seed have the same contents, interests and luck, whatever the
        policies show.
        """
        made, spells = self.mechanism, self.course.episodes
        last = np.full(self.settings.users, -1, np.int32)
        order = np.argsort(spells.start, kind="stable")
        last[spells.user[order]] = spells.tag[order]
        return LiveSession(
            made.settings,
            made.topics,
            made.people,
            made.rooms,
            made.goods,
            self.names,
            last,
            seed,
            contents,
        )


def simulate_live(settings: LivePlatform | None = None) -> LiveWorld:
    """Make a live platform; the same settings give the same world.

    Raises
    ------
    SettingsError
        A setting of `LivePlatform` outside its range.
    """
    settings = settings or LivePlatform()
    stream = [np.random.default_rng(one) for one in np.random.SeedSequence(settings.seed).spawn(14)]
    topics = draw_topics(settings, stream[0])
    people = gather_people(settings, topics, stream[1])
    rooms, goods = draw_rooms(settings, topics, stream[2])
    segments = draw_segments(settings, topics, rooms, goods, stream[3])
    made = Mechanism(
        settings, topics, people, rooms, goods, segments, reach_of(people, rooms, segments)
    )
    course = run(made, stream[4:12])
    n_accounts = int(course.acts.user.max(initial=0)) + 1
    names = name_all(settings, segments, len(goods.tag), n_accounts)
    texts = put_into_words(topics, goods, segments, course.acts, course.chat, stream[12])
    arrival = arrive(settings, course.acts, stream[13])
    return LiveWorld(
        mechanism=made,
        course=course,
        names=names,
        arrival=arrival,
        events=event_table(
            settings, people, rooms, topics, names, course.acts, course.chat, texts, arrival
        ),
        segments=segment_frame(settings, topics, goods, segments, names),
        products=_products(topics, goods, names),
        social=social_frame(people, names),
        tags=tag_matrix(topics, goods, segments.strength, names.segments, names.products),
        truth=true_table(made, course, names, arrival),
    )


def _products(topics: Topics, goods: Goods, names: Names) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "product_id": names.products,
            "title": goods.name,
            "tag": [topics.tags[t].slug for t in goods.tag],
            "price": goods.price,
        }
    )
