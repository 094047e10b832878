"""``tagcf evaluate``: figures for a workspace, and words for what cannot be evaluated."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]
SETTINGS = """
[outcomes.click]
column = "click"
[design]
author = "author"
segments = ["city"]
"""


def rows(n_users: int = 60, n_items: int = 25, seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    lines = ["user_id,item_id,ts,click"]
    for user in range(n_users):
        for step in range(rng.integers(4, 10)):
            item = int(n_items * rng.random() ** 2)
            lines.append(f"u{user},i{item},{1000 * step + user},{int(rng.random() < 0.8)}")
    return "\n".join(lines)


@pytest.fixture
def platform(workspace: Callable[..., Path]) -> Path:
    return workspace(
        settings=SETTINGS,
        impressions=rows(),
        items="item_id,author\n" + "\n".join(f"i{k},a{k % 5}" for k in range(25)),
        users="user_id,city\n"
        + "\n".join(f"u{k},{'north' if k % 2 else 'south'}" for k in range(60)),
        item_tags="item_id,tag\n" + "\n".join(f"i{k},cats" for k in range(0, 25, 2)),
    )


def test_json(run: Run, platform: Path) -> None:
    done = run("evaluate", platform, "--models", "popularity,co-visitation", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["split"] == "leave-one-out"
    assert [row["model"] for row in told["models"]] == ["popularity", "co-visitation"]
    assert all(0 <= row["ndcg@10"] <= 1 for row in told["models"])
    assert {row["slice"] for row in told["slices"]} >= {"history", "author size", "city"}
    assert told["models"][0]["diversity@10"] is not None


def test_time_split(run: Run, platform: Path) -> None:
    done = run("evaluate", platform, "--split", "time", "--models", "recent-popularity", "--json")
    told = json.loads(done.stdout)
    assert told["split"] == "time"
    assert told["protocol"]["n_users"] + told["protocol"]["n_new_users"] > 0


def test_table_into_a_pipe(run: Run, platform: Path) -> None:
    done = run("evaluate", platform, "--models", "popularity,ease", "--slices")
    head, first, *_ = done.stdout.splitlines()
    assert head.split("\t")[:3] == ["model", "NDCG@10", "gap to the best"]
    assert first.split("\t")[2] == "—"
    assert "small authors" in done.stdout
    zh = run("evaluate", platform, "--models", "popularity", "--slices", "--lang", "zh")
    assert "小作者" in zh.stdout
    assert "留一法" in zh.stderr


def test_by_default_the_quick_models_are_run(run: Run, platform: Path) -> None:
    done = run("evaluate", platform, "--json")
    assert done.returncode == 0, done.stderr
    names = {row["model"] for row in json.loads(done.stdout)["models"]}
    quick = {"popularity", "recent-popularity", "item-knn", "co-visitation", "ease", "ease-recency"}
    assert quick <= names
    assert "sasrec" not in names
    assert "--models all" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--models", "popularty"), 2, "Did you mean: popularity"),
        (("--models", " , "), 2, "names no model"),
        (("--split", "random"), 2, "leave-one-out"),
    ],
)
def test_wrong_usage(
    run: Run, platform: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = run("evaluate", platform, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("impressions", "message"),
    [
        ("user_id,item_id,ts,click\nu1,i1,1,0\nu2,i2,2,0", "None of 2 impressions"),
        ("user_id,item_id,ts,click\nu1,i1,1,1\nu1,i2,2,1", "none has 3 positive events"),
    ],
)
def test_logs_that_cannot_be_evaluated(
    run: Run, workspace: Callable[..., Path], impressions: str, message: str
) -> None:
    folder = workspace(settings='[outcomes.click]\ncolumn = "click"\n', impressions=impressions)
    done = run("evaluate", folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_one_user(run: Run, workspace: Callable[..., Path]) -> None:
    lines = "\n".join(f"u1,i{k},{k},1" for k in range(6))
    folder = workspace(
        settings='[outcomes.click]\ncolumn = "click"\n',
        impressions="user_id,item_id,ts,click\n" + lines,
    )
    done = run("evaluate", folder, "--models", "popularity,ease", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["paired"][0]["ci_low"] is None
    assert run("evaluate", folder, "--models", "popularity").returncode == 0


@pytest.mark.parametrize("verb", ["evaluate", "train"])
def test_broken_tags_are_not_called_absent(run: Run, platform: Path, verb: str) -> None:
    """As other verbs do; without a table of tags at all there is a word and a result."""
    (platform / "item_tags.csv").unlink()
    (platform / "out").mkdir()
    (platform / "out" / "item_tags.parquet").write_bytes(b"PAR1 and no more")
    done = run(verb, platform)
    assert (done.returncode, done.stdout) == (1, "")
    assert "item_tags.parquet cannot be read" in done.stderr
    assert "no item tags" not in done.stderr
