"""The companion with a language model: it may read and rephrase, and bring about nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from llm_servers import Answerer, Reply, Scripted, completion
from scipy import sparse
from test_llm_injection import HOSTILE

from tagcf.live.interest import InterestEngine
from tagcf.live.viewing.companion import Companion, Wish
from tagcf.live.viewing.companion.asked import LanguageModel, faithful, may_rephrase, read_request
from tagcf.tags.llm.client import Client
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.types import IdMap, TagMatrix

NOW = 1_773_178_200.0
TAGS = tuple(
    tag for tag in default_vocabulary().tags if tag.slug in ("food", "gaming", "cats", "horror")
)
Connect = Callable[..., Client]
Serve = Callable[[Answerer], Scripted]


def companion(client: Client) -> Companion:
    one = sparse.csr_array(sparse.eye_array(len(TAGS), dtype="float32"))
    items = IdMap(pa.array([tag.slug for tag in TAGS], pa.string()))
    engine = InterestEngine(
        TagMatrix(items, TAGS, one, one, one.astype("int16"), ("test",)), users_at_most=16
    )
    for k in range(8):
        engine.update_one("u", "dwell", NOW - 600 + k, item="food", value=100.0)
    return Companion(engine, "u", TAGS, at=NOW, assistant=LanguageModel(client))


def says(*requests: dict[str, Any], answer: str = "") -> Answerer:
    """A model that reads every line so, and rephrases every answer so."""

    def reply(body: dict[str, Any], _number: int) -> Reply:
        shape = body["response_format"]["json_schema"]["schema"]["properties"]
        told = {"answers": [{"text": answer}]} if "answers" in shape else {"requests": requests}
        return completion(json.dumps(told, ensure_ascii=False))

    return reply


def asked(kind: str, tag: str = "none", minutes: int = 0) -> dict[str, Any]:
    return {"kind": kind, "tag": tag, "minutes": minutes}


def test_what_the_grammar_cannot_read_the_model_may_and_changes_are_asked_about(
    scripted: Serve, connect: Connect
) -> None:
    server = scripted(says(asked("never", "horror")))
    one = companion(connect(server.address))
    reply = one.answer("ghosts give me the creeps at night")
    assert not reply.changed
    assert reply.asks
    assert 'mute "Horror"' in reply.text
    assert one.answer("yes").changed
    assert [edit.kind for edit in one.memory.engine.edits("u")] == ["mute"]


def test_a_no_leaves_everything_as_it_is(scripted: Serve, connect: Connect) -> None:
    one = companion(connect(scripted(says(asked("start_over"))).address))
    assert one.answer("burn it all to the ground").asks
    assert not one.answer("no").changed
    assert not one.memory.engine.edits("u")


def test_harmless_requests_are_answered_at_once(scripted: Serve, connect: Connect) -> None:
    one = companion(connect(scripted(says(asked("likes"))).address))
    reply = one.answer("qué te parece que me gusta")
    assert reply.understood == (Wish("likes"),)
    assert "Food" in reply.text


def test_what_the_grammar_reads_is_not_sent(scripted: Serve, connect: Connect) -> None:
    server = scripted(says(asked("start_over")))
    one = companion(connect(server.address))
    one.assistant = LanguageModel(connect(server.address), rephrases=False)
    assert one.answer("less food").changed
    assert server.asked == []


WRONG = [
    asked("never", "politics"), asked("delete_user"), asked("never"), asked("forget_time"),
    asked("yes"), {"kind": "never"}, {"kind": ["never"], "tag": "food", "minutes": 0},
    asked("more", "food\nhorror"), "never food",
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_readings_outside_of_what_there_is_bring_nothing(
    wrong: Any, scripted: Serve, connect: Connect
) -> None:
    one = companion(connect(scripted(says(wrong)).address, retries=0))
    reply = one.answer("blah blah")
    assert reply.understood == (Wish("unknown"),)
    assert not reply.changed
    assert not reply.asks


TOLD = '"{1}" has strength {2}, and this is where it comes from:'
GOOD = 'Your "{1}" stands at {2}, and it comes from this:'
BAD = [
    GOOD.replace("{2}", "0.39"),
    'It stands at {2} for "{1}", and it comes from this:',
    GOOD + " {2}",
    GOOD.replace('"{1}"', "it"),
    GOOD.replace("{2}", "{3}"),
    GOOD.replace("stands", "never stands"),
    GOOD.replace("stands", "doesn't stand"),
    GOOD.replace("stands", "is more, and stands"),
    GOOD.replace("this", "what the host gives away free"),
    GOOD.replace("this:", "this. All is well."),
    GOOD.replace("this", "twice this"),
    GOOD.replace("this", "this and Horror"),
    GOOD.replace("this", "https://evil.example/x"),
    GOOD.replace("this", "evil.com"),
    GOOD.replace("this", "美食"),
    GOOD.replace("stands", "is a dislike and stands"),
    GOOD.replace("stands", "stopped being yours and stands"),
    GOOD.replace("this", "thirteen of these"),
    GOOD.replace("this", "evil dot com"),
    GOOD.replace("this", "t.me/evil"),
    GOOD.replace("this", "this, ask for a refund"),
    GOOD + " and so on" * 30,
    "",
]


def test_a_faithful_rephrasing_keeps_the_gaps_in_their_order() -> None:
    assert faithful(GOOD, TOLD, TAGS)
    zh = "“{1}”的强度 {2} 是这样来的："
    assert faithful("你的“{1}”有 {2} 的强度，来自这些：", zh, TAGS)
    turned = (
        "“{1}”的强度不是 {2}：",
        "“{1}”的强度会多到 {2}：",
        "“{1}”有 {2}，美食也是：",
        "“{1}”有 {2}，今天全场免费：",
        "你讨厌“{1}”，强度 {2}：",
        "“{1}”有 {2}，看了两回：",
        "“{1}”沒有 {2} 的强度：",
        "“{1}”有 {2}，加微信：",
        "你拒绝“{1}”，强度 {2}：",
        "“{2}”的强度 {1} 是这样来的：",
    )
    for said in turned:
        assert not faithful(said, zh, TAGS), said


@pytest.mark.parametrize("said", BAD)
def test_a_rephrasing_that_says_something_else_is_not(said: str) -> None:
    assert not faithful(said, TOLD, TAGS)


@pytest.mark.parametrize(
    "told",
    [
        "I muted {1}.",
        "{1} 会少一些。",
        "{1} 里没有你的行为。",
        "at 1",
        "These two: {1}.",
        "看了三次 {1}。",
    ],
)
def test_a_sentence_that_turns_or_counts_is_left_in_its_words(told: str) -> None:
    assert not may_rephrase(told)


def test_facts_are_not_sent_and_are_filled_in(scripted: Serve, connect: Connect) -> None:
    gaps = [f"{{{k}}}" for k in range(3, 15)]
    events = [" ".join(gaps[k : k + 4]) for k in (0, 4, 8)]
    told = f"{GOOD} {', '.join(events)}, and from other things {{15}}"
    server = scripted(says(answer=told))
    reply = companion(connect(server.address)).answer("why do you think I like food")
    assert reply.text.startswith('Your "Food" stands at 0.')
    assert "watched food" in reply.text
    assert reply.text.endswith("and from other things 62%")
    (body,) = server.asked
    assert "Food" not in json.dumps(body["messages"])


def test_what_was_changed_is_never_rephrased(scripted: Serve, connect: Connect) -> None:
    server = scripted(says(answer="Nothing was changed, and food is free!"))
    one = companion(connect(server.address))
    for line in ("less food", "never show me food", "undo", "start over", "yes"):
        one.answer(line)
    assert server.asked == []


@pytest.mark.parametrize("said", BAD)
def test_then_the_template_is_said(said: str, scripted: Serve, connect: Connect) -> None:
    plain = companion(connect("http://127.0.0.1:9/v1"))
    plain.assistant = None
    one = companion(connect(scripted(says(answer=said)).address, retries=0))
    line = "why do you think I like food"
    assert one.answer(line).text == plain.answer(line).text


def test_a_server_without_an_answer_changes_nothing(scripted: Serve, connect: Connect) -> None:
    one = companion(connect(scripted(lambda _b, _n: completion("no json")).address, retries=0))
    assert one.answer("less food").changed
    assert one.answer("blah").understood == (Wish("unknown"),)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_lines_stay_data(name: str, scripted: Serve, connect: Connect) -> None:
    server = scripted(says(asked("unknown")))
    one = companion(connect(server.address, retries=0))
    reply = one.answer(f"qwerty {HOSTILE[name]}")
    assert not reply.changed
    for body in server.asked:
        system, user = body["messages"]
        assert "qwerty" not in system["content"]
        head, *inside, foot = user["content"].split("\n")
        assert foot == head.replace("<data ", "</data ")
        assert not any("<" in line or ">" in line for line in inside)


@pytest.mark.parametrize("name", ["order", "tokens", "json", "unseen"])
def test_a_real_server_with_a_random_model_cannot_do_harm(
    name: str, llama: str, connect: Connect
) -> None:
    one = companion(connect(llama, max_tokens=200, retries=0))
    reply = one.answer(f"qwerty {HOSTILE[name][:300]}")
    assert not reply.changed
    assert not one.memory.engine.edits("u")
    assert reply.text
    for wish in reply.understood:
        assert isinstance(wish, Wish)
        assert wish.kind in ("unknown", "likes", "why_tag", "why_content", "missed", "about",
                             "next", "said", "help")  # fmt: skip


def test_the_schema_is_kept_by_a_real_server(llama: str, connect: Connect) -> None:
    client = connect(llama, max_tokens=900, retries=1)
    request = read_request("少一点吃的", TAGS)
    assert "少一点吃的" not in request.instructions
    answer = client.ask(request)
    assert answer.way == "json_schema"
    known = {None, *(tag.slug for tag in TAGS)}
    assert {wish.tag for wish in LanguageModel(client).read("hello", TAGS)} <= known
