"""The facts that a draft may use: numbered sentences of the text catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tagcf.live.hosts.answers import SegmentReport
from tagcf.live.hosts.draft.themes import PeerTheme, Theme
from tagcf.live.hosts.draft.words import Fact
from tagcf.live.hosts.questions import Asked
from tagcf.text import catalogue, language, say
from tagcf.types import Tag


class Facts:
    """Writes facts and numbers them; the same fact has one number."""

    def __init__(self, tags: Mapping[str, Tag]) -> None:
        self._tags = tags
        self._known: dict[str, Fact] = {}

    def add(self, key: str, **values: object) -> Fact:
        """Write a fact of ``live_hosts.fact_…``."""
        text = say(f"live_hosts.fact_{key}", **values)
        fact = Fact(len(self._known) + 1, text, "against" if key == "lost" else "for")
        return self._known.setdefault(text, fact)

    def tag_name(self, slug: str | None) -> str:
        """Name of a tag in the language in force."""
        tag = self._tags.get(slug or "")
        if tag is None:
            return slug or say("live_hosts.no_theme")
        return (tag.zh if language() == "zh" else tag.en) or tag.slug

    def of_theme(self, theme: Theme) -> tuple[Fact, ...]:
        """What a theme has shown: verdicts first, then how many people and what rose."""
        name, n = self.tag_name(theme.tag), len(theme.segments)
        told: list[Fact] = []
        for key, times in (("held", theme.held), ("lost", theme.lost)):
            if times:
                told.append(self.add(key, tag=name, times=times, n=n))
        if theme.converted:
            told.append(self.add("converted", times=theme.converted, n=n))
        if theme.highlights:
            told.append(self.add("highlights", times=theme.highlights, n=n))
        if not told:
            told.append(self.add("usual", tag=name, n=n, kept=_kept(theme.segments)))
        return tuple(told)

    def of_peers(self, theme: PeerTheme) -> Fact:
        """How a tag does with peers."""
        return self.add(
            "peers",
            tag=self.tag_name(theme.tag),
            percent=f"{100 * (theme.ratio - 1):.0f}",
            low=f"{100 * (theme.low - 1):.0f}",
            high=f"{100 * (theme.high - 1):.0f}",
            n=theme.segments,
            hosts=theme.hosts,
        )

    def of_question(self, one: Asked) -> Fact:
        """How many people asked what."""
        return self.add("asked", people=one.people, what=subject_name(one))

    def of_price(self, price: float) -> Fact:
        """What something costs."""
        return self.add("price", price=f"{price:g}")


def subject_name(one: Asked) -> str:
    """What a question was about, in words."""
    key = f"live_hosts.subject_{one.subject}"
    return say(key) if one.subject and key in catalogue() else say(f"live_hosts.any_{one.intent}")


def _kept(found: Sequence[SegmentReport]) -> str:
    there = sum(one.at_start for one in found)
    stayed = sum(one.stayed for one in found)
    return f"{100 * stayed / there:.0f}%" if there else str(np.nan)
