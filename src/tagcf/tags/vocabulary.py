"""The vocabulary: a tree of tags under eight facets, each with its Chinese and English names."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tagcf.types import Tag

FACETS = ("topic", "scene", "emotion", "style", "culture", "social", "audio", "visual")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tags in the order of their file. `version` is a hash of the content."""

    tags: tuple[Tag, ...]
    version: str

    def __len__(self) -> int:
        return len(self.tags)


@cache
def default_vocabulary() -> Vocabulary:
    """Return the vocabulary that ships with TagCF."""
    return parse_vocabulary(resources.files("tagcf.tags").joinpath("vocabulary.toml").read_bytes())


def parse_vocabulary(content: bytes) -> Vocabulary:
    """Read a vocabulary from TOML: ``[facet]`` tables of ``slug = {zh, en, parent, …}``.

    Raises
    ------
    ValueError
        Listing what `problems` found.
    """
    facets: dict[str, dict[str, Any]] = tomllib.loads(content.decode("utf-8"))
    tags = tuple(
        Tag(
            slug=slug,
            zh=entry["zh"],
            en=entry["en"],
            facet=facet,
            parent=entry.get("parent"),
            aliases=tuple(entry.get("aliases", ())),
            keywords=tuple(entry.get("keywords", ())),
        )
        for facet, entries in facets.items()
        for slug, entry in entries.items()
    )
    if found := problems(tags):
        raise ValueError("; ".join(found))
    return Vocabulary(tags, hashlib.sha256(content).hexdigest()[:12])


def problems(tags: Iterable[Tag]) -> list[str]:
    """What is wrong with a set of tags: names used twice, unknown parents, cycles."""
    found: list[str] = []
    by_slug: dict[str, Tag] = {}
    owner: dict[str, str] = {}
    for tag in tags:
        if not SLUG.fullmatch(tag.slug):
            found.append(f"slug {tag.slug!r} is not lowercase-with-hyphens")
        if tag.facet not in FACETS:
            found.append(f"{tag.slug}: unknown facet {tag.facet!r}")
        if tag.slug in by_slug:
            found.append(f"slug {tag.slug!r} is used twice")
        by_slug[tag.slug] = tag
        found += [
            f"name {name!r} belongs to {owner[name]} and {tag.slug}"
            for name in sorted(names_of(tag))
            if owner.setdefault(name, tag.slug) != tag.slug
        ]
    for tag in by_slug.values():
        parent = by_slug.get(tag.parent) if tag.parent else None
        if tag.parent and parent is None:
            found.append(f"{tag.slug}: unknown parent {tag.parent!r}")
        elif parent and parent.facet != tag.facet:
            found.append(f"{tag.slug}: parent {parent.slug} is in another facet")
        if tag.slug in ancestors(tag, by_slug):
            found.append(f"{tag.slug}: its parents form a cycle")
    return found


def names_of(tag: Tag) -> set[str]:
    """Every name that means this tag, case-folded: slug, zh, en and aliases."""
    return {name.casefold() for name in (tag.slug, tag.zh, tag.en, *tag.aliases)}


def ancestors(tag: Tag, by_slug: dict[str, Tag]) -> list[str]:
    """Slugs of the parents of a tag, nearest first; stops where a cycle closes."""
    chain: list[str] = []
    parent = tag.parent
    while parent in by_slug and parent not in chain:
        chain.append(parent)
        parent = by_slug[parent].parent
    return chain


def name_index(tags: Iterable[Tag]) -> dict[str, Tag]:
    """Case-folded name → tag; the first tag wins where a name is used twice."""
    index: dict[str, Tag] = {}
    for tag in tags:
        for name in names_of(tag):
            index.setdefault(name, tag)
    return index


def search_tags(query: str, tags: Iterable[Tag], limit: int = 20) -> list[Tag]:
    """Tags for a word: exact names first, then names that contain it, keywords, near misses."""
    wanted = query.strip().casefold()
    ranked: list[tuple[float, int, Tag]] = []
    for position, tag in enumerate(tags):
        rank = _rank(wanted, tag)
        if rank is not None:
            ranked.append((rank, position, tag))
    return [tag for _, _, tag in sorted(ranked, key=lambda entry: entry[:2])[:limit]]


def _rank(wanted: str, tag: Tag) -> float | None:
    """Return how near a tag is to a query, 0 best; ``None``: not at all."""
    names = names_of(tag)
    if wanted in names:
        return 0
    if any(wanted in name for name in names):
        return 1
    keywords = [keyword.casefold() for keyword in tag.keywords]
    if wanted in keywords:
        return 2
    if any(wanted in keyword for keyword in keywords):
        return 3
    near = max(difflib.SequenceMatcher(None, wanted, name).ratio() for name in names)
    return 5 - near if near >= 0.75 else None
