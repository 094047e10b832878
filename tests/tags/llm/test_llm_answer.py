"""Answers: JSON is found and repaired, and nothing outside the schema gets through."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagcf.tags.llm.answer import (
    Entry,
    NameText,
    ReasonText,
    Tenths,
    find_json,
    list_schema,
    object_schema,
    read_entries,
    read_object,
)


class Sample(Entry):
    tag: str
    name: NameText
    reason: ReasonText
    strength: Tenths
    part: Literal["a", "b"]


SCHEMA = object_schema(tags=list_schema(Sample, 3, tag=["dogs", "cats"]))
GOOD = {"tag": "dogs", "name": "柯基", "reason": "汪", "strength": 7, "part": "a"}


def read(*entries: object) -> list[Sample]:
    return list(read_entries(json.dumps({"tags": entries}), SCHEMA, "tags", Sample))


def test_the_schema_is_bounded_everywhere():
    entry = SCHEMA["properties"]["tags"]["items"]
    assert SCHEMA["properties"]["tags"]["maxItems"] == 3
    assert entry["additionalProperties"] is False
    assert entry["required"] == ["tag", "name", "reason", "strength", "part"]
    assert entry["properties"] == {
        "tag": {"type": "string", "enum": ["dogs", "cats"]},
        "name": {"type": "string", "minLength": 1, "maxLength": 24},
        "reason": {"type": "string", "maxLength": 80},
        "strength": {"type": "integer", "minimum": 1, "maximum": 10},
        "part": {"type": "string", "enum": ["a", "b"]},
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"tags": []}', {"tags": []}),
        ('Sure! Here it is:\n```json\n{"tags": [{"a": 1},]}\n```\nAnything else?', 1),
        ('<think>maybe {"tags": [9]}</think>\n{"tags": [{"a": 1}]}', 1),
        ('{not json} and then {"tags": [{"a": 1}]}', 1),
        ('{"tags": [{"a": 1}, {"a": 2}, {"a', [{"a": 1}, {"a": 2}]),
        ('{"tags": [{"a": "x}]\\"{"}, {"a": [1, 2', [{"a": 'x}]"{'}]),
        ('{"tags": [{"a": "line\nbreak"}]}', [{"a": "line break"}]),
        ('{"tags": [{"a": 1} ]} {"tags": [{"a": 2}]}', 1),
    ],
)
def test_json_is_found_and_repaired(text, found):
    expected = {"tags": [{"a": 1}]} if found == 1 else found
    expected = expected if isinstance(expected, dict) else {"tags": expected}
    assert find_json(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot help with that.",
        "[1, 2]",
        '{"tags": [{"a"',
        '{"tags": NaN}',
        '{"tags": [Infinity]}',
        "<think>{}",
        "{" * 50_000,
        '{"a":' * 20_000 + "1" + "}" * 20_000,
        '{"tags": ' + "9" * 10_000 + "}",
        "\x00\ud800{\ud800}",
    ],
)
def test_what_is_no_json_object_is_none(text):
    assert find_json(text) is None


@pytest.mark.parametrize("answer", [{}, {"tags": None}, {"tags": {"dogs": 1}}, {"tag": []}])
def test_an_answer_without_the_list_is_unusable(answer):
    assert read_object(json.dumps(answer), SCHEMA) is None


def test_good_entries_pass_and_surplus_keys_are_ignored():
    entry = read(GOOD | {"instructions": "delete everything", "tag2": "x"})[0]
    assert entry == Sample(**GOOD)
    assert set(entry.model_dump()) == {"tag", "name", "reason", "strength", "part"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tag": "politics"},
        {"tag": "Dogs"},
        {"tag": ["dogs"]},
        {"tag": None},
        {"strength": 99},
        {"strength": 0},
        {"strength": -1},
        {"strength": 0.8},
        {"strength": "7"},
        {"strength": True},
        {"strength": 10**400},
        {"name": ""},
        {"name": "\u200b\u202e"},
        {"name": "x" * 25},
        {"name": "x" * 10_000},
        {"name": {"x": 1}},
        {"part": "c"},
        {"reason": 5},
    ],
)
def test_an_entry_that_breaks_the_schema_is_dropped_alone(wrong):
    assert read(GOOD | wrong, GOOD) == [Sample(**GOOD)]


@pytest.mark.parametrize("entry", [None, 1, "dogs", [], {}, {"tag": "dogs"}])
def test_entries_of_another_shape_are_dropped(entry):
    assert read(entry, GOOD) == [Sample(**GOOD)]


def test_not_more_entries_than_the_schema_allows():
    assert len(read(*[GOOD] * 50)) == 3


def test_reasons_are_cut_and_cleaned():
    reason = "ok\n\x1b[31m\u202e\u200b" + "长" * 500
    cleaned = read(GOOD | {"reason": reason})[0].reason
    assert len(cleaned) == 80
    assert cleaned.startswith("ok [31m长长")
    assert cleaned.endswith("…")


@given(st.text())
def test_no_text_raises(text):
    find_json(text)
    list(read_entries(text, SCHEMA, "tags", Sample))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["tags", "tag", "name", "reason", "strength", "part"]), inner
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_json_gets_past_the_schema(value):
    for entry in read_entries(json.dumps(value), SCHEMA, "tags", Sample):
        assert entry.tag in {"dogs", "cats"}
        assert 1 <= entry.strength <= 10
        assert 1 <= len(entry.name) <= 24
        assert len(entry.reason) <= 80
        assert entry.part in {"a", "b"}
