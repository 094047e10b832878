"""What a model answered, let through only as far as the schema allows.

The same classes that check an answer make the schema that is sent, so that both say the same.
Entries that break the schema are dropped one by one; an answer without the object asked for is
unusable as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tagcf.tags.llm.plain import plain_line

ANSWER_LIMIT = 65_536  # characters of an answer that are looked at
REASON_LIMIT = 80
_STARTS = 32  # opening braces that are tried, so that prose full of them costs little

_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)


class Entry(BaseModel):
    """One entry of a list that is asked for. Types are strict; keys not asked for are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


def _one_line(limit: int) -> BeforeValidator:
    def line(value: object) -> object:
        return plain_line(value, limit) if isinstance(value, str) else value

    return BeforeValidator(line)


# Reasons are prose and may be cut; names may not, for half a name is another name.
ReasonText = Annotated[str, _one_line(REASON_LIMIT), Field(max_length=REASON_LIMIT)]
NameText = Annotated[str, _one_line(1000), Field(min_length=1, max_length=24)]
Tenths = Annotated[int, Field(ge=1, le=10)]

E = TypeVar("E", bound=Entry)


def list_schema(entry: type[Entry], most: int, **choices: Sequence[str | int]) -> dict[str, Any]:
    """JSON schema of a list of at most `most` entries; `choices` limits fields to values."""
    properties: dict[str, Any] = {}
    for name, field in entry.model_json_schema()["properties"].items():
        properties[name] = {key: value for key, value in field.items() if key != "title"}
        if name in choices:
            properties[name] = {"type": field["type"], "enum": list(choices[name])}
    item = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "array", "maxItems": most, "items": item}


def object_schema(**lists: Mapping[str, Any]) -> dict[str, Any]:
    """JSON schema of the object that holds the lists."""
    return {
        "type": "object",
        "properties": dict(lists),
        "required": list(lists),
        "additionalProperties": False,
    }


def read_entries(text: str, schema: Mapping[str, Any], name: str, entry: type[E]) -> Iterator[E]:
    """Entries of the list `name` that keep to the schema, in their order."""
    answer = read_object(text, schema)
    if answer is None:
        return
    shape = schema["properties"][name]
    choices = {
        field: frozenset(about["enum"])
        for field, about in shape["items"]["properties"].items()
        if "enum" in about
    }
    for value in answer[name][: shape["maxItems"]]:
        try:
            one = entry.model_validate(value)
        except ValidationError:
            continue
        if all(getattr(one, field) in allowed for field, allowed in choices.items()):
            yield one


def read_object(text: str, schema: Mapping[str, Any]) -> dict[str, list[Any]] | None:
    """Return the lists of the answer, or ``None`` where it has none of those asked for.

    A list that is missing, as after a break in the middle, is empty.
    """
    found = find_json(text) or {}
    lists = {name: found[name] for name in schema["required"] if isinstance(found.get(name), list)}
    return {name: lists.get(name, []) for name in schema["required"]} if lists else None


def find_json(text: str) -> dict[str, Any] | None:
    """Return the first JSON object of a text, repaired if it can be.

    Thoughts, code fences and prose around it are skipped, commas before a closing bracket are
    dropped, and an object that was cut off is closed after its last whole entry.
    """
    bounded = _THOUGHT.sub("", text[:ANSWER_LIMIT])
    for brace in islice(re.finditer(r"\{", bounded), _STARTS):
        found = _load(_whole(bounded[brace.start() :]))
        if found is not None:
            return found
    return None


def _load(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _no_constant(name: str) -> None:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def _whole(text: str) -> str:
    """Return the object that a text begins with: ended where it ends, or closed where it broke."""
    kept: list[str] = []
    closers: list[str] = []
    whole_at, closers_there = 0, ""
    quoted = escaping = False
    for letter in text:
        if quoted:
            quoted = escaping or letter != '"'
            escaping = letter == "\\" and not escaping
            # A control character in a string is against JSON; a space says the same.
            kept.append(letter if letter >= " " else " ")
            continue
        if letter in "}]":
            _drop_comma(kept)
        kept.append(letter)
        if letter == '"':
            quoted = True
        elif letter in "{[":
            closers.append("}" if letter == "{" else "]")
        elif letter in "}]" and closers:
            closers.pop()
            whole_at, closers_there = len(kept), "".join(reversed(closers))
            if not closers:
                return "".join(kept)
    return "".join(kept[:whole_at]) + closers_there


def _drop_comma(kept: list[str]) -> None:
    """Drop a comma that stands before a closing bracket."""
    k = len(kept) - 1
    while k >= 0 and kept[k].isspace():
        k -= 1
    if k >= 0 and kept[k] == ",":
        del kept[k:]
