"""Free words: what an item is about and whom it speaks to, each with a reason.

The first step of the published TagCF (Yu et al., NeurIPS 2025, arXiv 2505.10940): a multimodal
model names item topics and user roles freely; `covering_set` then reduces the names of all items
to a set that covers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tagcf.tags.evidence import Content, Evidence, Found
from tagcf.tags.llm.answer import (
    Entry,
    NameText,
    ReasonText,
    Tenths,
    list_schema,
    object_schema,
    read_entries,
)
from tagcf.tags.llm.client import Answer
from tagcf.tags.llm.request import Block, Request, make_request
from tagcf.tags.llm.task import Question, Seen, pictures_of
from tagcf.tags.vocabulary import Vocabulary, name_index
from tagcf.text import Language

PROMPT = "free-1"
TOPICS, ROLES = 8, 6

_INSTRUCTIONS = """\
You describe short videos and posts for a recommender. topics: what the content is about, its \
scene, mood, style and sound, at most {topics}, most telling first. roles: which people it \
speaks to, as they would call themselves (new father, late-night student, e-sports fan), at most \
{roles}. Names are short nouns, at most 12 characters in Chinese or 3 words in English, no \
sentences, no hashtags, no names of private persons. Never name a role by illness, religion, \
sexuality, political view, or for being a child. reason: the words or the sight that shows it, \
at most {limit} characters. strength: how much of the content it is, 1 a trace to 10 all of it. \
confidence: how sure you are, 1 to 10. Write names and reasons in {language}."""
_LANGUAGES: dict[Language, str] = {"zh": "Chinese", "en": "English"}


class _Named(Entry):
    name: NameText
    reason: ReasonText
    strength: Tenths
    confidence: Tenths


_SCHEMA = object_schema(topics=list_schema(_Named, TOPICS), roles=list_schema(_Named, ROLES))


@dataclass(frozen=True, slots=True)
class FreeTag:
    """A name that a model gave, in its own words."""

    name: str
    strength: float  # 0..1
    confidence: float  # 0..1
    reason: str


@dataclass(frozen=True, slots=True)
class Extraction:
    """Topics and roles of one item, each name once."""

    topics: tuple[FreeTag, ...] = ()
    roles: tuple[FreeTag, ...] = ()


@dataclass(frozen=True, slots=True)
class FreeTags:
    """Name topics and roles freely.

    Attributes
    ----------
    language
        Of the names.
    frames
        Pictures of an item's media that are sent; 0: words alone.
    """

    language: Language = "zh"
    frames: int = 0

    def questions(
        self, contents: Iterable[Content], vocabulary: Vocabulary, source: str
    ) -> Iterator[Question[Extraction]]:
        """One question per item."""
        for content in contents:
            seen, missing = pictures_of(content, self.frames, source)
            if not content.text.strip() and not seen:
                yield Question(None, _read, missing)
            else:
                yield Question(free_request(content.text, self.language, seen), _read, missing)

    def found(self, value: Extraction, vocabulary: Vocabulary, source: str) -> tuple[Found, ...]:
        """Topics that are a name or alias of a tag of the vocabulary; the others stay free."""
        index = name_index(vocabulary.tags)
        best: dict[str, FreeTag] = {}
        for topic in value.topics:
            tag = index.get(topic.name.casefold())
            if tag is not None and (
                tag.slug not in best or topic.strength > best[tag.slug].strength
            ):
                best[tag.slug] = topic
        return tuple(
            Found(slug, one.strength, one.confidence, source, Evidence(one.reason or None))
            for slug, one in best.items()
        )


def free_request(text: str, language: Language, seen: Sequence[Seen] = ()) -> Request:
    """Ask for topics and roles of a text and pictures."""
    instructions = _INSTRUCTIONS.format(
        topics=TOPICS, roles=ROLES, limit=80, language=_LANGUAGES[language]
    )
    images = tuple(one.image for one in seen)
    return make_request(PROMPT, instructions, _SCHEMA, [Block("title and caption", text)], images)


def _read(answer: Answer) -> Extraction:
    return Extraction(_names(answer.text, "topics"), _names(answer.text, "roles"))


def _names(text: str, which: str) -> tuple[FreeTag, ...]:
    named: dict[str, FreeTag] = {}
    for entry in read_entries(text, _SCHEMA, which, _Named):
        name = entry.name.strip("#＃ 　")
        if name:
            tag = FreeTag(name, entry.strength / 10, entry.confidence / 10, entry.reason)
            named.setdefault(name.casefold(), tag)
    return tuple(named.values())
