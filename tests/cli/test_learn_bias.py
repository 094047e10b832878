"""`tagcf effects --learn-bias`, and the setting that it is for."""

import json
import re
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def randomised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests of four headlines; stories that like a tag are clicked more, tags do nothing."""
    random = np.random.default_rng(4)
    n, tags = 800, 14
    story = np.repeat(np.arange(n // 4), 4)
    leaning = random.normal(size=(n // 4, tags))[story]
    carried = leaning + random.normal(size=(n, tags)) > 0.5
    liked = leaning @ (0.05 * random.choice([-1.0, 1.0], tags))
    shown = random.integers(300, 500, n)
    clicks = random.binomial(shown, np.clip(0.4 + liked, 0.02, 0.98))
    folder = tmp_path_factory.mktemp("bias") / "tests"
    (folder / "out").mkdir(parents=True)
    impressions = [f"{i},s{story[i]},{clicks[i]},{shown[i]}" for i in range(n)]
    write(folder / "impressions.csv", ["item_id,story,clicks,shown", *impressions])
    write(folder / "items.csv", ["item_id,title", *(f"{i},item {i}" for i in range(n))])
    held = [f"{i},t{t},1" for i in range(n) for t in range(tags) if carried[i, t]]
    write(folder / "item_tags.csv", ["item_id,tag,strength", *held])
    settings = """
[data]
user = ""
time = ""
[outcomes.ctr]
column = "clicks"
kind = "count"
trials = "shown"
[design]
stratum = "story"
cluster = ["story"]
"""
    (folder / "tagcf.toml").write_text(settings, "utf-8")
    return folder


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", "utf-8")


def settings_of(folder: Path, text: str) -> None:
    (folder / "tagcf.toml").write_text(text, "utf-8")


@pytest.fixture
def observational(randomised: Path, tmp_path: Path) -> Path:
    """The same log, of which nobody knows that stories were tests."""
    folder = tmp_path / "observational"
    folder.mkdir()
    for name in ("impressions.csv", "items.csv", "item_tags.csv"):
        (folder / name).write_bytes((randomised / name).read_bytes())
    known = (randomised / "tagcf.toml").read_text("utf-8")
    settings_of(folder, known.replace('stratum = "story"\n', ""))
    return folder


def test_what_is_learned_can_be_pasted_and_widens(
    randomised: Path, observational: Path, run
) -> None:
    done = run("effects", randomised, "--learn-bias")
    assert done.returncode == 0, done.stderr
    assert not (randomised / "out" / "effects.parquet").exists()
    table = "[design.observational_bias]" + done.stdout.split("[design.observational_bias]")[1]
    learned = float(re.findall(r"ctr = ([0-9.]+)", table)[0])
    assert 0.015 < learned < 0.08
    plain = json.loads(run("effects", observational, "--using", "joint", "--json").stdout)
    known = (observational / "tagcf.toml").read_text("utf-8")
    settings_of(observational, known + "\n" + table)
    done = run("effects", observational, "--using", "joint", "--json")
    assert done.returncode == 0, done.stderr
    assert f"bias sd: ctr {learned:.3g}" in done.stderr
    claims = {"raises", "lowers"}
    rows = json.loads(done.stdout)["effects"]
    assert sum(row["verdict"] in claims for row in plain["effects"]) >= 8
    assert sum(row["verdict"] in claims for row in rows) <= 1
    assert {row["diagnostics"]["bias_sd"] for row in rows} == {learned}
    assert all(row["ci_low"] < 0 < row["ci_high"] for row in rows)
    # The strata need no such thing, and say so.
    known = (randomised / "tagcf.toml").read_text("utf-8")
    settings_of(randomised, known + "\n" + table)
    try:
        done = run("effects", randomised, "--using", "joint", "--lang", "zh")
    finally:
        settings_of(randomised, known)
    assert "用不上" in done.stderr


def test_json_names_what_it_rests_on(randomised: Path, run) -> None:
    done = run("effects", randomised, "--learn-bias", "--using", "matching", "--json")
    (row,) = json.loads(done.stdout)["learned_bias"]
    assert row["outcome"] == "ctr"
    assert row["rung"] == "observational"
    assert row["seen"] is True
    assert row["tags"] >= 10
    assert row["beyond_two_errors"] > 0.3 > row["beyond_with_bias"]


def test_report_says_what_was_allowed_for(observational: Path, run) -> None:
    known = (observational / "tagcf.toml").read_text("utf-8")
    settings_of(observational, known + "[design.observational_bias]\nctr = 0.021\n")
    assert run("effects", observational, "--using", "joint").returncode == 0
    done = run("report", observational)
    assert done.returncode == 0, done.stderr
    page = next((observational / "out").glob("*.html")).read_text("utf-8")
    assert "Unseen confounding" in page
    assert "2.1" in page.split("Unseen confounding")[1][:200]


@pytest.mark.parametrize(
    "options",
    [
        ["--doubt"],
        ["--pairs"],
        ["--tag", "t1"],
        ["--by", "a"],
        ["--estimand", "total"],
        ["--using", "iv"],
        ["--using", "naive"],
    ],
)
def test_options_that_do_not_go_with_it(randomised: Path, run, options: list[str]) -> None:
    done = run("effects", randomised, "--learn-bias", *options)
    assert done.returncode == 2
    assert "--learn-bias goes with" in done.stderr


def test_nothing_random(observational: Path, run) -> None:
    done = run("effects", observational, "--learn-bias")
    assert done.returncode == 1
    assert "neither strata" in done.stderr


def test_too_few_tags(randomised: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGCF_TAGS__MIN_ITEMS", "390")
    done = run("effects", randomised, "--learn-bias", "--strict")
    assert done.returncode == 3
    assert "ctr: not learned" in done.stderr


@pytest.mark.parametrize(
    ("value", "says"), [("{ctrr = 0.1}", "ctr"), ("{ctr = -0.1}", "0.0 or more")]
)
def test_wrong_settings(
    observational: Path, run, monkeypatch: pytest.MonkeyPatch, value: str, says: str
) -> None:
    monkeypatch.setenv("TAGCF_DESIGN__OBSERVATIONAL_BIAS", value)
    done = run("effects", observational)
    assert done.returncode == 2
    assert says in done.stderr
