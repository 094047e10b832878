"""Each sector runs to its report: simulate → effects → whatif → report, as people type them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from tagcf.data.simulate.sector import SECTORS, Sector, read_sector, sector_tags
from tagcf.data.workspace import open_workspace
from tagcf.effects.store import read_effects
from tagcf.text import choose_language
from tagcf.types import Effect
from tagcf.views.labels import outcome_label

Run = Callable[..., object]
TAGS = 13  # of education and health one of these is not in the vocabulary
SIZE = ["--users", "120", "--items", "150", "--tags", TAGS, "--days", "21", "--seed", "1"]


class _Texts(HTMLParser):
    """The words of a page that a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.seen.append(" ".join(data.split()))


def texts_of(page: str) -> list[str]:
    reader = _Texts()
    reader.feed(page)
    return reader.seen


@pytest.fixture(params=SECTORS)
def sector(request: pytest.FixtureRequest) -> Sector:
    return read_sector(request.param)


def test_a_sector_runs_to_its_report(
    sector: Sector, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGCF_TAGS__MIN_ITEMS", "15")  # else so small a catalogue is all refusals
    folder, tags = tmp_path / sector.name, sector_tags(sector, TAGS)
    slugs = {tag.slug for tag in tags}
    done = run("simulate", folder, "--sector", sector.name, *SIZE)
    assert done.returncode == 0, done.stderr

    done = run("effects", folder, "--lang", "zh")
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    assert {row[0] for row in rows} == {tag.zh for tag in tags}
    assert {row[1] for row in rows} == set(sector.outcomes)
    effects = read_effects(open_workspace(folder)).effects
    named = {tag.slug: (tag.zh, tag.en) for tag in tags}
    assert {one.tag: (one.tag_zh, one.tag_en) for one in effects} == named
    claimed = [
        one
        for one in effects
        if one.verdict in ("raises", "lowers")
        and (one.method, one.estimand, one.segment) == ("joint", "direct", None)
    ]
    assert claimed

    check_what_if(folder, tags[0].zh, claimed[0], run)

    for language, claim in (("zh", "模拟"), ("en", "imulated")):
        choose_language(language)
        done = run("report", folder, "--lang", language, "--output", folder / f"{language}.html")
        assert done.returncode == 0, done.stderr
        assert claim in done.stderr
        page = (folder / f"{language}.html").read_text("utf-8")
        seen = texts_of(page)
        assert any(claim in text for text in seen[:20])  # where the page begins
        for outcome in sector.outcomes:
            assert any(outcome_label(outcome) in text for text in seen), outcome
        shown = {tag.zh if language == "zh" else tag.en for tag in tags}
        assert shown <= set(seen)
        slugs_shown = slugs - {tag.en for tag in tags}
        assert not slugs_shown & set(seen)
    choose_language(None)


def check_what_if(folder: Path, name: str, claimed: Effect, run: Run) -> None:
    """One what-if of an item that carries a claimed tag; tags by their zh names."""
    pairs = pl.read_csv(folder / "item_tags.csv").filter(pl.col("tag") == claimed.tag)
    item, outcome = pairs["item_id"][0], claimed.outcome
    asked = ("whatif", folder, "--item", item, "--without", claimed.tag_zh, "--outcome", outcome)
    done = run(*asked, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [one["tag"] for one in answer["contributions"]] in ([claimed.tag], [])
    done = run(*asked, "--lang", "zh")
    assert done.returncode == 0
    assert claimed.tag_zh in done.stdout
    assert "模拟" in done.stdout + done.stderr
    assert not re.search(rf"(?<![\w-]){claimed.tag}(?![\w-])", done.stdout)
    done = run("whatif", folder, "--item", item, "--with", f"{name}{name}")
    assert done.returncode == 2
    assert name in done.stderr  # did you mean


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_outcome_of_every_sector_has_a_name(language: str) -> None:
    choose_language(language)  # type: ignore[arg-type]  # of the two
    for name in SECTORS:
        one = read_sector(name)
        for outcome in one.outcomes:
            label = outcome_label(outcome)
            assert label
            if language == "zh":
                assert re.search("[\u4e00-\u9fff]", label), outcome
            else:
                assert "_" not in label, outcome
    choose_language(None)
