"""Changes to a tree of tags: a new tag under another, tags made one, a tag retired."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from tagcf.tags.tree.mined import Mined, both_mined, mined_table
from tagcf.tags.vocabulary import SLUG, Vocabulary, ancestors, name_index, names_of, problems
from tagcf.text import did_you_mean, say
from tagcf.types import Tag

ChangeKind = Literal["sub_tag", "merge", "retire"]
KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)


class ImpossibleChangeError(ValueError):
    """A change that the tree does not allow; its text says why, in the language in force."""


@dataclass(frozen=True, slots=True)
class Change:
    """One accepted change.

    ``sub_tag``: `slug` with the names `zh`, `en` and `names` becomes a child of `tag`.
    ``merge``: the tags, or plain words, `names` become `tag`. ``retire``: `tag` goes; its
    children move up to its parent.
    """

    id: str
    kind: ChangeKind
    tag: str
    names: tuple[str, ...] = ()
    slug: str | None = None
    zh: str | None = None
    en: str | None = None
    mined: Mined | None = None  # behaviour that it was proposed from; None: none


def changed(tags: Iterable[Tag], changes: Iterable[Change]) -> tuple[Tag, ...]:
    """Tags after the changes, one after the other.

    Raises
    ------
    ImpossibleChangeError
        A tag that does not exist, a name that is taken, a cycle.
    """
    current = {tag.slug: tag for tag in tags}
    for change in changes:
        current = _STEPS[change.kind](current, change)
        if found := problems(tag for tag in current.values()):
            raise ImpossibleChangeError("; ".join(found))
    return tuple(current.values())


def mined_by(tags: Iterable[Tag], changes: Iterable[Change]) -> dict[str, Mined]:
    """Return the tags that behaviour had a part in, by slug, and which behaviour.

    A sub-tag, and a tag that others were merged into: it is carried by other items since. What a
    tag was mined from goes with it into the one that it is merged into.
    """
    current = tuple(tags)
    found: dict[str, Mined] = {}
    for change in changes:
        index = name_index(current)
        current = changed(current, [change])
        if change.kind == "retire":
            continue
        name = (change.slug if change.kind == "sub_tag" else None) or change.tag
        owner = name_index(current)[name.strip().casefold()].slug
        mined = both_mined(found.get(owner), change.mined)
        for merged in change.names if change.kind == "merge" else ():
            other = index.get(merged.strip().casefold())
            mined = both_mined(mined, found.get(other.slug) if other else None)
        if mined is not None:
            found[owner] = mined
    there = {tag.slug for tag in current}
    return {slug: mined for slug, mined in found.items() if slug in there}


def change_hash(parent: str, changes: Iterable[Change]) -> str:
    """Version that the changes make of version `parent`: 12 letters, whatever the day."""
    content = [
        [c.id, c.kind, c.tag, list(c.names), c.slug, c.zh, c.en]
        + ([mined_table(c.mined)] if c.mined else [])
        for c in changes
    ]
    text = json.dumps([parent, content], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _with_sub_tag(tags: dict[str, Tag], change: Change) -> dict[str, Tag]:
    parent = _find(tags, change.tag)
    slug, zh, en = change.slug or "", change.zh or "", change.en or ""
    if not SLUG.fullmatch(slug):
        raise ImpossibleChangeError(say("tree.what_slug", slug=slug))
    if not zh or not en:
        raise ImpossibleChangeError(say("tree.what_nameless"))
    new = Tag(slug, zh, en, parent.facet, parent.slug, aliases=_without(change.names, zh, en, slug))
    index = name_index(tags.values())
    for name in sorted(names_of(new)):
        if name in index:
            raise ImpossibleChangeError(say("tree.what_taken", name=name, owner=index[name].slug))
    return tags | {slug: new}


def _merged(tags: dict[str, Tag], change: Change) -> dict[str, Tag]:
    target = _find(tags, change.tag)
    index = name_index(tags.values())
    for name in change.names:
        other = index.get(name.strip().casefold())
        if other is None:
            target = replace(
                target, aliases=_without((*target.aliases, name), target.zh, target.en)
            )
        elif other.slug != target.slug:
            if other.slug not in tags:
                raise ImpossibleChangeError(say("tree.what_unknown", name=name, hint=""))
            target = _swallow(tags, target, other)
            tags = _without_tag(tags, other, target.slug)
    return tags | {target.slug: target}


def _swallow(tags: dict[str, Tag], target: Tag, other: Tag) -> Tag:
    """The target with the names and words of another tag; it takes its place under a child."""
    by_slug = dict(tags)
    names = (*target.aliases, other.zh, other.en, *other.aliases)
    parent = target.parent
    if other.slug in ancestors(target, by_slug):
        parent = other.parent if target.parent == other.slug else target.parent
    return replace(
        target,
        parent=parent,
        aliases=_without((*names, other.slug), target.zh, target.en, target.slug),
        keywords=tuple(dict.fromkeys((*target.keywords, *other.keywords))),
    )


def _retired(tags: dict[str, Tag], change: Change) -> dict[str, Tag]:
    gone = _find(tags, change.tag)
    return _without_tag(tags, gone, gone.parent)


def _without_tag(tags: dict[str, Tag], gone: Tag, heir: str | None) -> dict[str, Tag]:
    """Tags without one; its children get `heir` for a parent, or none in another facet."""
    left = {}
    for slug, tag in tags.items():
        if slug == gone.slug:
            continue
        if tag.parent == gone.slug:
            new = heir if heir != slug else gone.parent
            same = new is not None and tags[new].facet == tag.facet
            left[slug] = replace(tag, parent=new if same else None)
        else:
            left[slug] = tag
    return left


def _find(tags: dict[str, Tag], name: str) -> Tag:
    index = name_index(tags.values())
    found = index.get(name.strip().casefold())
    if found is None or found.slug not in tags:
        hint = did_you_mean(name.casefold(), index)
        raise ImpossibleChangeError(say("tree.what_unknown", name=name, hint=hint))
    return found


def _without(names: Iterable[str], *own: str) -> tuple[str, ...]:
    """Names once each, without those a tag has already; case does not matter."""
    seen = {name.casefold() for name in own}
    kept = []
    for name in names:
        if name.casefold() not in seen:
            seen.add(name.casefold())
            kept.append(name)
    return tuple(kept)


_STEPS = {"sub_tag": _with_sub_tag, "merge": _merged, "retire": _retired}


def vocabulary_after(base: Vocabulary, changes: Iterable[Change], version: str) -> Vocabulary:
    """Return the vocabulary that changes make of `base`."""
    return Vocabulary(changed(base.tags, changes), version)
