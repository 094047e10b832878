"""Items by their ids and titles, and which of them an answer names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tagcf.text import say
from tagcf.types import Explanation, Ranking

LONGEST_TITLE = 40
Titles = Mapping[str, str]  # of items, by id; those without one are named by their ids alone
UNTITLED: Titles = MappingProxyType({})


def item_named(item: str, titles: Titles) -> str:
    """Name an item: its id, with its title where there is one."""
    title = titles.get(item)
    if not title:
        return item
    cut = title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
    return say("recommend.item_titled", item=item, title=cut)


def items_of(told: Ranking | Explanation) -> set[str]:
    """All items that are named, to be looked up by their titles."""
    if isinstance(told, Ranking):
        found = {event.item for one in told.items for event in one.history}
        return found | {one.item for one in told.items} | {item for item, _ in told.blocked}
    found = {told.item} | {one.item for one in (*told.history, *told.evidence)}
    for change in told.changes:
        if change.kind in ("without", "with"):
            found.update(change.what)
    if told.why_not is not None:
        found |= {one.item for one in told.why_not.lacks}
        found |= set() if told.why_not.rival is None else {told.why_not.rival}
    return found
