"""The form of ``tag_graph.yaml``: edges between tags, and names of the workspace's own tags.

::

    parent:                     # child: its parent, or a list of parents
      幼犬扑空摔倒: 萌宠
    causes:                     # cause: what it brings about, or a list
      幼犬扑空摔倒: [轻松幽默, 治愈感]
    near_duplicates:            # tags that mean nearly the same: told as one
      - [萌宠, 宠物]
    tags:                       # tag: its names, and where it belongs; each part may be left out
      guochao-snacks: {zh: 国潮零食, en: Chinese-style snacks, facet: topic, parent: 零食}

Every part may be left out. Tags may be called by any of their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tagcf.data.workspace import Workspace
from tagcf.errors import DataError, UnknownNameError
from tagcf.text import did_you_mean, say

PARTS = ("parent", "causes", "near_duplicates", "tags")
FIELDS = ("zh", "en", "facet", "parent")
MERGE = "tag:yaml.org,2002:merge"  # "<<", which may stand more than once


class UnknownInGraphError(UnknownNameError):
    """A file names a tag that does not exist: a mistake in data, not in what was asked."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Naming:
    """What a workspace says of one tag, as written in `path`; ``None`` is not said."""

    tag: str
    path: Path
    zh: str | None = None
    en: str | None = None
    facet: str | None = None
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class GraphFile:
    """What a file says, tags by the names used in it. `edges` are (part, key, value)."""

    path: Path
    edges: tuple[tuple[str, str, str], ...]
    namings: tuple[Naming, ...]
    groups: tuple[tuple[str, ...], ...] = ()  # near-duplicates


def graph_path(workspace: Workspace) -> Path | None:
    """Path of the file that ``tags.graph`` names, ``None`` where it names none."""
    name = workspace.settings.tags.graph
    return workspace.root / name if name else None


def read_graph_file(path: Path) -> GraphFile:
    """Read a file and check its form.

    Raises
    ------
    DataError
        It is missing, not UTF-8, no YAML, of another form, says something twice, or has a part
        or field that does not exist.
    """
    text = _read(path)
    try:
        content = yaml.load(text, _OnceEach) or {}  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as broken:
        raise DataError("tags.bad_graph", path=path, detail=_in_one_line(broken)) from broken
    parts = _table(content, "", path)
    _known_keys(parts, PARTS, "", path)
    edges: list[tuple[str, str, str]] = []
    for part in ("parent", "causes"):
        for key, values in _table(parts.get(part, {}), part, path).items():
            listed = values if isinstance(values, list) else [values]
            edges += [(part, key, _text(value, f"{part}: {key}", path)) for value in listed]
    namings = tuple(
        _naming(tag, fields, path)
        for tag, fields in _table(parts.get("tags", {}), "tags", path).items()
    )
    return GraphFile(path, tuple(edges), namings, _groups(parts.get("near_duplicates"), path))


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError("tags.graph_missing", path=path) from None
    except OSError as refused:
        detail = refused.strerror or type(refused).__name__
        raise DataError("tags.graph_refused", path=path, detail=detail) from refused
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        line = content.count(b"\n", 0, broken.start) + 1
        raise DataError("tags.graph_encoding", path=path, line=line) from broken


class _OnceEach(yaml.SafeLoader):
    """YAML of which every table has every key once; the standard one keeps the last, silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
                continue
            name, line = key.value.strip(), key.start_mark.line + 1
            if name in lines:
                raise yaml.constructor.ConstructorError(
                    problem=say("tags.graph_key_twice", name=name, first=lines[name]),
                    problem_mark=key.start_mark,
                )
            lines[name] = line
        return super().construct_mapping(node, deep)


def _groups(value: Any, path: Path) -> tuple[tuple[str, ...], ...]:
    """Take a list of lists of names for groups."""
    groups = [] if value is None else value
    if not isinstance(groups, list) or not all(isinstance(group, list) for group in groups):
        raise DataError("tags.bad_graph", path=path, detail=f"near_duplicates: {value!r}")
    return tuple(tuple(_text(name, "near_duplicates", path) for name in group) for group in groups)


def _naming(tag: str, value: Any, path: Path) -> Naming:
    place = f"tags: {tag}"
    fields = _table(value, place, path)
    _known_keys(fields, FIELDS, place, path)
    said = {name: _text(text, f"{place}: {name}", path) for name, text in fields.items()}
    return Naming(tag, path, **said)


def _table(value: Any, place: str, path: Path) -> dict[str, Any]:
    """Take a value for a table, with its keys as text; what is left empty has no rows."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise DataError("tags.bad_graph", path=path, detail=f"{place or 'YAML'}: {value!r}")
    return {str(key).strip(): one for key, one in value.items()}


def _text(value: Any, place: str, path: Path) -> str:
    """Take a value for a name: a word, or a number that stands for one."""
    text = str(value).strip() if isinstance(value, str | int | float) else ""
    if not text or isinstance(value, bool):
        raise DataError("tags.bad_graph", path=path, detail=f"{place}: {value!r}")
    return text


def _known_keys(found: dict[str, Any], known: tuple[str, ...], place: str, path: Path) -> None:
    for name in found:
        if name not in known:
            raise DataError(
                "tags.unknown_graph_key",
                path=path,
                name=f"{place}: {name}" if place else name,
                hint=did_you_mean(name, known),
                known=", ".join(known),
            )


def _in_one_line(broken: Exception) -> str:
    """What is wrong and on which line; the YAML parser spreads this over several lines."""
    if isinstance(broken, yaml.MarkedYAMLError) and broken.problem_mark is not None:
        mark = broken.problem_mark
        return f"{mark.line + 1}:{mark.column + 1} {broken.problem}"
    return (str(broken).splitlines() or [type(broken).__name__])[0]
