"""Writing tagcf.toml: values with a comment beside each, in the language in force."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tagcf.text import catalogue, say

_BARE = re.compile(r"^[A-Za-z0-9_-]+$")


def render_settings(values: Mapping[str, Any]) -> str:
    """Return nested settings as TOML text, each key with its comment from the catalogue."""
    lines = [f"# {say('setting.heading')}"]
    lines += _keys(values, "")
    for section, part in values.items():
        if not isinstance(part, Mapping):
            continue
        if section == "outcomes":
            for name, outcome in part.items():
                lines += ["", f"[outcomes.{_key(name)}]", *_keys(outcome, "outcomes")]
        else:
            lines += ["", *_comment(section), f"[{section}]", *_keys(part, section)]
            for name, inner in part.items():
                if isinstance(inner, Mapping):
                    lines += ["", *_comment(f"{section}_{name}")]
                    lines.append(render_table(f"{section}.{name}", inner))
    return "\n".join(lines) + "\n"


def render_table(name: str, values: Mapping[str, Any]) -> str:
    """Return one table as TOML text, keys quoted where they must be."""
    return "\n".join([f"[{name}]", *(f"{_key(key)} = {_literal(values[key])}" for key in values)])


def describe_setting(name: str) -> str:
    """Return what a setting is for (``data.user``), in the language in force; "" if unknown."""
    key = f"setting.{name.replace('.', '_')}"
    return say(key) if key in catalogue() else ""


def _keys(part: Mapping[str, Any], section: str) -> list[str]:
    """Lines of the plain values of a section, with trailing comments."""
    lines = []
    for key, value in part.items():
        if not isinstance(value, Mapping):
            remark = describe_setting(f"{section}.{key}" if section else key)
            line = f"{_key(key)} = {_literal(value)}"
            lines.append(f"{line}  # {remark}" if remark else line)
    return lines


def _comment(name: str) -> list[str]:
    remark = describe_setting(name)
    return [f"# {remark}"] if remark else []


def _key(name: str) -> str:
    return name if _BARE.match(name) else json.dumps(name, ensure_ascii=False)


def _literal(value: object) -> str:
    """Return a value as TOML; strings, numbers, booleans and lists read the same in JSON."""
    return json.dumps(value, ensure_ascii=False)
