"""The proposal file: what the tree could become, for a person to accept or reject.

``out/tag_proposals.toml`` has one ``[[proposal]]`` each, with the evidence behind it and
``status = "open"``. A person writes ``"accept"`` or ``"reject"`` there and may change names; then
`apply_proposals` makes the accepted ones into a new version of the tree (`versions`).
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from tagcf.data.workspace import Workspace, write_text
from tagcf.errors import DataError, OutputError
from tagcf.tags.tree.changes import KINDS, Change, ChangeKind, ImpossibleChangeError, changed
from tagcf.tags.tree.mined import Mined, both_mined, mined_from_table, mined_table
from tagcf.tags.tree.versions import (
    TagTree,
    inline_table,
    next_version,
    read_tree,
    toml,
    tree_vocabulary,
    write_tree,
)
from tagcf.text import did_you_mean, say

FILE = "tag_proposals.toml"
Status = Literal["open", "accept", "reject"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One possible change with its evidence; see `changes.Change` for what the kinds mean."""

    id: str
    kind: ChangeKind
    tag: str  # sub_tag: the parent; merge: the tag that stays; retire: the tag that goes
    names: tuple[str, ...] = ()  # sub_tag: its names, most used first; merge: what is merged
    slug: str | None = None  # sub_tag
    zh: str | None = None
    en: str | None = None
    status: Status = "open"
    items: int = 0  # items behind it
    users: int = 0  # users who engaged with them; 0 where no log was given
    share: float | None = None  # of the tag's items that it covers
    nearness: float | None = None  # mean similarity of its names
    examples: tuple[str, ...] = ()
    mined: Mined | None = None  # behaviour that it was made from; None: none

    @property
    def change(self) -> Change:
        """What is done when it is accepted."""
        named = (self.tag, self.names, self.slug, self.zh, self.en)
        return Change(self.id, self.kind, *named, self.mined)


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply_proposals` did."""

    tree: TagTree
    accepted: tuple[Proposal, ...]  # made part of the new version
    rejected: tuple[Proposal, ...]  # remembered, so that they are not proposed again
    already: tuple[Proposal, ...]  # accepted, and part of an earlier version
    open: tuple[Proposal, ...]

    @property
    def version(self) -> str:
        """The version now in force; a new one only where something was accepted."""
        return self.tree.version


def proposal_id(kind: ChangeKind, tag: str, names: Sequence[str]) -> str:
    """Name of a proposal: the same content has the same one in every run."""
    content = "\n".join([kind, tag, *sorted(names)])
    return f"{kind.replace('_', '-')}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def write_proposals(workspace: Workspace, made: Iterable[Proposal]) -> Path:
    """Write ``out/tag_proposals.toml`` atomically.

    What a person has written into an earlier file stays: a proposal with the same id keeps its
    status and its names, and decided ones stay in the file even if they are not made again.
    """
    path = workspace.out / FILE
    before = {one.id: one for one in read_proposals(path)} if path.is_file() else {}
    kept: list[Proposal] = []
    for one in made:
        old = before.pop(one.id, None)
        kept.append(one if old is None else _as_left(one, old))
    kept += [one for one in before.values() if one.status != "open"]
    version = tree_vocabulary(workspace).version
    lines = [f"# {line}" for line in say("tree.proposals_head").splitlines()]
    lines.append(f"version = {toml(version)}")
    for one in kept:
        lines += ["", f"# {describe(one)}", "[[proposal]]", *_lines(one)]
    write_text(path, "\n".join(lines) + "\n")
    return path


def _as_left(made: Proposal, old: Proposal) -> Proposal:
    """Return a proposal made anew, with what a person has written into the old one.

    The person may have decided on what the old one was made from, so that counts, too.
    """
    mined = both_mined(made.mined, old.mined)
    named = {name: getattr(old, name) for name in ("names", "slug", "zh", "en")}
    return replace(made, status=old.status, mined=mined, **named)


def describe(proposal: Proposal) -> str:
    """One sentence on a proposal, in the language in force."""
    facts = {
        "tag": proposal.tag,
        "names": say("tree.comma").join(proposal.names),
        "items": proposal.items,
        "users": proposal.users,
    }
    return say(f"tree.proposal_{proposal.kind}", **facts).replace("\n", " ")


def read_proposals(path: Path) -> tuple[Proposal, ...]:
    """Read a proposal file.

    Raises
    ------
    OutputError
        There is none.
    DataError
        It is no TOML, or a proposal has an unknown key, kind or status, or a value of another type;
        the message names the proposal.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        command = f"tagcf tag {path.parent.parent} --propose"
        raise OutputError("error.missing_output", path=path, command=command) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as broken:
        raise DataError("tree.bad_proposals", path=path, detail=broken) from broken
    listed = values.get("proposal", [])
    unknown = sorted(set(values) - {"version", "proposal"})
    if unknown or not isinstance(listed, list) or not all(isinstance(x, dict) for x in listed):
        detail = ", ".join(unknown) or "proposal"
        raise DataError("tree.bad_proposals", path=path, detail=detail)
    found = tuple(_proposal(one, place, path) for place, one in enumerate(listed, 1))
    seen: set[str] = set()
    for one in found:
        if one.id in seen:
            raise _wrong(path, one.id, say("tree.what_twice"))
        seen.add(one.id)
    return found


def apply_proposals(
    workspace: Workspace, path: Path | None = None, day: date | None = None
) -> Applied:
    """Make the accepted proposals of a file into a new version of the workspace's tree.

    Applying the same file again changes nothing. Where one accepted proposal is impossible, nothing
    is written.

    Parameters
    ----------
    path
        Default ``out/tag_proposals.toml``.
    day
        The version's date; default today (UTC).

    Raises
    ------
    OutputError, DataError
        As `read_proposals` and `read_tree`; or a proposal cannot be done: its tag does not
        exist, a name is taken, two of them contradict each other.
    """
    default = workspace.out / FILE
    if path is not None and not path.is_file():
        command = f"tagcf tag {workspace.root} --propose"
        facts = {"path": path, "default": default, "command": command}
        raise OutputError("tree.no_such_proposals", **facts)
    path = path or default
    proposals = read_proposals(path)
    tree = read_tree(workspace)
    done = {change.id for change in tree.changes}
    accepted = [one for one in proposals if one.status == "accept" and one.id not in done]
    _check(workspace, accepted, path)
    rejected = tuple(one for one in proposals if one.status == "reject")
    new = next_version(tree, [one.change for one in accepted], day or datetime.now(UTC).date())
    tree = new if accepted else tree
    names = (*tree.rejected, *(one.id for one in rejected))
    final = replace(tree, rejected=tuple(dict.fromkeys(names)))
    if accepted or final.rejected != tree.rejected:
        write_tree(workspace, final)
    return Applied(
        tree=final,
        accepted=tuple(accepted),
        rejected=rejected,
        already=tuple(one for one in proposals if one.status == "accept" and one.id in done),
        open=tuple(one for one in proposals if one.status == "open"),
    )


def _check(workspace: Workspace, accepted: list[Proposal], path: Path) -> None:
    """Try the changes one by one, so that the message can name the one that fails."""
    tags = tree_vocabulary(workspace).tags
    for one in accepted:
        try:
            tags = changed(tags, [one.change])
        except ImpossibleChangeError as impossible:
            raise _wrong(path, one.id, str(impossible)) from impossible


_TEXT = ("id", "kind", "tag", "slug", "zh", "en", "status")
_LISTS = ("names", "examples")
_NUMBERS = ("items", "users", "share", "nearness")
_NEEDED = ("id", "kind", "tag", "status")


def _proposal(values: dict[str, Any], place: int, path: Path) -> Proposal:
    name = str(values.get("id", f"#{place}"))
    known = (*_TEXT, *_LISTS, *_NUMBERS, "mined")
    for key, value in values.items():
        if key not in known:
            what = say("tree.what_key", name=key, hint=did_you_mean(key, known))
            raise _wrong(path, name, what)
        if not _fits(key, value):
            raise _wrong(path, name, say("tree.what_type", name=key, value=repr(value)))
    for key in _NEEDED:
        if key not in values:
            raise _wrong(path, name, say("tree.what_missing", name=key))
    for key, allowed in (("kind", KINDS), ("status", STATUSES)):
        if values[key] not in allowed:
            hint = did_you_mean(values[key], allowed)
            facts = {"name": key, "value": values[key], "known": ", ".join(allowed), "hint": hint}
            raise _wrong(path, name, say("tree.what_value", **facts))
    if values["kind"] == "merge" and not values.get("names"):
        raise _wrong(path, name, say("tree.what_missing", name="names"))
    read: dict[str, Any] = {
        key: tuple(value) if key in _LISTS else value for key, value in values.items()
    }
    if "mined" in read:
        read["mined"] = mined_from_table(read["mined"])
    return Proposal(**read)


def _fits(key: str, value: object) -> bool:
    if key in _TEXT:
        return isinstance(value, str) and bool(value.strip())
    if key in _LISTS:
        return isinstance(value, list) and all(isinstance(one, str) and one for one in value)
    if key == "mined":
        return _is_mined(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_mined(value: object) -> bool:
    try:
        mined_from_table(value)
    except ValueError:
        return False
    return True


def _lines(proposal: Proposal) -> list[str]:
    lines = [f"{key} = {toml(getattr(proposal, key))}" for key in ("id", "kind", "status", "tag")]
    for key in ("slug", "zh", "en", "items", "users", "share", "nearness"):
        value = getattr(proposal, key)
        if value is not None:
            lines.append(f"{key} = {toml(value)}")
    if proposal.mined is not None:
        lines.append(f"mined = {inline_table(mined_table(proposal.mined))}")
    listed = {key: list(getattr(proposal, key)) for key in _LISTS}
    return lines + [f"{key} = {toml(value)}" for key, value in listed.items() if value]


def _wrong(path: Path, name: str, what: str) -> DataError:
    return DataError("tree.bad_proposal", path=path, name=name, what=what)
