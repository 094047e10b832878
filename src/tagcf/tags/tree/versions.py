"""Versions of the tree: ``tag_tree.toml`` of a workspace, a chain of accepted changes.

::

    base = "22f0…"                # version of the vocabulary that the first change was made to
    rejected = ["merge-…"]        # proposals not to be made again

    [[version]]
    version = "a81c…"             # hash of its parent and its changes
    parent = "22f0…"
    date = "2026-11-23"
    change = [{id = "sub-…", kind = "sub_tag", tag = "family-warmth", slug = "…", …}]

The tree of today is the vocabulary with all changes applied in order; that of an earlier version
is it with the first ones. A file that somebody edited no longer fits its hashes, and is refused:
what effects were estimated on could not be told any more.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tagcf.data.workspace import Workspace, write_text
from tagcf.errors import DataError
from tagcf.tags.tree.changes import (
    KINDS,
    Change,
    ImpossibleChangeError,
    change_hash,
    mined_by,
    vocabulary_after,
)
from tagcf.tags.tree.mined import Mined, both_mined, mined_from_table, mined_table
from tagcf.tags.vocabulary import Vocabulary, ancestors, default_vocabulary
from tagcf.text import say

FILE = "tag_tree.toml"


@dataclass(frozen=True, slots=True)
class TreeVersion:
    """One link of the chain."""

    version: str
    parent: str
    date: str  # ISO 8601
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class TagTree:
    """The chain, and what was rejected."""

    base: str
    versions: tuple[TreeVersion, ...] = ()
    rejected: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes in order."""
        return tuple(change for version in self.versions for change in version.changes)

    @property
    def version(self) -> str:
        """The newest version; that of the vocabulary where nothing was changed yet."""
        return self.versions[-1].version if self.versions else self.base


def tree_vocabulary(workspace: Workspace, version: str | None = None) -> Vocabulary:
    """Return the vocabulary of a workspace: the one that ships with TagCF, changed by its tree.

    Parameters
    ----------
    version
        An earlier version of the tree; default the newest.

    Raises
    ------
    DataError
        The file is broken, was edited by hand, or does not know the version; or a change is no
        longer possible, since TagCF's own vocabulary has changed.
    """
    base = default_vocabulary()
    tree = read_tree(workspace)
    if not tree.versions and version in (None, base.version):
        return base
    wanted, changes = _changes_until(workspace, tree, version)
    own = wanted if tree.base == base.version else f"{wanted}@{base.version}"
    try:
        return vocabulary_after(base, changes, own)
    except ImpossibleChangeError as impossible:
        raise DataError(
            "tree.no_longer", path=workspace.root / FILE, what=impossible
        ) from impossible


def mined_tags(workspace: Workspace, version: str | None = None) -> dict[str, Mined]:
    """Return the tags that were proposed from behaviour, by slug, and which behaviour that was.

    Where strength is shared along the tree, tags above and below such a tag are carried by other
    items because of it, and count among them.
    """
    tree = read_tree(workspace)
    if not tree.versions:
        return {}
    tags = tree_vocabulary(workspace, version).tags
    _, changes = _changes_until(workspace, tree, version)
    found = mined_by(default_vocabulary().tags, changes)
    by_slug = {tag.slug: tag for tag in tags}
    settings, own = workspace.settings.tree, dict(found)
    for tag in tags:
        for above in ancestors(tag, by_slug):
            if settings.share_up and tag.slug in own:
                found[above] = both_mined(found.get(above), own[tag.slug]) or own[tag.slug]
            if settings.share_down and above in own:
                found[tag.slug] = both_mined(found.get(tag.slug), own[above]) or own[above]
    return found


def _changes_until(
    workspace: Workspace, tree: TagTree, version: str | None
) -> tuple[str, list[Change]]:
    """Name of a version, default the newest, and the changes that led to it."""
    names = [tree.base, *(one.version for one in tree.versions)]
    wanted = names[-1] if version is None else version.partition("@")[0]
    if wanted not in names:
        path = workspace.root / FILE
        raise DataError("tree.unknown_version", path=path, name=version, known=", ".join(names))
    last = names.index(wanted)
    return wanted, [change for one in tree.versions[:last] for change in one.changes]


