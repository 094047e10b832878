"""The role vocabulary: whom an item speaks to, and which roles touch protected attributes.

A role is a property of an item; users get roles from their behaviour (`users`), never from what
is known of their person. Roles that touch health, religion, sexuality, politics or minors are
left out unless ``[roles] protected`` of the settings asks for them.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, get_args

from tagcf.settings import Protected
from tagcf.tags.vocabulary import SLUG, Vocabulary, ancestors, names_of
from tagcf.types import Tag

FACET = "role"
PROTECTED: tuple[Protected, ...] = get_args(Protected)


@dataclass(frozen=True, slots=True)
class RoleVocabulary:
    """Roles as tags of the facet ``role``, so that every text encoder can look for them."""

    vocabulary: Vocabulary
    protected: tuple[tuple[str, Protected], ...]  # role, attribute; others touch none
    parts: tuple[tuple[str, str], ...]  # role, part of life it stands under in the file

    def __len__(self) -> int:
        return len(self.vocabulary)

    @property
    def roles(self) -> tuple[Tag, ...]:
        """The roles in the order of their file."""
        return self.vocabulary.tags

    @property
    def version(self) -> str:
        """Hash of the file and of the attributes that are on."""
        return self.vocabulary.version


@cache
def all_roles() -> RoleVocabulary:
    """Return every role that ships with TagCF, protected ones too: for lists and for screening."""
    return parse_roles(resources.files("tagcf.tags.roles").joinpath("roles.toml").read_bytes())


def allowed_roles(protected: Collection[Protected] = ()) -> RoleVocabulary:
    """Return the roles that may be used.

    Parameters
    ----------
    protected
        ``[roles] protected`` of the settings: the attributes whose roles are on. Every other
        role that touches a protected attribute is left out.
    """
    return _allowed(frozenset(protected))


@cache
def _allowed(on: frozenset[Protected]) -> RoleVocabulary:
    every = all_roles()
    attribute = dict(every.protected)
    kept = tuple(
        role for role in every.roles if role.slug not in attribute or attribute[role.slug] in on
    )
    slugs = {role.slug for role in kept}
    digest = hashlib.sha256(",".join([every.version, *sorted(on)]).encode()).hexdigest()[:12]
    return RoleVocabulary(
        Vocabulary(kept, digest),
        tuple(pair for pair in every.protected if pair[0] in slugs),
        tuple(pair for pair in every.parts if pair[0] in slugs),
    )


def names_off(protected: Collection[Protected]) -> frozenset[str]:
    """Names, case-folded, of the roles that touch an attribute which is not among `protected`."""
    on = {role.slug for role in allowed_roles(protected).roles}
    off = (names_of(role) for role in all_roles().roles if role.slug not in on)
    return frozenset().union(*off)


def parse_roles(content: bytes) -> RoleVocabulary:
    """Read roles from TOML: ``[part]`` tables of ``slug = {zh, en, aliases, protected, …}``.

    Raises
    ------
    ValueError
        Listing what `problems_of_roles` found.
    """
    parts: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(content.decode("utf-8"))
    entries = [(part, slug, entry) for part, own in parts.items() for slug, entry in own.items()]
    roles = tuple(
        Tag(
            slug=slug,
            zh=entry["zh"],
            en=entry["en"],
            facet=FACET,
            parent=entry.get("parent"),
            aliases=tuple(entry.get("aliases", ())),
            keywords=tuple(entry.get("keywords", ())),
        )
        for _, slug, entry in entries
    )
    protected = tuple(
        (slug, entry["protected"]) for _, slug, entry in entries if "protected" in entry
    )
    if found := problems_of_roles(roles, protected):
        raise ValueError("; ".join(found))
    version = hashlib.sha256(content).hexdigest()[:12]
    return RoleVocabulary(
        Vocabulary(roles, version), protected, tuple((slug, part) for part, slug, _ in entries)
    )


def problems_of_roles(
    roles: Collection[Tag], protected: Collection[tuple[str, str]] = ()
) -> list[str]:
    """What is wrong with a set of roles: names used twice, unknown parents or attributes."""
    found: list[str] = []
    by_slug = {role.slug: role for role in roles}
    owner: dict[str, str] = {}
    attribute = dict(protected)
    for role in roles:
        if not SLUG.fullmatch(role.slug):
            found.append(f"slug {role.slug!r} is not lowercase-with-hyphens")
        found += [
            f"name {name!r} belongs to {owner[name]} and {role.slug}"
            for name in sorted(names_of(role))
            if owner.setdefault(name, role.slug) != role.slug
        ]
        if role.parent and role.parent not in by_slug:
            found.append(f"{role.slug}: unknown parent {role.parent!r}")
        if role.slug in ancestors(role, by_slug):
            found.append(f"{role.slug}: its parents form a cycle")
        if role.parent and attribute.get(role.parent) != attribute.get(role.slug):
            found.append(f"{role.slug}: only one of it and {role.parent} is protected")
    found += [
        f"{slug}: unknown attribute {one!r}" for slug, one in protected if one not in PROTECTED
    ]
    return found
