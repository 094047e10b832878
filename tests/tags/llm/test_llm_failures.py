"""Troubles are told from what servers really say."""

from __future__ import annotations

import json
from dataclasses import replace
from email.utils import formatdate

import pytest

from tagcf.tags.llm.attempt import first_attempt, next_attempt
from tagcf.tags.llm.failures import Refusal, Trouble, error_text, refusal_of
from tagcf.tags.llm.pace import Pace, Stopped, seconds_to_wait
from tagcf.tags.llm.request import Block, Image, make_request
from tagcf.tags.llm.ways import Dialect, Way

T = Trouble


# Messages as servers and services send them (llama.cpp, vLLM, LM Studio, llama-cpp-python, OpenAI,
# Ollama, OpenRouter, DeepSeek), in their own envelopes.
@pytest.mark.parametrize(
    ("status", "message", "trouble"),
    [
        (
            400,
            "request (9023 tokens) exceeds the available context size (4096 tokens), try "
            "increasing it",
            T.TOO_LONG,
        ),
        (
            400,
            "This model's maximum context length is 8192 tokens. However, you requested 8203 "
            "tokens (7691 in the messages, 512 in the completion).",
            T.TOO_LONG,
        ),
        (500, "input length exceeds the context length", T.TOO_LONG),
        (413, "", T.TOO_LONG),
        (400, "'response_format.type' must be 'json_schema' or 'text'", T.FORMAT),
        (
            500,
            'response_format type must be one of "text" or "json_object", but got: json_schema',
            T.FORMAT,
        ),
        (
            500,
            "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'msg': "
            "\"Input should be 'text' or 'json_object'\", 'input': 'json_schema'}]",
            T.FORMAT,
        ),
        (400, "Failed to parse grammar", T.FORMAT),
        (
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            T.TOKENS_NAME,
        ),
        (
            400,
            "Unsupported value: 'temperature' does not support 0 with this model. Only the "
            "default (1) value is supported.",
            T.TEMPERATURE,
        ),
        (
            500,
            "image input is not supported - hint: if this is unexpected, you may need to "
            "provide the mmproj",
            T.NO_IMAGES,
        ),
        (400, "qwen3 is not a multimodal model", T.NO_IMAGES),
        (400, "Invalid content type. image_url is only supported by certain models.", T.NO_IMAGES),
        (400, "At most 0 image(s) may be provided in one prompt.", T.NO_IMAGES),
        (500, "this model is missing data required for image input", T.NO_IMAGES),
        (400, "unknown variant `image_url`, expected `text`", T.NO_IMAGES),
        (308, "Permanent Redirect", T.WRONG_ADDRESS),
        (404, "No endpoints found that support image input", T.NO_IMAGES),
        (400, "Failed to load image or audio file", T.BAD_IMAGE),
        (401, "Incorrect API key provided", T.UNAUTHORISED),
        (402, "Insufficient Balance", T.NO_CREDIT),
        (429, "You exceeded your current quota, please check your plan", T.NO_CREDIT),
        (429, "Rate limit reached for requests", T.BUSY),
        (404, "model 'qwen3' not found, try pulling it first", T.NO_MODEL),
        (404, "The model `gpt-9` does not exist or you do not have access to it.", T.NO_MODEL),
        (404, "Not Found", T.WRONG_ADDRESS),
        (405, "Method Not Allowed", T.WRONG_ADDRESS),
        (503, "Loading model", T.BROKEN),
        (504, "", T.TIMEOUT),
        (500, "out of memory", T.BROKEN),
        (418, "no coffee", T.REFUSED),
    ],
)
def test_messages_of_servers(status, message, trouble):
    for body in ({"error": {"message": message}}, {"error": message}, {"detail": message}, message):
        raw = body if isinstance(body, str) else json.dumps(body)
        assert refusal_of(status, raw).trouble is trouble


def test_the_share_that_fits_is_read_from_the_numbers():
    llama = '{"error":{"code":400,"message":"request (9023 tokens) exceeds the available context size (4096 tokens)","n_prompt_tokens":9023,"n_ctx":4096}}'  # noqa: E501 - as it comes
    openai = "maximum context length is 4097 tokens. However, you requested 4120 tokens"
    assert refusal_of(400, llama).fits == pytest.approx(4096 / 9023)
    assert refusal_of(400, openai).fits == pytest.approx(4097 / 4120)
    assert refusal_of(400, "prompt is too long").fits is None


