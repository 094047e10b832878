"""Requests that change interests: what is done, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence

from tagcf.live.interest import Edit
from tagcf.live.viewing.companion.lines import Fact, Line, Moment, Number, TagName, line
from tagcf.live.viewing.companion.memory import Change, Memory
from tagcf.live.viewing.companion.record import Span
from tagcf.live.viewing.companion.wishes import Wish
from tagcf.live.wire.event import Id

ENOUGH = 0.1  # strength from behaviour that can be multiplied; a weaker one is set
WANTED, UNWANTED, STEP = 0.5, -0.3, 0.25  # strengths that are set, and by how much they move
TIMES, MOST = 2.0, 8.0  # factor of one "more", and of many


def changed(memory: Memory, user: Id, wishes: Sequence[Wish], at: float) -> list[Line]:
    """Do what a line asks for more, less, never and again of tags, as one deed."""
    laid = memory.laid(user)
    changes: list[Change] = []
    told: list[tuple[Wish, float]] = []
    idle: list[Line] = []
    for wish in wishes:
        tag = str(wish.tag)
        change = _change(memory, user, wish, laid.get(tag))
        if change is None:
            key = "never_already" if wish.kind == "never" else "again_not_muted"
            idle.append(line(key, tag=TagName(tag)))
        else:
            changes.append(change)
            told.append((wish, memory.strength(user, tag)))
    if not changes:
        return idle
    memory.change(user, changes, at)
    lines = [_told(memory, user, wish, before) for wish, before in told]
    return [*idle, *lines, line("how_to_undo")]


def _change(memory: Memory, user: Id, wish: Wish, laid: Edit | None) -> Change | None:
    """Edit that a wish asks for; none where it is so already."""
    tag = str(wish.tag)
    muted = laid is not None and laid.kind == "mute"
    if wish.kind == "never":
        return None if muted else ("mute", tag, 0.0)
    if wish.kind == "again":
        return ("boost", tag, 1.0) if muted else None
    behaviour = memory.reason(user, tag).behaviour
    more = wish.kind == "more"
    if laid is not None and laid.kind == "set":
        moved = laid.amount + (STEP if more else -STEP)
        return "set", tag, max(-1.0, min(1.0, moved))
    if behaviour < ENOUGH:
        return "set", tag, WANTED if more else min(UNWANTED, behaviour - STEP)
    factor = laid.amount if laid is not None and laid.kind == "boost" else 1.0
    factor = factor * TIMES if more else factor / TIMES
    return "boost", tag, max(1 / MOST, min(MOST, factor))


def _told(memory: Memory, user: Id, wish: Wish, before: float) -> Line:
    tag = str(wish.tag)
    facts: dict[str, Fact] = {"tag": TagName(tag)}
    if wish.kind in ("more", "less"):
        facts |= {
            "before": Number(before, ".2f"),
            "after": Number(memory.strength(user, tag), ".2f"),
        }
    return line(f"did_{wish.kind}", **facts)


def forgot_tag(memory: Memory, user: Id, tags: Sequence[str], at: float) -> list[Line]:
    """Forget what the user did about tags."""
    told = []
    for tag in tags:
        before = memory.strength(user, tag)
        memory.reset(user, tag, at)
        told.append(line("forgot_tag", tag=TagName(tag), before=Number(before, ".2f")))
    return [*told, *_how_to_undo(memory)]


def started_over(memory: Memory, user: Id, at: float) -> list[Line]:
    """Forget everything."""
    memory.reset(user, None, at)
    return [line("started_over"), *_how_to_undo(memory)]


def forgot_time(memory: Memory, user: Id, since: float, until: float, at: float) -> list[Line]:
    """Forget a span, where there are the events that make it possible."""
    span = {"since": Moment(since), "until": Moment(until)}
    if memory.past is None:
        return [line("cannot_forget_time", **span)]
    if not memory.past.count(user, (since, until)):
        return [line("forgot_no_time", **span)]
    if not memory.past.count(user, (since, until), memory.forgotten(user)):
        return [line("forgot_time_already", **span)]
    n = memory.forget(memory.past, user, (since, until), at)
    return [line("forgot_time", n=Number(n), **span), line("how_to_undo")]


def undone(memory: Memory, user: Id, at: float) -> list[Line]:
    """Take the newest change back."""
    deed = memory.last(user)
    if deed is None:
        return [line("nothing_to_undo")]
    if not memory.can_undo(deed):
        return [line("cannot_undo")]
    newer = memory.changed_since(user, deed)
    if newer:
        named = tuple(TagName(tag) for tag in newer if tag is not None)
        return [line("changed_since", tags=named) if named else line("all_changed_since")]
    memory.undo(user, deed, at)
    if deed.kind == "forget_time":
        return _counted_again(memory, user, (deed.since, deed.until))
    if deed.kind == "reset" and deed.edits[0].tag is None:
        return [line("undone_all")]
    tags = dict.fromkeys(edit.tag for edit in deed.edits if edit.tag)
    laid = memory.laid(user)
    return [
        line("undone_mute", tag=TagName(tag))
        if tag in laid and laid[tag].kind == "mute"
        else line("undone", tag=TagName(tag), strength=Number(memory.strength(user, tag), ".2f"))
        for tag in tags
    ]


def _counted_again(memory: Memory, user: Id, span: Span) -> list[Line]:
    """Say what counts again of a span, and what stays forgotten because of others."""
    told = {"since": Moment(span[0]), "until": Moment(span[1])}
    others = memory.forgotten(user)
    still = common(span, others)
    if not still or memory.past is None:
        return [line("undone_time", **told)]
    n = memory.past.count(user, span, others)
    return [
        line("undone_part", n=Number(n), **told),
        *(line("still_forgotten", since=Moment(a), until=Moment(b)) for a, b in still),
    ]


def common(span: Span, others: Sequence[Span]) -> list[Span]:
    """What a span has in common with others, in order and without overlaps."""
    parts: list[Span] = []
    for begin, end in sorted(others):
        since, until = max(begin, span[0]), min(end, span[1])
        if parts and since <= parts[-1][1]:
            parts[-1] = (parts[-1][0], max(until, parts[-1][1]))
        elif since < until:
            parts.append((since, until))
    return parts


def _how_to_undo(memory: Memory) -> list[Line]:
    return [line("no_way_back" if memory.past is None else "how_to_undo")]
