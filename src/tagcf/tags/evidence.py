"""What an encoder says of an item: tags with strength and evidence, and what it could not read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Reason

if TYPE_CHECKING:
    from tagcf.tags.media.opened import Media


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where in an item a tag was seen; `None` for what does not apply."""

    quote: str | None = None  # words written, shown or heard
    start_s: float | None = None  # seconds into the media; a frame has its own time twice
    end_s: float | None = None
    fact: Reason | None = None  # a measured value, said in the language of whoever asks

    @property
    def words(self) -> str | None:
        """The quote, or the fact in the language in force."""
        return self.quote if self.fact is None else str(self.fact)


@dataclass(frozen=True, slots=True)
class Found:
    """One tag of one item, by one encoder."""

    tag: str  # slug
    strength: float  # 0..1 how much of the item it is
    confidence: float  # 0..1 how sure
    source: str  # the encoder's name: "ocr", "speech", "audio-kind" …
    evidence: Evidence = Evidence()


@dataclass(frozen=True, slots=True)
class Missing:
    """A modality that could not be read, and why; tags are never invented for it."""

    source: str
    reason: Reason  # key of a sentence and its facts


@dataclass(frozen=True, slots=True)
class Offer:
    """The only tags that a source could choose from for an item; it says nothing of others."""

    source: str
    tags: tuple[str, ...]  # slugs


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one encoder, or several, say of one item."""

    found: tuple[Found, ...] = ()
    missing: tuple[Missing, ...] = ()
    offered: tuple[Offer, ...] = ()  # of sources that could not choose any tag

    def __add__(self, other: Reading) -> Reading:
        return Reading(
            self.found + other.found, self.missing + other.missing, self.offered + other.offered
        )

    @staticmethod
    def all_of(readings: Iterable[Reading]) -> Reading:
        """Put readings of one item together."""
        total = Reading()
        for one in readings:
            total += one
        return total


@dataclass(frozen=True, slots=True)
class Content:
    """One item as encoders get it. Everything here is known before anybody sees the item."""

    item: str
    text: str = ""  # titles, captions and hashtags, one a line
    media: Media | None = None  # opened lazily, decoded once for all encoders


class Encoder(Protocol):
    """One modality: content → tag strengths with evidence."""

    @property
    def source(self) -> str:
        """Name of the origin, kept with every tag found."""

    def encode(self, content: Content, vocabulary: Vocabulary) -> Reading:
        """Read one item. What cannot be read is said in `Reading.missing`, not raised."""
