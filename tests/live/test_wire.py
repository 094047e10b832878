"""Bytes to events and back: all forms agree, and whatever is wrong is named."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagcf.errors import DataError
from tagcf.live.wire import (
    BadEvents,
    Event,
    decode,
    decode_arrow,
    decode_json,
    decode_msgpack,
    encode_arrow,
    encode_json,
    encode_msgpack,
    from_rows,
    from_table,
    id_key,
    id_keys,
    joined,
    kept,
)
from tagcf.live.wire.plain.read import read_plain
from tagcf.types.live import ACTIONS, EVENT_SCHEMA, LiveEvents

ARRAYS = (
    *("event", "user", "room", "item", "product", "scene", "device"),
    *("ts", "action", "value"),
)


def same(one: LiveEvents, other: LiveEvents) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    assert one.rows.equals(other.rows)


letters = st.text(st.characters(codec="utf-8"), max_size=20)
ids = st.none() | letters | st.integers(-(10**17), 10**17)
moments = (
    st.floats(1.0, 4e9)
    | st.integers(1, 4_000_000_000)
    | st.decimals(1, 4_000_000_000, places=9).map(float)
)
rows_of_events = st.lists(
    st.fixed_dictionaries(
        {
            "user_id": letters.filter(bool) | st.integers(0, 10**17),
            "ts": moments,
            "action": st.sampled_from(ACTIONS),
        },
        optional={
            **dict.fromkeys(("event_id", "room_id", "item_id", "product_id", "scene"), ids),
            "device": ids,
            "value": st.none() | st.floats(0, 1e30) | st.integers(0, 10**15),
            "text": st.none() | letters,
        },
    ),
    max_size=8,
)


@settings(max_examples=60)
@given(rows_of_events, st.booleans(), st.booleans(), st.booleans())
@example([{"user_id": '"\\/\b\f\n\r\t\x00é中𝒳', "ts": 1.7e9, "action": "click"}], True, True, True)
def test_every_form_gives_the_same_events(
    rows: list[dict[str, Any]], ascii_only: bool, lines: bool, spaced: bool
) -> None:
    expected = from_rows(rows)
    separators = (", ", ": ") if spaced else (",", ":")
    texts = [json.dumps(row, ensure_ascii=ascii_only, separators=separators) for row in rows]
    text = "\n".join(texts) if lines else f"[{separators[0].join(texts)}]"
    same(decode_json(text.encode()), expected)
    same(decode_msgpack(msgspec.msgpack.encode(rows)), expected)
    same(decode_msgpack(encode_msgpack(expected)), expected)
    same(decode_arrow(encode_arrow(expected)), expected)
    same(decode_json(encode_json(expected)), expected)
    for data in (encode_json(expected), encode_arrow(expected), encode_msgpack(expected)):
        same(decode(data), expected)


KEY_OF_U1, KEY_OF_LONG = 13657630380565942382, 16894079173517589169

plain = {"user_id": "u1", "ts": 1.7e9, "action": "click"}


@pytest.mark.parametrize("text", ["1.7e9", "-5", "1700000000000", "1700000000.12345678901234"])
def test_numbers_that_the_quick_reader_leaves_to_msgspec(text: str) -> None:
    data = f'{{"user_id":1,"ts":{text},"action":"click"}}'.encode()
    if text == "-5":
        with pytest.raises(DataError, match="ts is '-5"):
            decode_json(data)
    else:
        assert decode_json(data).ts[0] == pytest.approx(1.7e9, abs=1)


@given(st.integers(0, 10**19 - 1), st.integers(0, 19))
def test_numbers_are_read_to_the_last_bit(digits: int, power: int) -> None:
    whole, part = divmod(digits, 10**power)
    text = f"{whole}.{part:0{power}d}" if power else str(whole)
    read = read_plain(f'{{"user_id":1,"ts":{text},"action":"click"}}'.encode())
    if len(text.replace(".", "")) > 19:
        assert read is None
    elif read is not None:  # else too close to a tie, which is rare, or left to msgspec
        assert read[0]["ts"][0].as_py() == float(text)


def test_quick_reader_takes_what_clocks_write() -> None:
    rng = np.random.default_rng(0)
    times = 1.7e9 + rng.random(2000) * 1e8
    text = "\n".join(
        json.dumps(plain | {"ts": float(ts), "text": "价格 \u00e9 \n"}) for ts in times
    )
    read = read_plain(text.encode())
    assert read is not None
    assert read[0]["ts"].to_numpy().tolist() == times.tolist()


@given(st.binary(max_size=60), st.integers(0, 200))
def test_no_bytes_bring_the_readers_down(noise: bytes, at: int) -> None:
    sound = b'[{"user_id":"u","ts":1700000000.5,"action":"click","text":"a\\u00e9","value":3}]'
    for data in (noise, sound[:at] + noise + sound[at:], sound[:at], noise + sound[at:]):
        read = read_plain(data)
        try:
            events = decode_json(data)
        except DataError:
            continue
        assert read is None or read[1] == len(events)


@given(st.binary(min_size=1, max_size=3), st.integers(0, 10_000))
@example(b"\x19", 2536)  # offsets that are no whole number of words
def test_no_changed_arrow_brings_the_reader_down(noise: bytes, at: int) -> None:
    data = encode_arrow(from_rows([plain | {"text": "é", "room_id": 3}] * 5))
    at %= len(data)
    try:
        events = decode_arrow(data[:at] + noise + data[at + len(noise) :])
    except DataError:
        return
    assert events.rows.num_rows == len(events)


def test_ids_as_numbers_and_as_text_are_the_same() -> None:
    assert id_key(17) == id_key("17") != id_key("017")
    assert id_keys(pa.array([17, None])).tolist() == [id_key("17"), 0]
    assert id_keys(pa.array(["", "17", None, "é中"])).tolist() == [0, id_key(17), 0, id_key("é中")]
    table = pa.table({"user_id": [17, 18], "ts": [1, 2], "action": ["click", "like"],
                      "item_id": pa.array([5.0, None])})  # fmt: skip
    events = from_table(table)
    assert events.user.tolist() == [id_key("17"), id_key("18")]
    assert events.rows["item_id"].to_pylist() == ["5", None]


def test_keys_spread_and_do_not_meet() -> None:
    texts = [
        f"{kind}{i}" for kind in ("u", "user-", "a-much-longer-identifier-") for i in range(99_999)
    ]
    keys = id_keys(pa.array(texts))
    assert len(np.unique(keys)) == len(texts)
    for bits in (keys & np.uint64(1023), keys >> np.uint64(54)):
        counts = np.bincount(bits.astype(np.int64), minlength=1024)
        expected = len(texts) / 1024
        chi = float(((counts - expected) ** 2 / expected).sum())
        assert abs(chi - 1023) < 6 * math.sqrt(2 * 1023)


def test_the_key_of_an_id_does_not_change() -> None:
    """It is in snapshots and logs."""
    assert id_key("u1") == KEY_OF_U1
    assert id_key("a-much-longer-identifier-42") == KEY_OF_LONG


def test_an_event_without_an_id_is_its_row() -> None:
    others = ({"value": 1}, {"text": "x"}, {"scene": "s"}, {"ts": 1.7e9 + 1}, {"action": "like"})
    rows = [plain, plain, *(plain | other for other in others), plain | {"room_id": "s"}]
    events = from_rows(rows)
    assert events.event[0] == events.event[1]
    assert len(np.unique(events.event)) == len(rows) - 1
    assert (events.event != 0).all()


def test_times_in_many_spellings() -> None:
    moment = datetime(2026, 11, 23, 10, 0, 0, 250_000, UTC)
    spellings: list[float | str] = [
        moment.timestamp(), moment.timestamp() * 1e3, moment.timestamp() * 1e6,
        "2026-11-23T10:00:00.25Z", "2026-11-23 18:00:00.25+08:00", "2026-11-23T10:00:00.25",
        str(moment.timestamp()),
    ]  # fmt: skip
    for spelling in spellings:
        text = json.dumps(plain | {"ts": spelling}).encode()
        assert decode_json(text).ts[0] == pytest.approx(moment.timestamp(), abs=1e-6), spelling
    many = "\n".join(json.dumps(plain | {"ts": one}) for one in spellings).encode()
    np.testing.assert_allclose(decode_json(many).ts, moment.timestamp(), rtol=0, atol=1e-6)
    table = pa.table({"user_id": ["a"], "ts": pa.array([moment]), "action": ["click"]})
    assert from_table(table).ts[0] == moment.timestamp()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"ts": 1, "action": "click"}, "Event 2 has no user_id"),
        (plain | {"user_id": ""}, "Event 2 has no user_id"),
        (plain | {"user_id": None}, "Event 2 has no user_id"),
        (plain | {"user_id": True}, "Event 2: user_id is 'True'; it has to be text or a whole"),
        (plain | {"item_id": 1.5}, "Event 2: item_id is '1.5'"),
        (plain | {"item_id": ["a"]}, "Event 2: item_id is"),
        (plain | {"ts": "yesterday"}, "Event 2: ts is 'yesterday'"),
        (plain | {"ts": -3.5}, "Event 2: ts is '-3.5'"),
        (plain | {"action": "clik"}, "Event 2: action is 'clik'.*Did you mean: click"),
        (plain | {"action": 3}, "Event 2: action is '3'"),
        (plain | {"value": "much"}, "Event 2: value is 'much'; it has to be a number"),
        (plain | {"action": "dwell", "value": -1}, "Event 2: value is '-1.*cannot be negative"),
        (plain | {"text": 5}, "Event 2: text is '5'; it has to be text"),
        (17, "Event 2 is '17'; it has to be an object"),
    ],
)  # fmt: skip
def test_a_bad_event_is_named_and_refuses_the_batch(row: Any, said: str) -> None:
    rows = [plain, row, plain]
    ways = (
        lambda **how: from_rows(rows, **how),
        lambda **how: decode_json(json.dumps(rows).encode(), **how),
        lambda **how: decode_json("\n".join(map(json.dumps, rows)).encode(), **how),
        lambda **how: decode_msgpack(msgspec.msgpack.encode(rows), **how),
    )
    for way in ways:
        with pytest.raises(DataError, match=said):
            way()
        bad = BadEvents()
        assert len(way(skip_bad=bad)) == 2
        assert (bad.count, bad.examples[0].row) == (1, 2)


def test_bad_rows_of_a_table_are_named() -> None:
    table = pa.table(
        {
            "user_id": ["a", None, "c", "d", "e"],
            "ts": [1.0, 2.0, float("nan"), 4.0, 5.0],
            "action": ["click", "click", "click", "kauf", "dwell"],
            "value": [0.5, 1.0, 2.0, 3.0, -1.0],
        }
    )
    with pytest.raises(DataError, match=r"Event 2 has no user_id.* 3 more are bad"):
        from_table(table)
    bad = BadEvents()
    events = from_table(table, skip_bad=bad)
    assert events.rows["user_id"].to_pylist() == ["a"]
    assert [(one.row, one.field) for one in bad.examples] == [
        (2, "user_id"), (3, "ts"), (4, "action"), (5, "value"),
    ]  # fmt: skip
    assert bad.by_field == {"user_id": 1, "ts": 1, "action": 1, "value": 1}


def test_a_broken_line_is_named() -> None:
    lines = b'{"user_id":1,"ts":2,"action":"click"}\n{"user_id":1,"ts":\n\n'
    with pytest.raises(DataError, match="Event 2 is not valid JSON"):
        decode_json(lines)
    bad = BadEvents()
    assert len(decode_json(lines + lines[:38], skip_bad=bad)) == 2
    assert bad.count == 1
    with pytest.raises(DataError, match="not valid JSON"):
        decode_json(b'[{"user_id":1}')
    with pytest.raises(DataError, match="not valid msgpack"):
        decode_msgpack(b"\x93\x01")
    with pytest.raises(DataError, match="not whole Arrow"):
        decode_arrow(encode_arrow(from_rows([plain]))[:200])


def test_fields_of_its_own_are_left_out_and_misspelt_ones_told() -> None:
    assert len(from_rows([plain | {"session": 5, "ab_test": None}])) == 1
    assert len(decode_json(json.dumps(plain | {"nested": {"deep": [1, {}]}}).encode())) == 1
    for wrong, meant in (("vaule", "value"), ("itemId", "item_id"), ("Scene", "scene")):
        with pytest.raises(DataError, match=f"{wrong}, which looks like {meant}"):
            decode_json(json.dumps(plain | {wrong: 5}).encode())
    with pytest.raises(DataError, match=r"no field user_id.* Did you mean: userid"):
        from_table(pa.table({"userid": ["a"], "ts": [1.0], "action": ["click"]}))
    with pytest.raises(DataError, match="user_id is of type bool"):
        from_table(pa.table({"user_id": [True], "ts": [1.0], "action": ["click"]}))


def test_tables_of_other_programs() -> None:
    frame = pd.DataFrame(
        {
            "user_id": pd.Categorical(["a", "b", "a"]),
            "item_id": [1, None, 3],
            "ts": pd.to_datetime(["2026-11-23", "2026-11-24", "2026-11-25"]),
            "action": ["click", "dwell", "like"],
            "value": [1, 2, 3],
        }
    )
    events = from_table(pa.Table.from_pandas(frame))
    assert events.rows["user_id"].to_pylist() == ["a", "b", "a"]
    assert events.rows["item_id"].to_pylist() == ["1", None, "3"]
    assert events.ts[0] == datetime(2026, 11, 23, tzinfo=UTC).timestamp()
    large = pa.table({"user_id": pa.array(["a"], pa.large_string()), "ts": [1], "action": [3]})
    assert from_table(pa.concat_tables([large, large])).action.tolist() == [3, 3]


def test_empty_batches() -> None:
    for data in (b"", b"  \n", b"[]", encode_arrow(EVENT_SCHEMA.empty_table()), b"\x90"):
        events = decode(data)
        assert len(events) == events.rows.num_rows == 0
        assert events.rows.schema.equals(EVENT_SCHEMA)


def test_events_as_objects_and_batches_cut_and_joined() -> None:
    rows = [Event(user_id=i, ts=1.7e9 + i, action="click", text="é") for i in range(10)]
    events = from_rows(rows)
    even = np.arange(10) % 2 == 0
    back = joined([kept(events, even), kept(events, ~even)])
    assert sorted(back.ts) == sorted(events.ts)
    assert kept(events, np.ones(10, bool)) is events
    same(decode_msgpack(encode_msgpack(rows)), events)
