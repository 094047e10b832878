"""The truth of a simulated live platform, as one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.data.simulate.live.bursts import KINDS
from tagcf.data.simulate.live.chat import EMOTIONS, INTENTS
from tagcf.data.simulate.live.course import Course, Mechanism
from tagcf.data.simulate.live.log import Arrival, Names, event_ids
from tagcf.types import Codes, Floats

# `from` and `to` are tags, phases, kinds of decoy or intents, as `kind` has it.
COLUMNS = {
    "kind": pl.String,
    "user_id": pl.String,
    "room_id": pl.String,
    "start": pl.Float64,  # epoch seconds
    "end": pl.Float64,
    "from": pl.String,
    "to": pl.String,
    "tag": pl.String,
    "product_id": pl.String,
    "event_id": pl.String,
    "value": pl.Float64,
    "detail": pl.String,
}
SETTLED = 30.0  # seconds of a visit from which on it is one of the phase "settled"
PHASES = ("searching", "settled", "leaving")


def true_table(made: Mechanism, course: Course, names: Names, arrival: Arrival) -> pl.DataFrame:
    """Return everything known, a row each, in the columns of `COLUMNS`, by kind and start."""
    parts = [
        _switches(made, course, names),
        _sessions(made, course, names),
        _phases(made, course, names),
        _bursts(made, course, names),
        _purchases(made, course, names),
        _talk(made, course, names),
        _disorder(made, course, names, arrival),
        _traits(made, names),
    ]
    whole = pl.concat(parts, how="vertical")
    return whole.sort("kind", "start", "user_id", "room_id", "event_id", nulls_last=True)


def _table(kind: str | Sequence[str], **columns: Sequence[object] | NDArray[Any]) -> pl.DataFrame:
    """Fill the columns that a kind does not have."""
    named = {name.rstrip("_"): values for name, values in columns.items()}
    n = len(next(iter(named.values())))
    named["kind"] = [kind] * n if isinstance(kind, str) else list(kind)
    return pl.DataFrame(
        {name: named.get(name, [None] * n) for name in COLUMNS}, schema=COLUMNS, strict=False
    )


def _named(names: Sequence[str], codes: Codes | NDArray[np.int64]) -> list[str | None]:
    return [None if c < 0 else names[c] for c in codes.tolist()]


def _switches(made: Mechanism, course: Course, names: Names) -> pl.DataFrame:
    slugs, spells = [tag.slug for tag in made.topics.tags], course.episodes
    moved = (spells.before >= 0) & (spells.before != spells.tag)
    return _table(
        "switch",
        user_id=_named(names.users, spells.user[moved]),
        start=made.settings.epoch(spells.start[moved]),
        from_=_named(slugs, spells.before[moved]),
        to=_named(slugs, spells.tag[moved]),
        detail=np.where(spells.opening[moved], "as a session starts", "within a session").tolist(),
    )


def _sessions(made: Mechanism, course: Course, names: Names) -> pl.DataFrame:
    sessions, spells = course.sessions, course.episodes
    slugs = [tag.slug for tag in made.topics.tags]
    first = np.searchsorted(spells.session, np.arange(len(sessions.user)))
    return _table(
        "session",
        user_id=_named(names.users, sessions.user),
        start=made.settings.epoch(sessions.start),
        end=made.settings.ending(sessions.end),
        to=_named(slugs, spells.tag[first]),
    )


def _phases(made: Mechanism, course: Course, names: Names) -> pl.DataFrame:
    """Settled: visits of some length; leaving: the last minutes; searching: all between."""
    sessions, pieces = course.sessions, course.pieces
    ends = pieces.leaves & (pieces.session >= 0)
    session, start = pieces.session[ends], pieces.entered[ends]
    end = np.minimum(pieces.end[ends], sessions.leaving[session])
    long = end - start >= SETTLED
    session, start, end = session[long], start[long], end[long]
    room = pieces.room[ends][long]
    order = np.lexsort((start, session))
    session, start, end, room = session[order], start[order], end[order], room[order]
    every = np.arange(len(sessions.user), dtype=np.int32)
    # Before each settled visit, and after the last of a session, is a search.
    first = np.append(True, session[1:] != session[:-1]) if len(session) else np.empty(0, bool)
    since = np.where(first, sessions.start[session], np.append(0.0, end[:-1])[: len(end)])
    last_end = sessions.start.copy()
    last_end[session] = end  # the last of each wins
    rows: list[tuple[int, Codes, Floats, Floats, Codes]] = [
        (1, session, start, end, room),
        (0, session, since, start, np.full(len(session), -1)),
        (0, every, last_end, sessions.leaving, np.full(len(every), -1)),
        (2, every, sessions.leaving, sessions.end, np.full(len(every), -1)),
    ]
    tables = []
    for phase, of, a, z, where in rows:
        some = z - a >= 1.0
        tables.append(
            _table(
                "phase",
                user_id=_named(names.users, sessions.user[of[some]]),
                room_id=_named(names.rooms, where[some]),
                start=made.settings.epoch(a[some]),
                end=made.settings.ending(z[some]),
                to=[PHASES[phase]] * int(some.sum()),
            )
        )
    return pl.concat(tables)


def _bursts(made: Mechanism, course: Course, names: Names) -> pl.DataFrame:
    bursts, segments = course.bursts, made.segments
    slugs = [tag.slug for tag in made.topics.tags]
    highlight = bursts.kind == KINDS.index("highlight")
    key = segments.room * (2.0 * made.settings.seconds)
    at = bursts.room * (2.0 * made.settings.seconds) + bursts.start
    segment = np.searchsorted(key + segments.start, at, side="right") - 1
    tag = np.where(highlight, segments.main[segment], -1)
    product = np.where(highlight, segments.product[segment], -1)
    return _table(
        np.where(highlight, "highlight", "decoy").tolist(),
        room_id=_named(names.rooms, bursts.room),
        start=made.settings.epoch(bursts.start),
        end=made.settings.ending(bursts.end),
        to=[None if k == 0 else KINDS[k] for k in bursts.kind],
        tag=_named(slugs, tag),
        product_id=_named(names.products, product),
        value=np.where(highlight, bursts.factor.max(axis=1), bursts.size),
    )


def _purchases(made: Mechanism, course: Course, names: Names) -> pl.DataFrame:
    chances, made_up = course.chances, course.bought
    row = np.flatnonzero(made_up.bought)
    return _table(
        "purchase",
        user_id=_named(names.users, chances.user[row]),
        room_id=_named(names.rooms, chances.room[row]),
        start=made.settings.epoch(made_up.at[row]),
        product_id=_named(names.products, chances.product[row]),
        value=made_up.probability[row],
        detail=["value: the chance in that minute"] * len(row),
    )


def _talk(made: Mechanism, course: Course, names: Names) -> pl.DataFrame:
    acts, chat = course.acts, course.chat
    act = chat.act
    return _table(
        "danmaku",
        user_id=_named(names.users, acts.user[act]),
        room_id=_named(names.rooms, acts.room[act]),
        start=made.settings.epoch(acts.at[act]),
        to=[INTENTS[k] for k in chat.intent],
        event_id=event_ids(act.astype(np.int64)).to_pylist(),
        value=chat.sentiment.astype(np.float64),
        detail=[EMOTIONS[k] for k in chat.emotion],
    )


def _disorder(made: Mechanism, course: Course, names: Names, arrival: Arrival) -> pl.DataFrame:
    odd = arrival.late | arrival.again
    act = arrival.act[odd]
    return _table(
        np.where(arrival.again[odd], "duplicate", "late").tolist(),
        user_id=_named(names.users, course.acts.user[act]),
        start=made.settings.epoch(course.acts.at[act]),
        event_id=event_ids(act).to_pylist(),
        value=arrival.delay[odd],
        detail=["value: seconds until it arrived"] * len(act),
    )


def _traits(made: Mechanism, names: Names) -> pl.DataFrame:
    people, rooms, settings = made.people, made.rooms, made.settings
    slugs = [tag.slug for tag in made.topics.tags]
    scenes = [scene.name for scene in made.topics.scenes]
    user, tag = np.nonzero(np.isfinite(people.adopted))
    new = np.flatnonzero(people.new_scene >= 0)
    everyone = np.arange(settings.users)
    return pl.concat(
        [
            _table(
                "adoption",
                user_id=_named(names.users, user),
                start=settings.epoch(people.adopted[user, tag] * settings.window),
                to=_named(slugs, tag),
            ),
            _table(
                "new_scene",
                user_id=_named(names.users, new),
                start=settings.epoch(people.new_from[new]),
                to=_named(scenes, people.new_scene[new]),
            ),
            _table("type", user_id=_named(names.users, everyone), value=people.kind.astype(float)),
            _table(
                "room",
                room_id=names.rooms,
                to=_named(scenes, rooms.scene),
                value=rooms.resonance,
                detail=["value: how far the audience's emotion follows the content's"]
                * settings.rooms,
            ),
        ]
    )
