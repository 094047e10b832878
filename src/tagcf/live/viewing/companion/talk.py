"""The companion: a line in, an answer out, over one user's own state."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tagcf.live.interest import InterestEngine
from tagcf.live.viewing.companion import answers, changes
from tagcf.live.viewing.companion.assistant import Assistant
from tagcf.live.viewing.companion.grammar import understand
from tagcf.live.viewing.companion.lines import (
    Given,
    Line,
    Moment,
    Number,
    Speech,
    TagName,
    line,
    spoken_in,
)
from tagcf.live.viewing.companion.memory import Memory
from tagcf.live.viewing.companion.pending import Pending
from tagcf.live.viewing.companion.tag_words import OFFERED, TagWords
from tagcf.live.viewing.companion.wishes import (
    CHANGING,
    EDITING,
    Kind,
    Unclear,
    Understood,
    Wish,
)
from tagcf.live.viewing.guide import RoomGuide
from tagcf.live.viewing.path import ViewingPath, viewing_path
from tagcf.live.wire import id_key
from tagcf.live.wire.event import Id
from tagcf.tags.vocabulary import default_vocabulary, name_index
from tagcf.text import Language, language
from tagcf.types import Tag

MINUTES = 20.0  # of a path, where no time is told
LISTED = 5  # rooms that are named
_NAMES = re.compile(r"[\w@#:.\-]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its words, what they were made of, and how the line was understood."""

    text: str
    lines: tuple[Line, ...]
    understood: Understood
    changed: bool  # interests were changed
    asks: bool  # a question that the next line may answer


