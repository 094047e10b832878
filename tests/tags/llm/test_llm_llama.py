"""Against llama.cpp's own server with a random model: the protocol, never the quality of a tag."""

from __future__ import annotations

import json

import numpy as np
import pytest
from llm_requests import small_requests
from llm_servers import CONTEXT, png

from tagcf.errors import RefusedError
from tagcf.tags.evidence import Content
from tagcf.tags.journal import Journal
from tagcf.tags.llm.answer import read_object
from tagcf.tags.llm.batch import ask_all
from tagcf.tags.llm.closed import ClosedTags, closed_request
from tagcf.tags.llm.free import FreeTags
from tagcf.tags.llm.narrative import EmotionalNarrative, Line, narrative_request
from tagcf.tags.llm.request import Image
from tagcf.tags.llm.task import LLMEncoder, Seen, ask_about
from tagcf.tags.llm.ways import Dialect, Way
from tagcf.tags.vocabulary import default_vocabulary

TOKENS = 1200  # room for the longest answer that the schemas allow, byte by byte


def offered(vocabulary):
    return vocabulary.tags[:4]


def test_the_schema_is_enforced_by_the_server(llama, connect, vocabulary):
    client = connect(llama, max_tokens=TOKENS)
    request = closed_request("一只小狗在露营", offered(vocabulary))
    answer = client.ask(request)
    allowed = {tag.slug for tag in offered(vocabulary)}
    entries = read_object(answer.text, request.schema)["tags"]
    assert all(set(entry) == {"tag", "reason", "strength", "confidence"} for entry in entries)
    assert all(entry["tag"] in allowed for entry in entries)
    assert answer.way == "json_schema"
    assert answer.usage.tokens_in > 500
    assert 0 < answer.usage.tokens_out <= TOKENS
    assert client.dialect == Dialect(Way.SCHEMA, proven=True)


def test_the_other_ways_work_here_too(llama, connect, vocabulary):
    request = closed_request("小狗", offered(vocabulary))
    client = connect(llama, max_tokens=TOKENS)
    client.recall(Dialect(Way.OBJECT))
    assert client.ask(request).way == "json_object"


def test_a_random_model_without_constraint_says_no_json(llama, connect, vocabulary):
    client = connect(llama, max_tokens=64)
    client.recall(Dialect(Way.PROMPT, proven=True))
    with pytest.raises(RefusedError, match="gave no JSON"):
        client.ask(closed_request("小狗", offered(vocabulary)))


def test_models_are_listed(llama, connect):
    assert connect(llama).models()[0].endswith("model.gguf")


def test_a_prompt_beyond_the_context_is_shortened(llama, connect, vocabulary):
    client = connect(llama, max_tokens=TOKENS)
    request = closed_request("小狗露营" * 1400, offered(vocabulary))
    answer = client.ask(request)
    assert 0 < answer.characters < answer.of_characters == 5600
    assert client.account.calls >= 2
    assert answer.usage.tokens_in < CONTEXT


def test_a_prompt_that_is_ours_alone_and_too_long_is_refused(llama, connect):
    with pytest.raises(RefusedError, match=r"too long for the model.*n_ctx"):
        connect(llama).ask(closed_request("小狗", default_vocabulary().tags))


def seeing(picture, text="小狗"):
    tags = [Seen(1.5, Image("picture 1 at 1.5 s", picture, "image/png"))]
    return lambda vocabulary: closed_request(text, offered(vocabulary), tags)


PICTURE = png(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))


def test_pictures_are_seen(llama, connect, vocabulary):
    client = connect(llama, max_tokens=TOKENS)
    blind = client.ask(closed_request("小狗", offered(vocabulary)))
    answer = client.ask(seeing(PICTURE)(vocabulary))
    assert answer.images == 1
    assert answer.usage.tokens_in > blind.usage.tokens_in + 10


def test_a_broken_picture_is_left_out(llama, connect, vocabulary):
    answer = connect(llama, max_tokens=TOKENS).ask(seeing(b"no picture")(vocabulary))
    assert (answer.images, answer.of_images) == (0, 1)


def test_a_broken_picture_alone_is_refused(llama, connect, vocabulary):
    with pytest.raises(RefusedError, match="cannot read the pictures"):
        connect(llama).ask(seeing(PICTURE[:40], text="")(vocabulary))


def test_a_model_without_projector_is_asked_in_words(blind_llama, connect, vocabulary):
    client = connect(blind_llama, max_tokens=TOKENS)
    answer = client.ask(seeing(PICTURE)(vocabulary))
    assert (answer.images, answer.of_images) == (0, 1)
    assert not client.dialect.sees
    with pytest.raises(RefusedError, match="takes no images"):
        client.ask(seeing(PICTURE, text="")(vocabulary))


def test_many_at_once_and_again_from_the_journal(llama, connect, tmp_path):
    requests = small_requests()[:60]
    with Journal(tmp_path / "j") as journal:
        client = connect(llama, max_tokens=TOKENS, concurrency=8)
        first = list(ask_all(client, requests, journal))
        assert sum(one.answer is not None for one in first) >= 58  # random letters may run on
        again = connect(llama, max_tokens=TOKENS)
        second = list(ask_all(again, requests, journal))
    assert again.account.calls == sum(not one.cached for one in second) <= 2
    for one, other in zip(first, second, strict=True):
        if other.cached and one.answer is not None:
            assert other.answer == one.answer


def test_the_tasks_end_to_end(llama, connect, vocabulary):
    contents = [Content("a", "小狗去露营"), Content("b", "")]
    client = connect(llama, max_tokens=3000)

    free, nothing = ask_about(client, FreeTags("zh"), contents, vocabulary)
    assert nothing.value is None
    assert [one.reason.key for one in nothing.missing] == ["llm.nothing_to_read"]
    assert free.value is not None or free.missing

    emotions = [tag for tag in vocabulary.tags if tag.facet == "emotion"][:5]
    lines = [Line(1.0, 2.0, "我们到家了"), Line(5.0, 7.5, "妈妈哭了")]
    answer = client.ask(narrative_request("回家", lines, emotions))
    assert (
        json.loads(answer.text[answer.text.find("{") : answer.text.rfind("}") + 1])["beats"]
        is not None
    )

    reading = LLMEncoder(client, ClosedTags(k=4)).encode(contents[0], vocabulary)
    assert all(one.source == "llm:tiny" for one in reading.found)


def test_a_work_without_lines_and_pictures_has_no_narrative(llama, connect, vocabulary):
    encoder = LLMEncoder(connect(llama), EmotionalNarrative())
    reading = encoder.encode(Content("a", "标题"), vocabulary)
    assert [str(one.reason) for one in reading.missing] == [
        "There is no text and no picture to show to the model."
    ]