def tree_version(workspace: Workspace) -> str:
    """Version of the tags of a workspace, to be kept with whatever is estimated on them.

    The vocabulary's hash where the tree was never changed, else the newest of the tree; with "@"
    and the vocabulary's hash behind it where TagCF's vocabulary has changed since.
    """
    return tree_vocabulary(workspace).version


def read_tree(workspace: Workspace) -> TagTree:
    """Read ``tag_tree.toml``; a workspace without one has the vocabulary as it is.

    Raises
    ------
    DataError
        It is no TOML, of another form, or its hashes do not fit.
    """
    path = workspace.root / FILE
    if not path.is_file():
        return TagTree(default_vocabulary().version)
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as broken:
        raise DataError("tree.bad_tree", path=path, detail=broken) from broken
    try:
        tree = TagTree(
            base=str(values["base"]),
            versions=tuple(_version(one) for one in values.get("version", [])),
            rejected=tuple(str(one) for one in values.get("rejected", [])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as foreign:
        raise DataError("tree.bad_tree", path=path, detail=repr(foreign)) from foreign
    _check_chain(tree, path)
    return tree


def write_tree(workspace: Workspace, tree: TagTree) -> Path:
    """Write ``tag_tree.toml`` atomically."""
    path = workspace.root / FILE
    lines = [f"# {line}" for line in say("tree.file_head").splitlines()]
    lines += [f"base = {toml(tree.base)}", f"rejected = {toml(list(tree.rejected))}"]
    for one in tree.versions:
        lines += ["", "[[version]]"]
        lines += [f"{key} = {toml(getattr(one, key))}" for key in ("version", "parent", "date")]
        lines.append("change = [")
        lines += [f"  {_inline(change)}," for change in one.changes]
        lines.append("]")
    write_text(path, "\n".join(lines) + "\n")
    return path


def next_version(tree: TagTree, changes: Iterable[Change], day: date) -> TagTree:
    """Return the chain with one more link."""
    made = tuple(changes)
    link = TreeVersion(change_hash(tree.version, made), tree.version, day.isoformat(), made)
    return TagTree(tree.base, (*tree.versions, link), tree.rejected)


def toml(value: object) -> str:
    """Return a text, number, truth value or list of these as TOML: what JSON writes, and DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _inline(change: Change) -> str:
    parts: dict[str, object] = {"id": change.id, "kind": change.kind, "tag": change.tag}
    if change.names:
        parts["names"] = list(change.names)
    for name in ("slug", "zh", "en"):
        if getattr(change, name) is not None:
            parts[name] = getattr(change, name)
    if change.mined is not None:
        parts["mined"] = mined_table(change.mined)
    return inline_table(parts)


def inline_table(parts: Mapping[str, object]) -> str:
    """Return a table as TOML writes it on one line."""
    written = (
        f"{key} = {inline_table(value) if isinstance(value, dict) else toml(value)}"
        for key, value in parts.items()
    )
    return "{" + ", ".join(written) + "}"


def _version(values: Mapping[str, Any]) -> TreeVersion:
    return TreeVersion(
        version=str(values["version"]),
        parent=str(values["parent"]),
        date=str(values["date"]),
        changes=tuple(_change(one) for one in values["change"]),
    )


def _change(values: Mapping[str, Any]) -> Change:
    if values["kind"] not in KINDS:
        raise ValueError(values["kind"])
    return Change(
        id=str(values["id"]),
        kind=values["kind"],
        tag=str(values["tag"]),
        names=tuple(str(name) for name in values.get("names", ())),
        slug=values.get("slug"),
        zh=values.get("zh"),
        en=values.get("en"),
        mined=mined_from_table(values["mined"]) if "mined" in values else None,
    )


def _check_chain(tree: TagTree, path: Path) -> None:
    parent = tree.base
    for one in tree.versions:
        if one.parent != parent or one.version != change_hash(parent, one.changes):
            raise DataError("tree.edited", path=path, name=one.version)
        parent = one.version
