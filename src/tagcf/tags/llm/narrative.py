"""Emotional narrative (情感叙事): the beats of a work, each with its emotion and its second.

A model never names a second: lines and pictures are numbered, it points to a number, and the
second is looked up. So a beat can't be at a time at which nothing was said or shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from tagcf.tags.evidence import Content, Evidence, Found
from tagcf.tags.llm.answer import (
    Entry,
    ReasonText,
    Tenths,
    list_schema,
    object_schema,
    read_entries,
)
from tagcf.tags.llm.client import Answer
from tagcf.tags.llm.request import Block, Request, make_request
from tagcf.tags.llm.task import Question, Seen, pictures_of
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Tag

PROMPT = "narrative-1"
MOST = 12  # beats of one work
LINES = 120  # lines that are numbered; of more, as many are taken evenly

Part = Literal["opening", "build-up", "turn", "climax", "resolution"]

_INSTRUCTIONS = """\
You follow how the feeling of a short video develops. Its spoken and written lines and its \
pictures are numbered in the order of time. Name the beats: the moments at which the feeling \
begins or changes, at most {most}, in the order of time; an empty list is a good answer for a \
video without feeling. at: the number of the line or picture. emotion: one of the list. part: \
its place in the story. reason: the words or the sight that shows it, at most {limit} \
characters, in the language of the content. strength: how strong the feeling is, 1 to 10. \
confidence: how sure you are, 1 to 10.
Emotions, one a line, as slug: Chinese name / English name:
{emotions}"""


@dataclass(frozen=True, slots=True)
class Line:
    """Words of a work and when they are said or shown."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Beat:
    """A moment at which the feeling of a work begins or changes."""

    start_s: float
    end_s: float
    emotion: str  # slug of the facet emotion
    part: Part
    strength: float  # 0..1
    confidence: float  # 0..1
    reason: str


@dataclass(frozen=True, slots=True)
class Narrative:
    """The beats of one work, in the order of time."""

    beats: tuple[Beat, ...] = ()


class _Beat(Entry):
    at: int
    emotion: str
    part: Part
    reason: ReasonText
    strength: Tenths
    confidence: Tenths


LinesOf = Callable[[Content], Sequence[Line]]


def no_lines(content: Content) -> Sequence[Line]:
    """No words with a time."""
    return ()


@dataclass(frozen=True, slots=True)
class EmotionalNarrative:
    """Name the beats of works.

    Attributes
    ----------
    lines_of
        Words of an item with their seconds, as speech and on-screen text give them.
    frames
        Pictures of its media that are sent; 0: words alone.
    """

    lines_of: LinesOf = no_lines
    frames: int = 0

    def questions(
        self, contents: Iterable[Content], vocabulary: Vocabulary, source: str
    ) -> Iterator[Question[Narrative]]:
        """One question per item with lines or pictures; others have nothing to read."""
        emotions = emotions_of(vocabulary)
        for content in contents:
            seen, missing = pictures_of(content, self.frames, source)
            lines = _evenly([line for line in self.lines_of(content) if line.text.strip()])
            read = partial(_read, lines=lines, seen=seen, emotions=emotions)
            if not lines and not seen:
                yield Question(None, read, missing)
            else:
                request = narrative_request(content.text, lines, emotions, seen)
                yield Question(request, read, missing)

    def found(self, value: Narrative, vocabulary: Vocabulary, source: str) -> tuple[Found, ...]:
        """Every beat as a tag with its seconds."""
        return tuple(
            Found(
                tag=beat.emotion,
                strength=beat.strength,
                confidence=beat.confidence,
                source=source,
                evidence=Evidence(beat.reason or None, beat.start_s, beat.end_s),
            )
            for beat in value.beats
        )


def emotions_of(vocabulary: Vocabulary) -> tuple[Tag, ...]:
    """Tags of the facet emotion."""
    return tuple(tag for tag in vocabulary.tags if tag.facet == "emotion")


def narrative_request(
    title: str, lines: Sequence[Line], emotions: Sequence[Tag], seen: Sequence[Seen] = ()
) -> Request:
    """Ask for the beats of a work.

    Parameters
    ----------
    title
        Its title and caption; no beat can be there.
    lines, seen
        Words and pictures, numbered 1 to n and n + 1 to n + m.
    """
    instructions = _INSTRUCTIONS.format(
        most=MOST,
        limit=80,
        emotions="\n".join(f"{tag.slug}: {tag.zh} / {tag.en}" for tag in emotions),
    )
    blocks = [Block("title and caption", title)]
    blocks += [
        # On one line each: no line can pretend to be the next one.
        Block(f"line {k} at {line.start_s:.1f} s", " ".join(line.text.split()))
        for k, line in enumerate(lines, start=1)
    ]
    first = len(lines) + 1
    if seen:
        blocks.append(Block("pictures", f"numbers {first} to {len(lines) + len(seen)}, below"))
    images = tuple(one.image for one in seen)
    schema = _schema(len(lines) + len(seen), emotions)
    return make_request(PROMPT, instructions, schema, blocks, images)


def _schema(moments: int, emotions: Sequence[Tag]) -> dict[str, object]:
    slugs = [tag.slug for tag in emotions]
    beat = list_schema(_Beat, MOST, at=range(1, moments + 1), emotion=slugs)
    return object_schema(beats=beat)


def _read(
    answer: Answer, *, lines: Sequence[Line], seen: Sequence[Seen], emotions: Sequence[Tag]
) -> Narrative:
    """Beats of an answer in the order of time, one emotion once a moment."""
    moments = [(line.start_s, line.end_s) for line in lines]
    if answer.images:  # a picture that the model didn't see shows it nothing
        moments += [(one.second, one.second) for one in seen]
    schema = _schema(len(lines) + len(seen), emotions)
    beats: dict[tuple[int, str], Beat] = {}
    for entry in read_entries(answer.text, schema, "beats", _Beat):
        if entry.at > len(moments):
            continue
        start, end = moments[entry.at - 1]
        beats.setdefault(
            (entry.at, entry.emotion),
            Beat(
                start_s=start,
                end_s=end,
                emotion=entry.emotion,
                part=entry.part,
                strength=entry.strength / 10,
                confidence=entry.confidence / 10,
                reason=entry.reason,
            ),
        )
    return Narrative(tuple(sorted(beats.values(), key=lambda beat: beat.start_s)))


def _evenly(lines: Sequence[Line]) -> tuple[Line, ...]:
    """At most `LINES` lines, spread over all of them."""
    if len(lines) <= LINES:
        return tuple(lines)
    return tuple(lines[k * len(lines) // LINES] for k in range(LINES))
