"""Closed vocabulary: which of a few offered tags an item carries, how strongly, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from tagcf.tags.evidence import Content, Evidence, Found
from tagcf.tags.llm.answer import (
    Entry,
    ReasonText,
    Tenths,
    list_schema,
    object_schema,
    read_entries,
)
from tagcf.tags.llm.candidates import candidates_of
from tagcf.tags.llm.client import Answer
from tagcf.tags.llm.request import Block, Request, make_request
from tagcf.tags.llm.task import Question, Seen, pictures_of
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Tag

PROMPT = "tags-1"
MOST = 8  # tags of one item
CHUNK = 256  # items whose candidates are looked up at once

_INSTRUCTIONS = """\
You tag short videos and posts for a recommender. Decide which of the tags below describe the \
content. Choose only tags that it clearly carries, at most {most}, strongest first; an empty list \
is a good answer. strength: how much of the content it is, 1 a trace to 10 all of it. \
confidence: how sure you are, 1 to 10. reason: the words or the sight that shows it, at most \
{limit} characters, in the language of the content.{pictures}
Tags, one a line, as slug: Chinese name / English name:
{tags}"""
_PICTURES = " picture: the number of the picture that shows it, 0 if the words do."


class _Tagged(Entry):
    tag: str
    reason: ReasonText
    strength: Tenths
    confidence: Tenths


class _Shown(_Tagged):
    picture: int


@dataclass(frozen=True, slots=True)
class ClosedTags:
    """Choose from the vocabulary.

    Attributes
    ----------
    k
        Candidates offered for an item; see `candidates_of`.
    frames
        Pictures of its media that are sent; 0: words alone.
    label
        What the texts are, in a word for the model. Danmaku and comments are written after
        people saw the item: tag them apart, and keep their tags apart.
    """

    k: int = 40
    frames: int = 0
    label: str = "title and caption"

    def questions(
        self, contents: Iterable[Content], vocabulary: Vocabulary, source: str
    ) -> Iterator[Question[tuple[Found, ...]]]:
        """One question per item; candidates are looked up for `CHUNK` items at once."""
        queue = iter(contents)
        while chunk := list(islice(queue, CHUNK)):
            offered = candidates_of([content.text for content in chunk], vocabulary, self.k)
            for content, tags in zip(chunk, offered, strict=True):
                yield self._question(content, tags, source)

    def found(
        self, value: tuple[Found, ...], vocabulary: Vocabulary, source: str
    ) -> tuple[Found, ...]:
        """Return the answer itself: its tags are of the vocabulary."""
        return value

    def _question(
        self, content: Content, tags: Sequence[Tag], source: str
    ) -> Question[tuple[Found, ...]]:
        seen, missing = pictures_of(content, self.frames, source)
        read = partial(_read, tags=tags, seen=seen, source=source)
        if not content.text.strip() and not seen:
            return Question(None, read, missing)
        request = closed_request(content.text, tags, seen, self.label)
        return Question(request, read, missing, tuple(tag.slug for tag in tags))


def closed_request(
    text: str,
    tags: Sequence[Tag],
    seen: Sequence[Seen] = (),
    label: str = "title and caption",
) -> Request:
    """Ask which of the tags a text and pictures carry."""
    instructions = _INSTRUCTIONS.format(
        most=MOST,
        limit=80,
        pictures=_PICTURES if seen else "",
        tags="\n".join(f"{tag.slug}: {tag.zh} / {tag.en}" for tag in tags),
    )
    images = tuple(one.image for one in seen)
    return make_request(
        PROMPT, instructions, _schema(tags, len(seen)), [Block(label, text)], images
    )


def _schema(tags: Sequence[Tag], pictures: int) -> dict[str, object]:
    slugs = [tag.slug for tag in tags]
    if not pictures:
        return object_schema(tags=list_schema(_Tagged, MOST, tag=slugs))
    numbers = range(pictures + 1)
    return object_schema(tags=list_schema(_Shown, MOST, tag=slugs, picture=numbers))


def _read(
    answer: Answer, *, tags: Sequence[Tag], seen: Sequence[Seen], source: str
) -> tuple[Found, ...]:
    """Tags of an answer, each once, the strongest. Pictures that it didn't see are no evidence."""
    schema = _schema(tags, len(seen))
    best: dict[str, Found] = {}
    for entry in read_entries(answer.text, schema, "tags", _Shown if seen else _Tagged):
        second = None
        if isinstance(entry, _Shown) and entry.picture > 0 and answer.images:
            second = seen[entry.picture - 1].second
        found = Found(
            tag=entry.tag,
            strength=entry.strength / 10,
            confidence=entry.confidence / 10,
            source=source,
            evidence=Evidence(entry.reason or None, second, second),
        )
        if entry.tag not in best or found.strength > best[entry.tag].strength:
            best[entry.tag] = found
    return tuple(best.values())
