"""Answers: from the state of interests and rooms to sentences, without a word from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from tagcf.live.interest import Edit, InterestReason, TagInterest
from tagcf.live.rooms.highlights import Highlight
from tagcf.live.viewing.companion.lines import (
    Fact,
    Given,
    Line,
    Moment,
    Named,
    Number,
    TagName,
    line,
)
from tagcf.live.viewing.parts import RoomPart
from tagcf.live.viewing.path import Stop, ViewingPath

LIKED = 0.02  # strength from which on an interest is told
SHOWN = 5  # interests, events, highlights and stops that are told
TOLD = 0.05  # share of a gain from which on a tag is named
RECEIVED = 1.2  # times the usual from which on a good reception is named
MINUTE = 60.0


def likes(interests: Sequence[TagInterest], count: int) -> list[Line]:
    """What the user likes and what not."""
    liked = [one for one in interests if one.strength >= LIKED][:count]
    disliked = [one for one in interests if one.strength <= -LIKED][-count:]
    muted = [one for one in interests if one.edited == "mute"]
    told = [line("likes", tags=_tags(liked), n=Number(len(liked)))] if liked else []
    if disliked:
        told.append(line("dislikes", tags=_tags(disliked)))
    if muted:
        told.append(line("mutes", tags=tuple(TagName(one.tag) for one in muted)))
    if not told:
        return [line("likes_nothing")]
    return [*told, line("likes_more")]


def _tags(interests: Sequence[TagInterest]) -> tuple[Fact, ...]:
    return tuple(TagName(one.tag, one.strength) for one in interests)


def why_tag(reason: InterestReason) -> list[Line]:
    """Which events an interest comes from."""
    tag = TagName(reason.tag)
    told: list[Line] = []
    if reason.edit is not None and not _neutral(reason.edit):
        told.append(_of_edit(reason.edit))
    if abs(reason.behaviour) < LIKED / 2:
        return [*told, line("why_nothing", tag=tag)]
    told.append(line("why_head", tag=tag, strength=Number(reason.behaviour, ".2f")))
    events = [one for one in reason.events if one.share * reason.behaviour > 0][:3]
    told += [
        line(
            "why_event",
            when=Moment(one.ts),
            action=Named(f"live_viewing.action_{one.action}"),
            content=Given(one.content),
            share=Number(one.share / reason.behaviour, ".0%"),
        )
        for one in events
    ]
    rest = reason.behaviour - sum(one.share for one in events)
    if not events:
        told.append(line("why_older"))
    elif rest / reason.behaviour >= 0.005:
        told.append(line("why_rest", share=Number(rest / reason.behaviour, ".0%")))
    return told


def why_content(part: RoomPart, interests: Sequence[TagInterest]) -> list[Line]:
    """What in the user's interests speaks for a part of a room, and what against."""
    strengths = {one.tag: one for one in interests}
    carried = [strengths[slug] for slug, _ in part.tags if slug in strengths]
    liked = sorted((one for one in carried if one.strength >= LIKED), key=lambda one: -one.strength)
    against = [one for one in carried if one.strength <= -LIKED or one.edited == "mute"]
    room = Given(part.room_id)
    told = (
        [line("content_because", room=room, tags=_tags(liked[:SHOWN]))]
        if liked
        else [line("content_nothing", room=room, tags=tuple(TagName(s) for s, _ in part.tags))]
        if part.tags
        else [line("content_no_tags", room=room)]
    )
    if against:
        told.append(line("content_against", tags=_tags(against[:SHOWN])))
    if part.highlights:
        told.append(line("content_highlights", n=Number(len(part.highlights))))
    return [*told, line("content_limit")]


def missed(
    room: str, highlights: Sequence[Highlight], seen: Sequence[tuple[float, float]]
) -> list[Line]:
    """Highlights of a room that the user was not there for."""
    gone = [one for one in highlights if not _seen(one, seen)]
    if not highlights:
        return [line("missed_none", room=Given(room))]
    if not gone:
        return [line("missed_nothing", room=Given(room), n=Number(len(highlights)))]
    best = sorted(gone, key=lambda one: -one.score)[:SHOWN]
    told = [line("missed_head", room=Given(room), n=Number(len(gone)))]
    for one in sorted(best, key=lambda each: each.start):
        tags = tuple(TagName(slug) for slug in one.tags[:3])
        told.append(
            line(
                "missed_one" if tags else "missed_one_plain",
                start=Moment(one.start),
                seconds=Number(one.end - one.start),
                tags=tags,
                rose=tuple(Named(f"live_viewing.rose_{name}") for name, _ in one.lifts[:2]),
            )
        )
    return told


