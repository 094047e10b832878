"""Names that were asked for: found before anything is estimated, or answered with what there is."""

from __future__ import annotations

from collections.abc import Sequence

from tagcf.data.workspace import Workspace
from tagcf.effects.heterogeneity.groups import merge_groups
from tagcf.effects.task import Question
from tagcf.effects.workspace_effects import find_tag
from tagcf.errors import EstimationError, OutputError, QuestionError, UnknownNameError
from tagcf.tags.matrix import tags_version
from tagcf.tags.tree.versions import tree_vocabulary
from tagcf.tags.vocabulary import default_vocabulary, name_index
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


def check_tagged(workspace: Workspace, name: str, known: tuple[Tag, ...]) -> None:
    """Refuse a tag that a change of the tree brought after the items were tagged.

    Raises
    ------
    OutputError
        No item can carry it yet; the message says to tag them again.
    """
    if name.casefold() in name_index(known):
        return
    then, today = tags_version(workspace), tree_vocabulary(workspace)
    added = name_index(today.tags).get(name.casefold())
    if added is None or then == today.version or added in default_vocabulary().tags:
        return
    facts = {"name": name, "then": then, "now": today.version}
    raise OutputError("tags.not_tagged_yet", command=f"tagcf tag {workspace.root}", **facts)


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
