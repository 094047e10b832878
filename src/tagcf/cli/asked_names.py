"""Names that were asked for: found before anything is estimated, or answered with what there is."""

from __future__ import annotations

from collections.abc import Sequence

from tagcf.effects.heterogeneity.groups import merge_groups
from tagcf.effects.task import Question
from tagcf.effects.workspace_effects import find_tag
from tagcf.errors import EstimationError, QuestionError, UnknownNameError
from tagcf.text import did_you_mean
from tagcf.types import EventLog, Tag, TagMatrix

MOST_LISTED = 30  # names in a message
USERS_SEARCHED = 2_000  # for a name near to one that does not exist


def known_tags_of(tags: TagMatrix, question: Question) -> tuple[Tag, ...]:
    """Tags that may be asked about: groups of near-duplicates, and every tag of the log."""
    merged = merge_groups(tags, question)[0]
    return tuple(dict.fromkeys((*tags.tags, *merged.tags)))


def named_tag(name: str, known: tuple[Tag, ...]) -> Tag:
    """Find a tag by any of its names.

    Raises
    ------
    UnknownNameError
        There is none; the message lists near ones, and what there is.
    """
    try:
        return find_tag(name, known)
    except UnknownNameError as unknown:
        facts = unknown.facts | {"known": listed([tag.slug for tag in known])}
        raise UnknownNameError("error.unknown_tag_listed", **facts) from None


def two_tags(text: str, known: tuple[Tag, ...]) -> tuple[str, str]:
    """Slugs of the two tags of "A:B".

    Raises
    ------
    QuestionError, UnknownNameError
        It is not two different tags, or one of them does not exist.
    """
    parts = [part.strip() for part in text.replace("：", ":").split(":")]
    if len(parts) == 2 and all(parts):
        first, second = (named_tag(part, known).slug for part in parts)
        if first != second:
            return first, second
    known_slugs = listed([tag.slug for tag in known])
    raise QuestionError("error.bad_pair", text=text, known=known_slugs)


def check_user(user: str, log: EventLog) -> None:
    """Raise `UnknownNameError` for a user whom the log does not have."""
    if not len(log.users):
        raise EstimationError("error.no_users_to_ask_for")
    if int(log.users.find([user])[0]) >= 0:
        return
    near = [str(one) for one in log.users.ids[:USERS_SEARCHED].to_pylist()]
    facts = {"hint": did_you_mean(user, near), "n": f"{len(log.users):,}"}
    raise UnknownNameError(
        "error.unknown_user_listed", name=user, known=", ".join(near[:3]), **facts
    )


def listed(names: Sequence[str]) -> str:
    """Names as a message lists them, the first of very many."""
    more = f" … ({len(names)})" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more
