"""``tagcf tag`` with a language model: its tags, a student of them, free names, and the tree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from llm_servers import Answerer, Reply, Scripted, completion

Run = Callable[..., Any]
TOPICS = ("带狗狗去露营", "橘猫晒太阳", "红烧肉的家常做法", "五杀翻盘团战", "考研英语词汇")
ITEMS = 250
TAGS = ("dogs", "cats", "home-cooking", "moba-games", "exam-prep")


def teacher(body: dict[str, Any], _number: int) -> Reply:
    """Say of each text what it is about, of what is offered; names, if these are asked for."""
    said = json.dumps(body["messages"], ensure_ascii=False)
    shape = body["response_format"]["json_schema"]["schema"]["properties"]
    topic = next((k for k, text in enumerate(TOPICS) if text in said), 0)
    scores = {"strength": 9, "confidence": 8, "reason": "it says so"}
    if "topics" in shape:
        name = {"name": f"{TOPICS[topic][-2:]}周末"} | scores
        named = [name] if "周末" in said else []
        role = {"name": ("养狗人", "铲屎官", "家庭主厨", "电竞玩家", "考研党")[topic]} | scores
        return completion(json.dumps({"topics": named, "roles": [role]}, ensure_ascii=False))
    offered = shape["tags"]["items"]["properties"]["tag"]["enum"]
    tags = [{"tag": TAGS[topic]} | scores] if TAGS[topic] in offered else []
    return completion(json.dumps({"tags": tags}, ensure_ascii=False))


@pytest.fixture
def channel(tmp_path: Path, scripted: Callable[[Answerer], Scripted]) -> tuple[Path, Scripted]:
    """A workspace of 250 titles whose language model is a server of ours."""
    server = scripted(teacher)
    settings = (
        f'[content]\ntext = ["title"]\n[llm]\nbase_url = "{server.address}"\nmodel = "tiny"\n'
    )
    (tmp_path / "tagcf.toml").write_text(settings, "utf-8")
    when, where = ("周末", "雨天"), ("客厅", "阳台", "公园", "老家", "学校")
    rows = [
        f"{k},第{k}期 {when[k // 5 % 2]} {where[k // 10 % 5]} {TOPICS[k % 5]}" for k in range(ITEMS)
    ]
    (tmp_path / "items.csv").write_text("\n".join(["item_id,title", *rows]) + "\n", "utf-8")
    return tmp_path, server


def test_a_model_is_asked_once_and_a_student_learns_from_it(
    channel: tuple[Path, Scripted], checked: Run
) -> None:
    folder, server = channel
    told = json.loads(checked("tag", folder, "--using", "llm", "--json").stdout)
    assert (told["llm"]["items"], told["llm"]["failed"]) == (ITEMS, 0)
    asked = len(server.asked)
    assert asked == told["llm"]["calls"] >= ITEMS
    assert {one["source"] for one in told["sources"]} == {"text", "llm:tiny"}
    again = json.loads(checked("tag", folder, "--using", "llm", "--json").stdout)
    assert again["llm"]["cached"] == ITEMS
    assert len(server.asked) == asked  # the journal answers
    shown = json.loads(checked("tag", folder, "--show", "1", "--json").stdout)
    cats = next(one for one in shown["tags"] if one["tag"] == "cats")
    assert "it says so" in [one["quote"] for one in cats["evidence"]]
    learned = json.loads(checked("tag", folder, "--learn-student", "--json").stdout)
    assert learned["teacher"] == "tiny"
    assert learned["agreement"]["f1"] > 0.8
    by_student = json.loads(checked("tag", folder, "--using", "student", "--json").stdout)
    assert by_student["encoders"] == ["student:tiny"]
    assert {"cats", "home-cooking"} <= {one["tag"] for one in by_student["tags"]}
    assert len(server.asked) == asked
    said = checked("tag", folder, "--learn-student")
    assert "agreement with the teacher" in said.stderr


def test_free_names_are_reduced_and_become_proposals_and_a_version(
    channel: tuple[Path, Scripted], checked: Run
) -> None:
    folder, _ = channel
    told = json.loads(checked("tag", folder, "--extract", "--json").stdout)
    assert told["topics"]["coverage"] > 0.9
    assert {one["name"] for one in told["roles"]["names"]} & {"电竞玩家", "考研党"}
    table = pl.read_parquet(folder / "out" / "free_tags.parquet")
    assert set(table["kind"]) == {"topic", "role"}
    before = json.loads(checked("tag", folder, "--using", "lexicon", "--json").stdout)
    made = json.loads(checked("tag", folder, "--propose", "--json").stdout)
    subs = [one for one in made["proposals"] if one["kind"] == "sub_tag"]
    assert subs
    path = Path(made["output"])
    content = path.read_text("utf-8")
    place = content.index(f'id = "{subs[0]["id"]}"')
    accepted = content[:place] + content[place:].replace('"open"', '"accept"', 1)
    path.write_text(accepted, "utf-8")
    done = json.loads(checked("tag", folder, "--accept", "--json").stdout)
    assert (done["accepted"], done["already"]) == (1, 0)
    assert done["version"] != before["vocabulary"]
    once_more = json.loads(checked("tag", folder, "--accept", "--json").stdout)
    assert (once_more["accepted"], once_more["already"]) == (0, 1)
    after = json.loads(checked("tag", folder, "--using", "lexicon", "--json").stdout)
    assert after["vocabulary"] == done["version"]
    path.write_text(content.replace('status = "open"', 'status = "perhaps"', 1), "utf-8")
    refused = checked("tag", folder, "--accept", code=1)
    assert "perhaps" in refused.stderr


def test_without_a_server_the_message_says_what_to_set(tmp_path: Path, checked: Run) -> None:
    (tmp_path / "tagcf.toml").write_text('[content]\ntext = ["title"]\n', "utf-8")
    (tmp_path / "items.csv").write_text("item_id,title\n1,dogs\n", "utf-8")
    refused = checked("tag", tmp_path, "--using", "llm", code=2)
    assert "base_url" in refused.stderr
    nothing = checked("tag", tmp_path, "--learn-student", code=1)
    assert "--using llm" in nothing.stderr
    two = checked("tag", tmp_path, "--extract", "--roles", code=2)
    assert "Only one of" in two.stderr
