"""What the companion says: sentences as facts, put into words from the text catalogue alone."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tagcf.live.viewing.companion.assistant import Assistant
from tagcf.live.viewing.companion.spans import zone_of
from tagcf.text import Language, choose_language, language, listing, say, visible
from tagcf.types import Tag

_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_GAP = re.compile(r"\{(\d+)\}")


@dataclass(frozen=True, slots=True)
class TagName:
    """A tag, by slug; with its strength where that is to be told."""

    slug: str
    strength: float | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """Epoch seconds."""

    ts: float


@dataclass(frozen=True, slots=True)
class Named:
    """A word of the catalogue, such as an action: its key."""

    key: str


@dataclass(frozen=True, slots=True)
class Given:
    """A name that the platform gave, such as a room's: never understood, only shown."""

    text: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number and how it is written."""

    value: float
    form: str = ".0f"


Fact = TagName | Moment | Named | Given | Number
Facts = Fact | tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence: its key in the catalogue, and the facts that fill its gaps."""

    key: str
    facts: tuple[tuple[str, Facts], ...] = ()


def line(key: str, **facts: Facts) -> Line:
    """Make a sentence of the area ``live_viewing``."""
    return Line(f"live_viewing.{key}", tuple(facts.items()))


@dataclass(frozen=True, slots=True)
class Speech:
    """How facts are put into words."""

    tags: Mapping[str, Tag]
    zone: str = "UTC"

    def words(
        self, lines: Sequence[Line], spoken: Language, assistant: Assistant | None = None
    ) -> str:
        """Return sentences in a language, one after the other on one line.

        An assistant may put them in other words, without being told the facts.
        """
        return contextvars.copy_context().run(self._in, lines, spoken, assistant)

    def _in(self, lines: Sequence[Line], spoken: Language, assistant: Assistant | None) -> str:
        choose_language(spoken)
        facts: list[str] = []
        said: list[str] = []
        for one in lines:
            gaps: dict[str, str] = {}
            for name, fact in one.facts:
                facts.append(visible(self._fact(fact), keep="\n"))
                gaps[name] = f"{{{len(facts)}}}"
            said.append(say(one.key, **gaps))
        if assistant is not None:
            said = list(assistant.rephrase(said, tuple(self.tags.values()), spoken))
        template = ("" if spoken == "zh" else " ").join(said)
        return " ".join(_GAP.sub(lambda gap: facts[int(gap[1]) - 1], template).split())

    def _fact(self, fact: Facts) -> str:
        if isinstance(fact, tuple):
            return listing([self._fact(one) for one in fact])
        match fact:
            case TagName(slug, strength):
                name = self.tag_name(slug)
                return name if strength is None else f"{name} {strength:.2f}"
            case Moment(ts):
                return self.moment(ts)
            case Named(key):
                return say(key)
            case Given(text):
                return text
            case Number(value, form):
                return format(value, form)

    def moment(self, ts: float) -> str:
        """Day and time of epoch seconds."""
        return f"{datetime.fromtimestamp(ts, zone_of(self.zone)):%m-%d %H:%M}"

    def tag_name(self, slug: str) -> str:
        """Name of a tag in the language in force."""
        tag = self.tags.get(slug)
        if tag is None:
            return slug
        return tag.zh if language() == "zh" else tag.en


def spoken_in(text: str, otherwise: Language) -> Language:
    """Language that a line is written in: Chinese where it has a Chinese letter."""
    if _HAN.search(text):
        return "zh"
    return "en" if _LATIN.search(text) else otherwise