def test_input_that_pydantic_repeats_is_not_judged():
    body = {"detail": [{"loc": ["body", "x"], "msg": "bad", "input": "model not found"}]}
    assert refusal_of(422, json.dumps(body)).trouble is T.REFUSED
    assert "not found" not in error_text(json.dumps(body))


def test_details_are_one_short_clean_line():
    detail = refusal_of(500, "\x1b[31mboom\n" + "x" * 10_000).detail
    assert detail.startswith("[31mboom x")
    assert len(detail) <= 300


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3), ("0.5", 0.5), ("-4", 0), (None, None), ("soon", None), ("nan", None)],
)
def test_retry_after(header, seconds):
    assert seconds_to_wait(header) == seconds


def test_retry_after_as_a_date():
    import time

    assert 50 < seconds_to_wait(formatdate(time.time() + 60, usegmt=True)) < 61


REQUEST = make_request("t-1", "x", {"required": ["tags"]}, [Block("title", "猫" * 1000)])
SEEING = replace(REQUEST, images=(Image("p", b"1"),))
KNOWN = Dialect(proven=True)


def after(trouble, *, known=Dialect(), request=REQUEST, last=None, retries=4, **facts):  # noqa: B008
    attempt = last or first_attempt(request, known)
    refusal = Refusal(trouble, **facts)
    return next_attempt(attempt, refusal, known, retries, reached=True)


def test_refused_formats_step_down_to_the_prompt_and_end_there():
    second = after(T.FORMAT)
    third = after(T.FORMAT, last=second)
    assert (second.way, third.way) == (Way.OBJECT, Way.PROMPT)
    assert after(T.FORMAT, last=third) is None


def test_a_bare_500_counts_against_the_way_only_the_second_time():
    second = after(T.BROKEN, status=500)
    assert (second.way, second.resent) == (Way.SCHEMA, 1)
    assert after(T.BROKEN, status=500, last=second).way is Way.OBJECT
    loading = after(T.BROKEN, status=503, last=after(T.BROKEN, status=503))
    assert loading.way is Way.SCHEMA
    proven = after(T.BROKEN, status=500, known=KNOWN, last=first_attempt(REQUEST, KNOWN))
    assert after(T.BROKEN, status=500, known=KNOWN, last=proven).way is Way.SCHEMA


def test_the_budget_ends_retries():
    attempt, sent = first_attempt(REQUEST, KNOWN), 1
    while attempt := after(T.BUSY, known=KNOWN, last=attempt, retries=3):
        sent += 1
    assert sent == 4
    assert after(T.BUSY, retries=0) is None
    assert after(T.NO_JSON, known=KNOWN, retries=0) is None


def test_an_unusable_answer_is_asked_for_again_once():
    again = after(T.NO_JSON, known=KNOWN)
    assert again.unusable == 1
    assert after(T.NO_JSON, known=KNOWN, last=again) is None


def test_what_another_worker_proved_is_taken_over():
    found = Dialect(way=Way.PROMPT, proven=True)
    assert after(T.NO_JSON, known=found, last=first_attempt(REQUEST, Dialect())).way is Way.PROMPT


def test_the_input_is_shortened_once():
    shorter = after(T.TOO_LONG, fits=0.5)
    assert 0 < shorter.request.characters < REQUEST.characters
    assert shorter.request.cut_from == REQUEST.characters
    assert after(T.TOO_LONG, last=shorter) is None
    assert after(T.TOO_LONG, fits=0.001) is None  # our own words alone are too many


def test_pictures_are_dropped_if_there_are_words():
    assert after(T.NO_IMAGES, request=SEEING).request.images == ()
    assert after(T.BAD_IMAGE, request=replace(SEEING, blocks=())) is None
    assert after(T.NO_IMAGES) is None


def test_a_server_that_never_answered_is_not_waited_for():
    attempt, gone = first_attempt(REQUEST, KNOWN), Refusal(T.UNREACHABLE)
    assert next_attempt(attempt, gone, KNOWN, 4, reached=False) is None
    assert next_attempt(attempt, gone, KNOWN, 4, reached=True) is not None
    assert after(T.BUSY, wait_s=1e6) is None


def test_jitter_is_full_and_bounded():
    pace = Pace(None)
    waits = [pace.backoff(3) for _ in range(200)]
    assert min(waits) < 0.3
    assert 1.5 < max(waits) <= 2.0
    assert pace.backoff(60) <= 30.0


def test_a_stopped_pace_waits_no_more():
    pace = Pace(60)
    pace.stop()
    with pytest.raises(Stopped):
        pace.wait_turn()