class Companion:
    """A conversation with one user over their own interests and rooms.

    Every sentence is made of facts of the state. What is not understood is said to be; a tag that
    is not certain is asked about; whatever is changed is said, and can be taken back.

    Parameters
    ----------
    memory
        Interests and what was said of them, or an engine alone: then forgotten spans and resets
        cannot be taken back, and a reset of everything is asked about first.
    tags
        With the names to speak of: of the engine's tags.
    guide
        Rooms as they were at one time; without it the companion knows of no room.
    at
        Epoch seconds that "now" means; by default the guide's, else the newest event's.
    zone
        Time zone in which "yesterday evening" is meant.
    assistant
        A language model; see `tagcf.live.viewing.companion.asked`.
    spoken
        Language of all answers; by default that of each line.

    Examples
    --------
    ``Companion(Memory.of_tables(tables, folder, at), user, tags, guide).answer("少来点美食")``
    """

    def __init__(
        self,
        memory: Memory | InterestEngine,
        user: Id,
        tags: Sequence[Tag],
        guide: RoomGuide | None = None,
        *,
        at: float | None = None,
        zone: str = "UTC",
        assistant: Assistant | None = None,
        spoken: Language | None = None,
    ) -> None:
        self.memory = Memory(memory) if isinstance(memory, InterestEngine) else memory
        self.user, self.guide = user, guide
        known = set(self.memory.engine.slugs)
        self.tags = tuple(tag for tag in tags if tag.slug in known)
        self.words = TagWords(self.tags)
        elsewhere = (tag for tag in default_vocabulary().tags if tag.slug not in known)
        self._elsewhere = name_index(elsewhere)
        now = self.memory.engine.now if guide is None else guide.at
        self.at = now if at is None else at
        self.zone, self.assistant, self.spoken = zone, assistant, spoken
        self.speech = Speech({tag.slug: tag for tag in self.tags}, zone)
        self._pending = Pending()
        self._room: str | None = None  # spoken of last
        self._sure = False  # the line confirms what it asks for

    def answer(self, text: str) -> Reply:
        """Answer one line."""
        spoken = self.spoken or spoken_in(text, language())
        pending, self._pending = self._pending, Pending()
        named, rest = self._named_room(text)
        picked = pending.answered(rest, self.words)
        self._sure = bool(picked and pending.wishes)
        read = picked or understand(rest, self.words, self.at, self.zone)
        understood = self._assisted(rest, self._pointed(read, named))
        deeds = len(self.memory.record.deeds)
        lines = self._lines(understood, named)
        changed = len(self.memory.record.deeds) > deeds
        asks = self._pending != Pending()
        # What was changed or is asked is said in our own words alone.
        assistant = None if changed or asks else self.assistant
        words = self.speech.words(lines, spoken, assistant)
        return Reply(words, tuple(lines), understood, changed, asks)

    # understanding

    def _named_room(self, text: str) -> tuple[str | None, str]:
        """Room that a line names by its id, and the line without it."""
        if self.guide is None:
            return None, text
        rooms = {room.casefold(): room for room in self.guide.rooms}
        for found in _NAMES.finditer(text):
            room = rooms.get(found[0].casefold())
            if room is not None:
                return room, f"{text[: found.start()]} {text[found.end() :]}"
        return None, text

    def _pointed(self, read: Understood, named: str | None) -> Understood:
        """Give "this" the tags of what is on in the room that is meant, to be asked about."""
        if not any(isinstance(one, Unclear) and one.this for one in read):
            return read
        room = self._room_meant(named)
        parts = self.guide.of(room) if self.guide is not None and room is not None else ()
        on = next((part for part in parts if part.airing == "on"), None)
        tags = tuple(slug for slug, _ in on.tags[:OFFERED]) if on is not None else ()
        return tuple(
            replace(one, candidates=tags) if isinstance(one, Unclear) and one.this else one
            for one in read
        )

    def _assisted(self, text: str, understood: Understood) -> Understood:
        """Let the language model read what the grammar could not; changes are asked about first."""
        lost = understood == (Wish("unknown"),)
        if self.assistant is None or not lost:
            return understood
        read = self.assistant.read(text, self.tags)
        if not read:
            return understood
        harmless = all(one.kind not in CHANGING for one in read)
        if harmless:
            return read
        self._pending = Pending(wishes=read)
        return understood

    # answering

    def _lines(self, understood: Understood, named: str | None) -> list[Line]:
        if self._pending.wishes:
            return self._do_you_mean(self._pending.wishes)
        unclear = tuple(one for one in understood if isinstance(one, Unclear))
        wishes = [one for one in understood if isinstance(one, Wish)]
        lines: list[Line] = []
        edits = [one for one in wishes if one.kind in EDITING]
        if edits:
            lines += changes.changed(self.memory, self.user, edits, self.at)
        forgotten = [one.tag for one in wishes if one.kind == "forget_tag" and one.tag]
        if forgotten:
            lines += changes.forgot_tag(self.memory, self.user, forgotten, self.at)
        rest = [one for one in wishes if one.kind not in (*EDITING, "forget_tag")]
        for wish in rest:
            lines += self._one(wish, named)
        if unclear:
            lines += self._ask(unclear)
        return lines

    def _one(self, wish: Wish, named: str | None) -> list[Line]:
        """Answer a request that changes no single tag."""
        memory, user, at = self.memory, self.user, self.at
        count = int(wish.number or answers.SHOWN)
        since, until = wish.since or 0.0, wish.until or 0.0
        known: dict[Kind, Callable[[], list[Line]]] = {
            "likes": lambda: answers.likes(memory.interest(user, at), count),
            "why_tag": lambda: answers.why_tag(memory.reason(user, str(wish.tag), at)),
            "said": self._said,
            "undo": lambda: changes.undone(memory, user, at),
            "start_over": self._start_over,
            "forget_time": lambda: changes.forgot_time(memory, user, since, until, at),
            "next": lambda: self._next(named, wish.number or MINUTES),
            "why_content": lambda: self._of_room(wish, named),
            "missed": lambda: self._of_room(wish, named),
            "about": lambda: self._of_room(wish, named),
            "help": lambda: [line("help")],
            "yes": lambda: [line("nothing_asked")],
            "no": lambda: [line("left_as_is")],
        }
        return known.get(wish.kind, lambda: [line("unknown")])()

    def _said(self) -> list[Line]:
        told = answers.said(self.memory.engine.edits(self.user))
        spans = self.memory.record.forgotten()
        for since, until in spans.get(id_key(self.user), ()):
            told.append(line("said_time", since=Moment(since), until=Moment(until)))
        return told

    def _start_over(self) -> list[Line]:
        if self.memory.past is not None or self._sure:
            return changes.started_over(self.memory, self.user, self.at)
        self._pending = Pending(wishes=(Wish("start_over"),))
        return [line("sure_start_over")]

    def _of_room(self, wish: Wish, named: str | None) -> list[Line]:
        room = self._room_meant(named)
        if room is None or self.guide is None:
            return self._which_room()
        parts, at = self.guide.of(room), self.at
        if wish.kind == "about":
            return answers.about(room, parts, at)
        if wish.kind == "missed":
            gone = [one for part in parts for one in part.highlights]
            return answers.missed(room, gone, self.guide.seen_by(str(self.user), room))
        part = next((p for p in parts if p.airing == "on"), None) or next(
            (p for p in reversed(parts) if p.airing == "past"), parts[0]
        )
        return answers.why_content(part, self.memory.interest(self.user, at))

    def _room_meant(self, named: str | None) -> str | None:
        """Room that a line names, that the user is in, or that was spoken of last."""
        if self.guide is None:
            return None
        room = named or self.guide.room_of(str(self.user)) or self._room
        self._room = room
        return room

    def _which_room(self) -> list[Line]:
        if self.guide is None:
            return [line("no_rooms")]
        on = dict.fromkeys(part.room_id for part in self.guide.on_air())
        rooms = tuple(Given(room) for room in list(on)[:LISTED])
        return [line("which_room", rooms=rooms)] if rooms else [line("nothing_on_air")]

    def _next(self, named: str | None, minutes: float) -> list[Line]:
        """Path through the room that is named, else through the one whose path is worth most."""
        if self.guide is None:
            return [line("no_rooms")]
        guide = self.guide
        rooms = (named,) if named else guide.rooms
        paths = [(room, self.path(guide, room, minutes)) for room in rooms]
        if not paths:
            return [line("nothing_on_air")]
        room, best = max(paths, key=lambda pair: pair[1].value)
        self._room = room
        return answers.next_up(room, best)

    def path(self, guide: RoomGuide, room: str, minutes: float) -> ViewingPath:
        """Viewing path through a room for the user."""
        seen = guide.seen_by(str(self.user), room)
        interests = self.memory.interest(self.user, self.at)
        return viewing_path(guide.of(room), interests, self.at, minutes, seen)

    def _ask(self, unclear: tuple[Unclear, ...]) -> list[Line]:
        """Ask which tag is meant; one question at a time."""
        asked = unclear[0]
        word = Given(asked.word[:40])
        if asked.this and not asked.candidates:
            return [line("this_what", word=word)]
        elsewhere = self._elsewhere.get(asked.word)
        if asked.candidates:
            self._pending = Pending(unclear=unclear)
            names = tuple(TagName(slug) for slug in asked.candidates)
            if len(names) == 1:
                return [line("did_you_mean", word=word, tag=names[0])]
            return [line("ask_which", word=word, tags=names, n=Number(len(names)))]
        if elsewhere is not None:
            return [line("tag_not_here", word=word)]
        return [line("no_such_tag", word=word)]

    def _do_you_mean(self, wishes: Sequence[Wish]) -> list[Line]:
        """Ask whether a reading of the language model is right."""
        return [
            line(f"mean_{wish.kind}", tag=TagName(wish.tag))
            if wish.tag is not None
            else line(f"mean_{wish.kind}")
            for wish in wishes
        ]
