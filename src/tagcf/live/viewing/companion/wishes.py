"""What can be asked of the companion, as types: whoever reads a line must end here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "likes",  # what do you think I like?
    "why_tag",  # why do you think I like this?
    "why_content",  # why this room?
    "more",
    "less",
    "never",
    "again",  # take back a never
    "forget_tag",
    "forget_time",
    "start_over",
    "missed",
    "about",  # what is on?
    "next",  # what to watch, with a time budget
    "undo",
    "said",  # what have I told you?
    "help",
    "yes",
    "no",
    "unknown",
]
KINDS: tuple[Kind, ...] = (
    "likes", "why_tag", "why_content", "more", "less", "never", "again", "forget_tag",
    "forget_time", "start_over", "missed", "about", "next", "undo", "said", "help", "yes", "no",
    "unknown",
)  # fmt: skip
OF_TAGS: tuple[Kind, ...] = ("why_tag", "more", "less", "never", "again", "forget_tag")
EDITING: tuple[Kind, ...] = ("more", "less", "never", "again")
CHANGING: tuple[Kind, ...] = (*EDITING, "forget_tag", "forget_time", "start_over", "undo")


@dataclass(frozen=True, slots=True)
class Wish:
    """One request.

    Parameters
    ----------
    tag
        Slug, of the kinds `OF_TAGS`.
    number
        How many interests (`likes`), or minutes (`next`).
    since, until
        Epoch seconds, of `forget_time`.
    """

    kind: Kind
    tag: str | None = None
    number: float | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """A request whose tag is not certain: to be asked about, never guessed."""

    kind: Kind
    word: str  # as the user wrote it
    candidates: tuple[str, ...]  # slugs, the likeliest first; none: nothing is near
    this: bool = False  # what is on is meant, as in "less of this": it may have several tags


Understood = tuple[Wish | Unclear, ...]
