"""What is asked of a model, item by item, and how its answers become readings."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from tagcf.errors import MediaError, MissingExtraError
from tagcf.tags.evidence import Content, Found, Missing, Offer, Reading
from tagcf.tags.journal import Journal
from tagcf.tags.llm.batch import Outcome, Progress, Report, ask_all
from tagcf.tags.llm.client import Answer, Client
from tagcf.tags.llm.request import Image, Request
from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Reason

SIDE = 512  # longer side of a picture sent, pixels
QUALITY = 80

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture of an item as it is sent, and its second."""

    second: float
    image: Image


@dataclass(frozen=True, slots=True)
class Question(Generic[T_co]):
    """A request about one item, and what reads its answer."""

    request: Request | None  # None: there is nothing to show to a model
    read: Callable[[Answer], T_co]  # never raises, whatever the answer
    missing: tuple[Missing, ...] = ()  # what could not be put into the request
    offered: tuple[str, ...] = ()  # tags that it may choose from; none: any


class Task(Protocol[T]):
    """One kind of question: `ClosedTags`, `FreeTags` or `EmotionalNarrative`."""

    def questions(
        self, contents: Iterable[Content], vocabulary: Vocabulary, source: str
    ) -> Iterator[Question[T]]:
        """One question per item, in their order."""

    def found(self, value: T, vocabulary: Vocabulary, source: str) -> tuple[Found, ...]:
        """Tags of the vocabulary that an answer names."""


@dataclass(frozen=True, slots=True)
class Told(Generic[T_co]):
    """What a model told of one item."""

    value: T_co | None  # None: no answer, and `missing` says why
    missing: tuple[Missing, ...]
    cached: bool = False
    offered: tuple[str, ...] = ()  # tags that it could choose from; none: any


def ask_about(
    client: Client,
    task: Task[T],
    contents: Iterable[Content],
    vocabulary: Vocabulary,
    journal: Journal | None = None,
    report: Report | None = None,
) -> Iterator[Told[T]]:
    """Ask one kind of question about many items.

    Yields
    ------
    One per item, in their order.

    Raises
    ------
    ServerError
        See `ask_all`.
    """
    source = client.server.source
    asked: deque[Question[T]] = deque()
    done = 0

    def requests() -> Iterator[Request]:
        for question in task.questions(contents, vocabulary, source):
            asked.append(question)
            if question.request is not None:
                yield question.request

    def told(question: Question[T], outcome: Outcome | None) -> Told[T]:
        nonlocal done
        done += 1
        if report is not None:
            report(Progress(done, client.account))
        return _told(question, outcome, source)

    for outcome in ask_all(client, requests(), journal):
        while asked[0].request is None:
            yield told(asked.popleft(), None)
        yield told(asked.popleft(), outcome)
    while asked:
        yield told(asked.popleft(), None)


def _told(question: Question[T], outcome: Outcome | None, source: str) -> Told[T]:
    missing = list(question.missing)
    if outcome is None:
        missing.append(Missing(source, Reason("llm.nothing_to_read")))
        return Told(None, tuple(missing))
    answer = outcome.answer
    if answer is None:
        reason = outcome.failure or Reason("llm.nothing_to_read")
        return Told(None, (*missing, Missing(source, reason)), outcome.cached)
    if answer.characters < answer.of_characters:
        facts = (("seen", answer.characters), ("all", answer.of_characters))
        missing.append(Missing(source, Reason("llm.shortened", facts)))
    if answer.images < answer.of_images:
        images = (("images", answer.of_images), ("model", source.removeprefix("llm:")))
        missing.append(Missing(source, Reason("llm.not_seen", images)))
    return Told(question.read(answer), tuple(missing), outcome.cached, question.offered)


def reading_of(told: Told[T], task: Task[T], vocabulary: Vocabulary, source: str) -> Reading:
    """What was told of an item as the tags that it names, and what it could not be told of."""
    found = () if told.value is None else task.found(told.value, vocabulary, source)
    offered = (Offer(source, told.offered),) if told.offered else ()
    return Reading(found, told.missing, offered)


@dataclass(frozen=True, slots=True)
class LLMEncoder(Generic[T]):
    """A task as an encoder of content; `encode_all` sends many items side by side."""

    client: Client
    task: Task[T]
    journal: Journal | None = None

    @property
    def source(self) -> str:
        """``llm:`` and the name of the model."""
        return self.client.server.source

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Read one item.

        Raises
        ------
        ServerError
            The server can't be used for any item; trouble with this one is in `missing`.
        """
        return next(self.encode_all([content], vocabulary))

    def encode_all(
        self,
        contents: Iterable[Content],
        vocabulary: Vocabulary,
        report: Report | None = None,
    ) -> Iterator[Reading]:
        """Read many items; one reading per item, in their order."""
        for one in ask_about(self.client, self.task, contents, vocabulary, self.journal, report):
            yield reading_of(one, self.task, vocabulary, self.source)


def pictures_of(
    content: Content, count: int, source: str
) -> tuple[tuple[Seen, ...], tuple[Missing, ...]]:
    """Pictures of an item, spread evenly over its length, and why there are none."""
    media = content.media
    if count == 0 or media is None:
        return (), ()
    from tagcf.tags.media.pictures import to_jpeg

    try:
        if not media.has_video:
            return (), ()
        seen = tuple(
            Seen(
                frame.second,
                Image(f"picture {k} at {frame.second:.1f} s", to_jpeg(frame.picture, QUALITY)),
            )
            for k, frame in enumerate(media.frames(count, side=SIDE), start=1)
        )
    except (MediaError, MissingExtraError) as error:
        facts = tuple((name, fact) for name, fact in error.facts.items() if isinstance(fact, str))
        return (), (Missing(source, Reason(error.key, facts)),)
    return seen, ()