def _seen(one: Highlight, seen: Sequence[tuple[float, float]]) -> bool:
    middle = (one.start + one.end) / 2
    return any(start <= middle < end for start, end in seen)


def about(room: str, parts: Sequence[RoomPart], at: float) -> list[Line]:
    """What is on in a room."""
    on = next((part for part in parts if part.airing == "on"), None)
    if on is None:
        past = [part for part in parts if part.airing == "past"]
        later = [part for part in parts if part.airing == "announced"]
        told = [line("off_air", room=Given(room))]
        if past:
            told.append(line("off_air_since", when=Moment(past[-1].end)))
        if later:
            told.append(line("on_air_from", when=Moment(later[0].start)))
        return told
    minutes = Number((at - on.start) / MINUTE)
    tags = tuple(TagName(slug) for slug, _ in on.tags[:SHOWN])
    told = [
        line("about", room=Given(room), minutes=minutes, tags=tags)
        if tags
        else line("about_no_tags", room=Given(room), minutes=minutes)
    ]
    if on.product_id:
        told.append(line("about_product", product=Given(on.product_id)))
    return told


def next_up(room: str, path: ViewingPath) -> list[Line]:
    """A viewing path."""
    if not path.stops:
        return [line("next_nothing", room=Given(room), minutes=Number(path.minutes, "g"))]
    told = [
        line(
            "next_head",
            room=Given(room),
            minutes=Number(path.watched),
            n=Number(len(path.stops)),
        )
    ]
    for number, stop in enumerate(path.stops[:SHOWN], 1):
        told += [_stop(stop, number), *stop_lines(stop)]
    if len(path.stops) > SHOWN:
        told.append(line("next_rest", n=Number(len(path.stops) - SHOWN)))
    if path.left_out:
        slugs = dict.fromkeys(slug for _, slug in path.left_out)
        told.append(
            line(
                "next_left_out",
                n=Number(len(path.left_out)),
                tags=tuple(TagName(slug) for slug in slugs),
            )
        )
    return told


def _stop(stop: Stop, number: int) -> Line:
    return line(
        "stop_replay" if stop.replay else "stop_live",
        number=Number(number),
        start=Moment(stop.start),
        minutes=Number((stop.end - stop.start) / MINUTE, ".1f"),
    )


def stop_lines(stop: Stop) -> list[Line]:
    """Why a stop is in a path."""
    because = tuple(TagName(slug) for slug, share in stop.because[:2] if share >= TOLD)
    told = [line("stop_tags", tags=because)] if because else []
    if stop.highlights:
        told.append(line("stop_highlights", n=Number(stop.highlights)))
    elif stop.part.hold * stop.part.reaction > RECEIVED and stop.replay:
        told.append(line("stop_received"))
    elif not because:
        told.append(line("stop_variety"))
    return told


def said(edits: Sequence[Edit]) -> list[Line]:
    """What the user has said that is in force."""
    told = [_of_edit(edit) for edit in edits if not _neutral(edit)]
    return told or [line("said_nothing")]


def _neutral(edit: Edit) -> bool:
    return edit.kind == "boost" and (edit.amount == 1.0 or edit.tag is None)


def _of_edit(edit: Edit) -> Line:
    if edit.tag is None:
        return line("said_reset_all", when=Moment(edit.at))
    tag = TagName(edit.tag)
    if edit.kind == "mute":
        return line("said_mute", tag=tag)
    if edit.kind == "reset":
        return line("said_reset", tag=tag, when=Moment(edit.at))
    if edit.kind == "set":
        return line("said_set", tag=tag, strength=Number(edit.amount, ".2f"))
    return line("said_boost", tag=tag, times=Number(edit.amount, "g"))
