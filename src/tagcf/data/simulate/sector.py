"""The words of a sector: its tags, the names of its outcomes, the patterns of its titles."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, get_args

from tagcf.types import Tag

SectorName = Literal["video", "shop", "education", "health"]
SECTORS: tuple[SectorName, ...] = get_args(SectorName)


@dataclass(frozen=True, slots=True)
class Sector:
    """What differs between sectors; read from ``sectors.toml``."""

    name: str
    zh: str
    en: str
    outcomes: tuple[str, ...]  # opening, finishing, seconds, approval, depth, return
    outcomes_zh: tuple[str, ...]
    age_bands: tuple[str, ...]
    roles: tuple[str, ...]
    instrument: str
    causes: tuple[tuple[str, str], ...]
    tags: tuple[Tag, ...]
    titles: tuple[tuple[str, ...], ...]  # patterns holding 0, 1, 2, 3 fragments


@cache
def read_sector(name: str) -> Sector:
    """Read one sector's words."""
    text = resources.files(__package__).joinpath("sectors.toml").read_text("utf-8")
    words = tomllib.loads(text)[name]
    titles = words["titles"]
    return Sector(
        name=name,
        zh=words["zh"],
        en=words["en"],
        outcomes=tuple(words["outcomes"]),
        outcomes_zh=tuple(words["outcomes_zh"]),
        age_bands=tuple(words["age_bands"]),
        roles=tuple(words["roles"]),
        instrument=words["instrument"],
        causes=tuple((parent, child) for parent, child in words["causes"]),
        tags=tuple(
            Tag(slug, zh, en, facet, parent or None, keywords=tuple(fragments))
            for slug, zh, en, facet, parent, fragments in words["tags"]
        ),
        titles=tuple(tuple(titles[size]) for size in ("none", "one", "two", "three")),
    )


def sector_tags(sector: Sector, count: int) -> tuple[Tag, ...]:
    """Take the first `count` tags of a sector; beyond its list they are numbered."""
    extra = (
        Tag(f"tag-{k:03d}", f"标签{k}", f"Tag {k}", "topic", keywords=(f"标签{k}",))
        for k in range(len(sector.tags) + 1, count + 1)
    )
    return (*sector.tags[:count], *extra)
