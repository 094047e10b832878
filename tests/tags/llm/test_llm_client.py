"""The client against servers that speak the protocol in their own way, badly, or not at all."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time

import pytest
from llm_servers import Reply, completion

from tagcf.errors import RefusedError, ServerError, SettingsError
from tagcf.settings import LLMSettings
from tagcf.tags.llm.account import Prices
from tagcf.tags.llm.answer import object_schema
from tagcf.tags.llm.closed import closed_request
from tagcf.tags.llm.request import Block, Image, make_request
from tagcf.tags.llm.server import Server, full_address, server_of
from tagcf.tags.llm.ways import Way
from tagcf.text import choose_language
from tagcf.types import Tag

SCHEMA = object_schema(tags={"type": "array", "maxItems": 2, "items": {"type": "string"}})
REQUEST = make_request("t-1", "Tag it.", SCHEMA, [Block("title", "猫")])
GOOD = '{"tags": ["cats"]}'
KEY = "sk-secret-0123456789"


def format_of(body):
    return body.get("response_format", {}).get("type")


def test_the_strictest_way_is_tried_first_and_nested(scripted, connect):
    server = scripted(lambda body, number: completion(GOOD))
    client = connect(server.address)
    answer = client.ask(REQUEST)
    sent = server.asked[0]
    assert (answer.text, answer.way) == (GOOD, "json_schema")
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == ("tiny", 0.0, 1024)
    assert (client.account.calls, client.account.tokens_in, client.account.tokens_out) == (1, 10, 5)


def test_a_server_that_rejects_json_schema_with_500_is_asked_for_an_object(scripted, connect):
    def llama_cpp_python(body, number):
        if format_of(body) == "json_schema":
            return Reply(500, {"error": {"message": "Input should be 'text' or 'json_object'"}})
        return completion(GOOD)

    server = scripted(llama_cpp_python)
    client = connect(server.address)
    assert client.ask(REQUEST).way == "json_object"
    assert client.ask(REQUEST).way == "json_object"
    assert [format_of(body) for body in server.asked] == ["json_schema", *["json_object"] * 2]
    assert server.asked[1]["response_format"]["schema"] == SCHEMA
    assert client.dialect.proven
    assert client.account.resent == 1


def test_a_server_that_takes_no_format_is_asked_in_words(scripted, connect):
    def plain(body, number):
        if "response_format" in body:
            return Reply(400, {"error": "unknown field"})
        return completion(f"Of course!\n```json\n{GOOD}\n```")

    server = scripted(plain)
    client = connect(server.address)
    assert client.ask(REQUEST).way == "prompt"
    assert "JSON schema" in server.asked[2]["messages"][0]["content"]
    client.ask(REQUEST)
    assert len(server.asked) == 4


def test_a_server_that_ignores_the_format_is_found_out(scripted, connect):
    def careless(body, number):
        return completion(GOOD if "JSON schema" in body["messages"][0]["content"] else "A cat!")

    server = scripted(careless)
    client = connect(server.address)
    assert client.ask(REQUEST).way == "json_object"  # where the schema stands in the prompt, too
    assert client.dialect.way is Way.OBJECT


def test_a_model_that_gives_no_json_costs_a_bounded_number_of_calls(scripted, connect):
    server = scripted(lambda body, number: completion("I won't."))
    with pytest.raises(RefusedError, match=r"gave no JSON.*I won't") as refused:
        connect(server.address).ask(REQUEST)
    assert refused.value.key == "llm.no_json"
    assert len(server.asked) == 4  # three ways, the last of them twice
    assert server.asked[3]["temperature"] > 0


def test_429_is_waited_for_as_long_as_the_server_says(scripted, connect):
    def busy(body, number):
        return (
            Reply(429, {"error": "slow down"}, {"Retry-After": "1"})
            if number < 1
            else (completion(GOOD))
        )

    client = connect(scripted(busy).address)
    start = time.monotonic()
    client.ask(REQUEST)
    assert time.monotonic() - start >= 1
    assert (client.account.calls, client.account.resent) == (2, 1)


def test_a_pause_longer_than_patience_is_no_wait(scripted, connect):
    server = scripted(lambda body, number: Reply(429, {}, {"Retry-After": "86400"}))
    with pytest.raises(RefusedError, match="86400"):
        connect(server.address).ask(REQUEST)
    assert len(server.asked) == 1


def test_nothing_is_sent_beyond_the_budget(scripted, connect):
    server = scripted(lambda body, number: Reply(503, {"error": "loading"}))
    client = connect(server.address, retries=2)
    with pytest.raises(RefusedError, match=r"HTTP 503: loading.*times sent: 3"):
        client.ask(REQUEST)
    assert (len(server.asked), client.account.calls, client.account.resent) == (3, 3, 2)


def test_a_slow_server_times_out(scripted, connect):
    def slow(body, number):
        time.sleep(1)
        return completion(GOOD)

    client = connect(scripted(slow).address, timeout_s=0.2, retries=1)
    with pytest.raises(RefusedError, match=r"within 0.2 s; times sent: 2"):
        client.ask(REQUEST)


def test_an_answer_that_drips_times_out(connect):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        import threading

        def drip():
            try:
                while True:
                    with listening.accept()[0] as connection:
                        connection.recv(65_536)
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
                        for _ in range(50):
                            connection.sendall(b"x")
                            time.sleep(0.05)
            except OSError:
                pass

        threading.Thread(target=drip, daemon=True).start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        client = connect(address, timeout_s=0.3, retries=0)
        with pytest.raises(RefusedError) as refused:
            client.ask(REQUEST)
        assert refused.value.key == "llm.timeout"
        client.close()


def test_a_refused_key_is_said_and_never_shown(scripted, connect, monkeypatch, caplog):
    monkeypatch.setenv("MY_KEY", KEY)
    server = scripted(
        lambda body, number: Reply(401, {"error": {"message": f"Bad key: {KEY}, Bearer {KEY}"}})
    )
    settings = LLMSettings(base_url=server.address, model="m", api_key_env="MY_KEY")
    where = server_of(settings)
    caplog.set_level(logging.DEBUG)
    client = connect(server.address, model="m", key=where.key, key_name="MY_KEY")
    with pytest.raises(ServerError, match="MY_KEY") as refused:
        client.ask(REQUEST)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    shown = f"{refused.value} {refused.value.facts} {where} {client.server} {settings}"
    assert KEY not in shown + caplog.text
    choose_language("zh")
    assert "拒绝了密钥" in str(refused.value)


def test_an_unknown_model_brings_the_names_of_others(scripted, connect):
    server = scripted(lambda body, number: Reply(404, {"error": "model 'qwen38b' not found"}))
    with pytest.raises(ServerError, match=r"Did you mean: qwen3-8b.*gemma3-4b"):
        connect(server.address, model="qwen38b").ask(REQUEST)


def test_a_wrong_address_is_told_from_a_wrong_model(scripted, connect):
    server = scripted(lambda body, number: Reply(404, b"<html>Not Found</html>"))
    with pytest.raises(ServerError, match=r"chat/completions does not exist.*ends in /v1"):
        connect(server.address).ask(REQUEST)


def test_an_unreachable_server_fails_at_once(connect):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(ServerError, match=r"cannot be reached.*Check that the server runs"):
        connect(f"http://127.0.0.1:{port}/v1").ask(REQUEST)
    assert time.monotonic() - start < 2


def test_fatal_words_about_one_text_dont_stop_a_run(scripted, connect):
    def filtering(body, number):
        return completion(GOOD) if number == 0 else Reply(403, {"error": "flagged content"})

    client = connect(scripted(filtering).address)
    client.ask(REQUEST)
    with pytest.raises(RefusedError, match="flagged"):
        client.ask(REQUEST)


def test_parameters_that_a_service_renames_or_forbids(scripted, connect):
    def openai(body, number):
        if "max_tokens" in body:
            return Reply(400, {"error": {"message": "Use 'max_completion_tokens' instead."}})
        if "temperature" in body:
            return Reply(400, {"error": {"message": "'temperature' does not support 0.0"}})
        return completion(GOOD)

    server = scripted(openai)
    client = connect(server.address)
    client.ask(REQUEST)
    client.ask(REQUEST)
    assert len(server.asked) == 4
    assert "temperature" not in server.asked[3]
    assert server.asked[3]["max_completion_tokens"] == 1024


def test_a_prompt_too_long_is_shortened_once_and_said(scripted, connect):
    def small(body, number):
        words = len(body["messages"][0]["content"] + body["messages"][1]["content"])
        if words > 2000:
            told = f"maximum context length is 2000 tokens. However, you requested {words} tokens"
            return Reply(400, {"error": {"message": told}})
        return completion(GOOD)

    client = connect(scripted(small).address)
    long = make_request("t-1", "Tag it.", SCHEMA, [Block("title", "字" * 5000)])
    answer = client.ask(long)
    assert 0 < answer.characters < answer.of_characters == 5000
    assert client.account.calls == 2


def test_a_prompt_that_never_fits_is_refused(scripted, connect):
    server = scripted(lambda body, number: Reply(400, {"error": "prompt is too long"}))
    with pytest.raises(RefusedError, match="too long for the model"):
        connect(server.address).ask(REQUEST)
    assert len(server.asked) == 2


def test_a_model_without_eyes_is_asked_in_words_from_then_on(scripted, connect):
    def blind(body, number):
        if not isinstance(body["messages"][1]["content"], str):
            return Reply(500, {"error": {"message": "image input is not supported"}})
        return completion(GOOD)

    server = scripted(blind)
    client = connect(server.address)
    seeing = make_request("t-1", "x", SCHEMA, [Block("title", "猫")], [Image("p", b"1")])
    assert (client.ask(seeing).images, client.ask(seeing).of_images) == (0, 1)
    assert len(server.asked) == 3
    with pytest.raises(RefusedError, match="takes no images"):
        client.ask(make_request("t-1", "x", SCHEMA, [], [Image("p", b"1")]))
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"null",
        b"[]",
        b'{"choices": []}',
        b'{"choices": {"0": 1}}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": null}}]}',
        b'{"choices": [{"message": {"content": {"tags": []}}}]}',
        b'{"choices": [{"message": {"content": "NaN"}}]}',
        b"\xff\xfe\x00" * 100,
        b"[" * 100_000,
        b'{"x": ' + b"9" * 10_000 + b"}",
        b"x" * 6_000_000,
    ],
    ids=range(14),
)
def test_no_answer_breaks_the_client(scripted, connect, body):
    server = scripted(lambda _, number: Reply(200, body))
    with pytest.raises(RefusedError) as refused:
        connect(server.address).ask(REQUEST)
    assert refused.value.key == "llm.no_json"
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        {},
        {"prompt_tokens": "9", "completion_tokens": -1},
        {"prompt_tokens": True},
        {"prompt_tokens": 1e9, "completion_tokens": 10**30},
    ],
)
def test_usage_that_isnt_told_is_unknown_not_zero(scripted, connect, usage):
    reply = Reply(body={"choices": [{"message": {"content": GOOD}}], "usage": usage})
    client = connect(scripted(lambda body, number: reply).address, prices=Prices(1.0, 2.0))
    client.ask(REQUEST)
    account = client.account
    assert (account.untold, account.cost, account.to_json()["tokens_in"]) == (1, None, None)


def test_cost_is_tokens_times_prices(scripted, connect):
    client = connect(
        scripted(lambda body, number: completion(GOOD)).address, prices=Prices(1.0, 4.0)
    )
    client.ask(REQUEST)
    assert client.account.cost == pytest.approx((10 * 1 + 5 * 4) / 1e6)
    assert json.loads(json.dumps(client.account.to_json()))["cost"] == client.account.cost


def test_more_fields_go_with_each_request_but_replace_none(scripted, connect):
    server = scripted(lambda body, number: completion(GOOD))
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "model": "other"}
    connect(server.address, extra_body=extra).ask(REQUEST)
    assert server.asked[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert server.asked[0]["model"] == "tiny"


def test_content_in_parts_is_joined(scripted, connect):
    parts = [{"type": "text", "text": '{"tags": '}, 5, {"type": "text", "text": "[]}"}]
    client = connect(scripted(lambda body, number: completion(parts)).address)
    assert client.ask(REQUEST).text == '{"tags": []}'


def test_the_rate_is_kept_by_all_workers_together(scripted, connect):
    from concurrent.futures import ThreadPoolExecutor

    server = scripted(lambda body, number: completion(GOOD))
    client = connect(server.address, requests_per_minute=300, concurrency=8)
    client.models()  # not counted
    start = time.monotonic()
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(client.ask, [REQUEST] * 12))
    assert time.monotonic() - start >= (12 - 5) / 5 * 0.95  # five at once, then five a second


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("https://x.example/api/v1/chat/completions", "https://x.example/api/v1"),
        (" https://x.example/compatible-mode/v1 ", "https://x.example/compatible-mode/v1"),
    ],
)
def test_addresses(written, meant):
    assert full_address(written) == meant


@pytest.mark.parametrize(
    "wrong",
    [
        "localhost:8000",
        "ftp://x/v1",
        "http://",
        "https://me:pw@x/v1",
        "https://x/v1?key=1",
        "http://x:99999/v1",
        "http://[::1/v1",
    ],
)
def test_wrong_addresses_are_quoted_without_what_may_be_a_key(wrong):
    with pytest.raises(SettingsError, match="http\\(s\\)://host") as refused:
        full_address(wrong)
    said = str(refused.value).split("Write http")[0]
    assert "pw" not in said
    assert "key" not in said
    if not set("@?") & set(wrong):
        assert f'"{wrong.rstrip("/")}"' in said
    else:
        assert "…" in said


def test_what_the_settings_lack_is_named(monkeypatch):
    with pytest.raises(SettingsError, match=r"\[llm\] base_url"):
        server_of(LLMSettings())
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(SettingsError, match="NO_SUCH_KEY"):
        server_of(LLMSettings(base_url="http://x", model="m", api_key_env="NO_SUCH_KEY"))


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (LLMSettings(), "[llm] base_url, model."),
        (LLMSettings(model="m"), "[llm] base_url."),
        (LLMSettings(base_url="http://x"), "[llm] model."),
        (LLMSettings(base_url=" ", model="m"), "[llm] base_url."),
    ],
)
def test_only_what_is_missing_is_named(settings, missing):
    with pytest.raises(SettingsError) as lacking:
        server_of(settings)
    assert f"missing: {missing}" in str(lacking.value)


def test_a_key_in_place_of_its_variable_is_refused_and_not_repeated():
    from tagcf.settings import parse_settings

    with pytest.raises(SettingsError) as refused:
        parse_settings({"llm": {"api_key_env": KEY}})
    assert KEY not in str(refused.value)


def test_the_server_of_the_settings(monkeypatch):
    monkeypatch.setenv("K", "abc")
    made = server_of(
        LLMSettings(
            base_url="http://x", model="m", api_key_env="K", price_in=1, price_out=2, concurrency=9
        )
    )
    assert made == Server("http://x/v1", "m", "abc", "K", concurrency=9, prices=Prices(1.0, 2.0))
    assert made.source == "llm:m"


def test_an_empty_answer_is_called_empty_and_a_cut_one_cut(scripted, connect):
    said = {
        "empty": {"content": ""},
        "thought": {"content": None, "reasoning_content": "hm " * 50},
        "declined": {"content": None, "refusal": "I can't help with that."},
    }
    for name, message in said.items():
        choice = {"message": message, "finish_reason": "length" if name == "thought" else "stop"}
        server = scripted(lambda body, number, choice=choice: Reply(body={"choices": [choice]}))
        with pytest.raises(RefusedError, match="gave no JSON") as refused:
            connect(server.address, retries=0).ask(REQUEST)
        told = str(refused.value)
        assert "HTTP" not in told
        assert ("its answer: empty" in told) == (name != "declined")
        assert ("cut off at max_tokens" in told) == (name == "thought")
        assert ("can't help" in told) == (name == "declined")


def test_a_connection_that_breaks_has_no_status(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65_536)

        threading.Thread(target=hang_up, daemon=True).start()
        client = connect(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", retries=1)
        with pytest.raises(RefusedError, match="failed") as refused:
            client.ask(REQUEST)
    assert "HTTP 0" not in str(refused.value)


def test_an_error_inside_a_200_is_an_error(scripted, connect):
    def routed(body, number):
        if number == 0:
            return Reply(body={"error": {"message": "upstream is busy", "code": 429}})
        return completion(GOOD)

    client = connect(scripted(routed).address)
    assert client.ask(REQUEST).way == "json_schema"
    assert (client.account.calls, client.account.resent) == (2, 1)


def test_a_strict_mode_without_lengths_is_still_asked_for_the_schema(scripted, connect):
    tags = [Tag("dogs", "狗狗", "Dogs", "topic"), Tag("cats", "猫咪", "Cats", "topic")]
    request = closed_request("猫", tags)

    def strict(body, number):
        if "maxLength" in json.dumps(body["response_format"]):
            told = "Invalid schema for response_format: 'maxLength' is not permitted."
            return Reply(400, {"error": {"message": told}})
        return completion('{"tags": []}')

    server = scripted(strict)
    client = connect(server.address)
    assert client.ask(request).way == "json_schema"
    client.ask(request)
    assert len(server.asked) == 3
    sent = server.asked[2]["response_format"]["json_schema"]["schema"]
    entry = sent["properties"]["tags"]["items"]
    assert set(entry["properties"]) == {"tag", "reason", "strength", "confidence"}
    assert entry["properties"]["tag"]["enum"] == ["dogs", "cats"]
    assert not {"maxItems", "maxLength", "minimum", "maximum"} & set(re.findall(r"\w+", str(sent)))


def test_what_is_wrong_with_one_text_is_said_after_answers_came_too(scripted, connect):
    def later(body, number):
        error = {"error": "the prompt exceeds the context"}
        return completion(GOOD) if number == 0 else Reply(400, error)

    client = connect(scripted(later).address)
    client.ask(REQUEST)
    with pytest.raises(RefusedError) as refused:
        client.ask(REQUEST)
    assert refused.value.key == "llm.too_long"
