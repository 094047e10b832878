"""What an engine answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EditKind = Literal["set", "boost", "mute", "reset"]


@dataclass(frozen=True, slots=True)
class Updated:
    """What became of the events of a batch; they are counted once each, but for the last field."""

    events: int
    counted: int  # changed the state
    no_content: int  # of something unknown
    no_evidence: int  # say nothing about interest, such as impressions
    forgotten: int  # before a reset of their user
    turned_away: int  # of new users, while the state had no room for more
    no_scene: int  # counted, but there was no room for strengths in their scene


@dataclass(frozen=True, slots=True)
class TagInterest:
    """A user's interest in a tag.

    `strength` is in -1..1: over the time scales, the share of each that its evidence has in the
    user's, drawn towards 0 where there is little. `evidence` are the decayed sums behind it, the
    shortest half-life first, in clicks; an edit does not change them.
    """

    tag: str
    strength: float
    evidence: tuple[float, ...]
    edited: EditKind | None = None


@dataclass(frozen=True, slots=True)
class TagEvent:
    """One event behind an interest, and its share of the strength and of each decayed sum."""

    ts: float
    action: str
    content: str  # id of the item, product or segment
    evidence: float
    share: float
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class InterestReason:
    """Where an interest comes from: the shares of `events` and `older` add up to `behaviour`.

    `older` is what events have left that are no longer remembered one by one. `strength` is what
    `interest` tells: `behaviour`, unless the user has edited it.
    """

    tag: str
    strength: float
    behaviour: float
    events: tuple[TagEvent, ...]  # largest share first
    older: float
    evidence: tuple[float, ...]
    older_evidence: tuple[float, ...]
    edit: Edit | None


@dataclass(frozen=True, slots=True)
class Edit:
    """What a user has said about an interest.

    Parameters
    ----------
    number
        Position among all edits: of two the later counts.
    user
        Key of the user.
    tag
        Slug; ``None`` in a reset of everything.
    amount
        Strength that is set, or factor of a boost.
    at
        Epoch seconds; a reset forgets events up to then.
    """

    number: int
    user: int
    kind: EditKind
    tag: str | None
    amount: float
    at: float
