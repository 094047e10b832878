"""What is asked of a model, and what its answers become."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from llm_servers import Reply, completion

from tagcf.errors import ServerError
from tagcf.settings import LLMSettings
from tagcf.tags.evidence import Content, Evidence, Found
from tagcf.tags.journal import Journal
from tagcf.tags.llm.batch import ANSWERS as FILE
from tagcf.tags.llm.candidates import candidates_of
from tagcf.tags.llm.client import Client
from tagcf.tags.llm.closed import ClosedTags
from tagcf.tags.llm.free import Extraction, FreeTag, FreeTags
from tagcf.tags.llm.narrative import Beat, EmotionalNarrative, Line
from tagcf.tags.llm.server import server_of
from tagcf.tags.llm.task import LLMEncoder, ask_about


def saying(**lists):
    return lambda body, number: completion(json.dumps(lists, ensure_ascii=False))


@contextmanager
def tagger_of(settings, out):
    with Client(server_of(settings)) as client, Journal(out / FILE) as journal:
        yield LLMEncoder(client, ClosedTags(frames=settings.frames), journal)


def slugs_offered(body):
    shape = body["response_format"]["json_schema"]["schema"]["properties"]["tags"]
    return shape["items"]["properties"]["tag"]["enum"]


@pytest.fixture
def video(tmp_path):
    """Six seconds: red, then blue."""
    av = pytest.importorskip("av")
    path = tmp_path / "colours.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(60):
            picture = np.zeros((48, 64, 3), np.uint8)
            picture[:, :, 0 if k < 30 else 2] = 220
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                file.mux(packet)
        for packet in stream.encode(None):
            file.mux(packet)
    return path


def test_candidates_are_bounded_and_begin_with_words_found(vocabulary):
    texts = ["小狗和猫咪一起去露营", "", "a quiet song about home"]
    for found, text in zip(candidates_of(texts, vocabulary, 12), texts, strict=True):
        assert len({tag.slug for tag in found}) == len(found) == 12
        if "露营" in text:
            assert {"dogs", "cats", "camping"} <= {tag.slug for tag in found[:6]}
    empty = candidates_of(["", "\ud800"], vocabulary, 16)
    assert empty[0] == empty[1]
    assert len({tag.facet for tag in empty[0]}) == 8
    assert len(candidates_of(["x"], vocabulary, 10_000)[0]) == len(vocabulary)


def test_closed_tags_become_found_tags_with_a_reason(scripted, connect, vocabulary):
    server = scripted(
        saying(
            tags=[
                {"tag": "dogs", "reason": "小狗", "strength": 4, "confidence": 9},
                {"tag": "camping", "reason": "去露营", "strength": 10, "confidence": 8},
                {"tag": "dogs", "reason": "又是小狗", "strength": 7, "confidence": 9},
            ]
        )
    )
    encoder = LLMEncoder(connect(server.address, model="qwen3"), ClosedTags(k=12))
    reading = encoder.encode(Content("a", "小狗去露营"), vocabulary)
    assert reading.missing == ()
    assert reading.found == (
        Found("dogs", 0.7, 0.9, "llm:qwen3", Evidence("又是小狗")),
        Found("camping", 1.0, 0.8, "llm:qwen3", Evidence("去露营")),
    )
    assert len(slugs_offered(server.asked[0])) == 12
    assert "dogs: 狗狗 / Dogs" in server.asked[0]["messages"][0]["content"]
    assert "小狗去露营" not in server.asked[0]["messages"][0]["content"]


def test_many_items_in_order_with_those_that_have_nothing(scripted, connect, vocabulary):
    server = scripted(saying(tags=[{"tag": "dogs", "reason": "x", "strength": 5, "confidence": 5}]))
    encoder = LLMEncoder(connect(server.address), ClosedTags(k=8))
    texts = ["", "dog 1", "", "dog 2", "dog 3", ""]
    told = []
    contents = (Content(str(k), text) for k, text in enumerate(texts))
    readings = list(encoder.encode_all(contents, vocabulary, told.append))
    assert [len(one.found) for one in readings] == [0, 1, 0, 1, 1, 0]
    assert [len(one.missing) for one in readings] == [1, 0, 1, 0, 0, 1]
    assert [one.done for one in told] == [1, 2, 3, 4, 5, 6]
    assert encoder.client.account.items == 3


def test_pictures_of_a_video_are_evidence_with_their_second(scripted, connect, vocabulary, video):
    from tagcf.tags.media.opened import Media

    server = scripted(
        saying(
            tags=[
                {
                    "tag": "dogs",
                    "reason": "red",
                    "strength": 5,
                    "confidence": 5,
                    "picture": 1,
                },
                {"tag": "cats", "reason": "word", "strength": 5, "confidence": 5, "picture": 0},
                {"tag": "camping", "reason": "x", "strength": 5, "confidence": 5, "picture": 3},
            ]
        )
    )
    encoder = LLMEncoder(connect(server.address), ClosedTags(k=12, frames=2))
    with Media(video) as media:
        reading = encoder.encode(Content("a", "dog cat camping", media), vocabulary)
    assert [one.tag for one in reading.found] == ["dogs", "cats"]
    first, words = (one.evidence for one in reading.found)
    assert first.start_s == first.end_s == pytest.approx(1.5, abs=0.11)
    assert words == Evidence("word")
    parts = server.asked[0]["messages"][1]["content"]
    assert [part["type"] for part in parts] == ["text", *["text", "image_url"] * 2]
    assert parts[2]["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")


def test_pictures_the_model_did_not_see_are_no_evidence(scripted, connect, vocabulary, video):

    from tagcf.tags.media.opened import Media

    def blind(body, number):
        if isinstance(body["messages"][1]["content"], list):
            return Reply(400, {"error": "this model does not support image input"})
        entry = {"tag": "dogs", "reason": "x", "strength": 5, "confidence": 5, "picture": 2}
        return completion(json.dumps({"tags": [entry]}))

    encoder = LLMEncoder(connect(scripted(blind).address), ClosedTags(k=8, frames=2))
    with Media(video) as media:
        reading = encoder.encode(Content("a", "dog", media), vocabulary)
    assert reading.found[0].evidence == Evidence("x")
    assert [one.reason.key for one in reading.missing] == ["llm.not_seen"]
    assert "saw no picture of this item (there are 2;" in str(reading.missing[0].reason)


def test_a_broken_video_is_said_and_the_words_are_read(scripted, connect, vocabulary, tmp_path):
    from tagcf.tags.media.opened import Media

    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all" * 100)
    server = scripted(saying(tags=[{"tag": "dogs", "reason": "x", "strength": 5, "confidence": 5}]))
    encoder = LLMEncoder(connect(server.address), ClosedTags(k=8, frames=2))
    reading = encoder.encode(Content("a", "dog", Media(broken)), vocabulary)
    assert [one.tag for one in reading.found] == ["dogs"]
    assert [one.reason.key for one in reading.missing] == ["media.no_media"]
    assert "broken.mp4" in str(reading.missing[0].reason)


def test_text_cut_for_the_model_is_said(scripted, connect, vocabulary):
    server = scripted(saying(tags=[]))
    encoder = LLMEncoder(connect(server.address), ClosedTags(k=8))
    reading = encoder.encode(Content("a", "狗" * 9000), vocabulary)
    assert str(reading.missing[0].reason) == (
        "The text is too long: the model saw 6000 of 9000 characters."
    )


def test_free_names_are_topics_and_roles(scripted, connect, vocabulary):
    one = {"reason": "因为", "strength": 6, "confidence": 7}
    server = scripted(
        saying(
            topics=[
                one | {"name": "#狗狗"},
                one | {"name": "外婆的拿手戏"},
                one | {"name": "狗狗 "},
            ],
            roles=[one | {"name": "新手爸爸"}],
        )
    )
    task = FreeTags("zh")
    (told,) = ask_about(connect(server.address), task, [Content("a", "回家")], vocabulary)
    assert told.value == Extraction(
        topics=(FreeTag("狗狗", 0.6, 0.7, "因为"), FreeTag("外婆的拿手戏", 0.6, 0.7, "因为")),
        roles=(FreeTag("新手爸爸", 0.6, 0.7, "因为"),),
    )
    assert task.found(told.value, vocabulary, "llm:tiny") == (
        Found("dogs", 0.6, 0.7, "llm:tiny", Evidence("因为")),
    )
    assert "in Chinese" in server.asked[0]["messages"][0]["content"]


def test_a_narrative_takes_its_seconds_from_the_lines(scripted, connect, vocabulary):
    one = {"part": "turn", "reason": "哭了", "strength": 9, "confidence": 6}
    server = scripted(
        saying(
            beats=[
                one | {"at": 2, "emotion": "sadness"},
                one | {"at": 1, "emotion": "warmth"},
                one | {"at": 2, "emotion": "sadness", "strength": 1},
                one | {"at": 3, "emotion": "warmth"},
            ]
        )
    )
    lines = [Line(1.0, 2.5, "到家了"), Line(7.0, 9.0, "妈妈哭了 </data>")]
    task = EmotionalNarrative(lambda content: lines)
    (told,) = ask_about(connect(server.address), task, [Content("a", "回家")], vocabulary)
    assert told.value.beats == (
        Beat(1.0, 2.5, "warmth", "turn", 0.9, 0.6, "哭了"),
        Beat(7.0, 9.0, "sadness", "turn", 0.9, 0.6, "哭了"),
    )
    found = task.found(told.value, vocabulary, "llm:tiny")
    assert found[1] == Found("sadness", 0.9, 0.6, "llm:tiny", Evidence("哭了", 7.0, 9.0))
    assert "line 2 at 7.0 s:\n妈妈哭了 &lt;/data&gt;" in server.asked[0]["messages"][1]["content"]


def test_a_narrative_of_pictures_and_many_lines(scripted, connect, vocabulary, video):
    from tagcf.tags.media.opened import Media

    one = {"part": "climax", "reason": "", "strength": 9, "confidence": 6, "emotion": "warmth"}
    server = scripted(saying(beats=[one | {"at": 122}, one | {"at": 120}, one | {"at": 123}]))
    lines = [Line(k / 100, k / 100 + 1, f"line {k}") for k in range(300)]
    task = EmotionalNarrative(lambda content: lines, frames=2)
    with Media(video) as media:
        content = Content("a", "", media)
        (told,) = ask_about(connect(server.address), task, [content], vocabulary)
    assert [round(beat.start_s, 1) for beat in told.value.beats] == [3.0, 4.5]
    schema = server.asked[0]["response_format"]["json_schema"]["schema"]
    at = schema["properties"]["beats"]["items"]["properties"]["at"]
    assert at == {"type": "integer", "enum": list(range(1, 123))}


def test_the_tagger_of_the_settings_keeps_its_journal_in_out(scripted, vocabulary, tmp_path):
    server = scripted(saying(tags=[{"tag": "dogs", "reason": "x", "strength": 5, "confidence": 5}]))
    settings = LLMSettings(
        base_url=server.address, model="m", price_in=1.0, price_out=2.0, concurrency=2
    )
    contents = [Content(str(k), f"dog {k}") for k in range(5)]
    for calls in (5, 0):
        with tagger_of(settings, tmp_path / "out") as tagger:
            readings = list(tagger.encode_all(contents, vocabulary))
            account = tagger.client.account
        assert [one.tag for reading in readings for one in reading.found] == ["dogs"] * 5
        assert (account.items, account.calls) == (5, calls)
        assert account.cost == pytest.approx(calls * (10 + 2 * 5) / 1e6)
    assert (tmp_path / "out" / FILE).is_file()


def test_a_key_is_in_no_file(scripted, vocabulary, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "sk-0123456789")
    server = scripted(lambda body, number: completion("I was told sk-0123456789"))
    settings = LLMSettings(base_url=server.address, model="m", api_key_env="SECRET_KEY", retries=0)
    with tagger_of(settings, tmp_path) as tagger:
        reading = tagger.encode(Content("a", "dog"), vocabulary)
    assert reading.missing[0].reason.key == "llm.no_json"
    assert server.headers[0]["Authorization"] == "Bearer sk-0123456789"
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"I was told ***" in written
    assert b"0123456789" not in written
    assert "0123456789" not in str(reading)


def test_an_encoder_raises_only_what_concerns_every_item(connect, vocabulary):
    encoder = LLMEncoder(connect("http://127.0.0.1:9/v1"), ClosedTags())
    with pytest.raises(ServerError, match="cannot be reached"):
        encoder.encode(Content("a", "dog"), vocabulary)


def test_without_httpx_the_extra_is_named():
    code = (
        "import sys; sys.modules['httpx'] = None; import tagcf\n"
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'httpx' else real(name, *rest)\n"
        "from tagcf.tags.llm.client import Client; from tagcf.tags.llm.server import Server\n"
        "from tagcf.errors import MissingExtraError\n"
        "try: Client(Server('http://x/v1', 'm'))\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'tagcf[llm]'" in done.stdout


def test_importing_the_tagger_loads_no_httpx():
    code = "import sys, tagcf, tagcf.tags.llm.task; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
