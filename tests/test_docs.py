"""The documentation: generated parts up to date, links that lead somewhere, commands that exist."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

from tagcf.cli import VERBS, main, tagcf
from tagcf.data.simulate import Platform, simulate, write_world
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint, Matching, Naive, TwoStage
from tagcf.effects.task import Question
from tagcf.settings import OutcomeSettings, Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def commands(page: Path) -> Iterator[str]:
    """Lines of console blocks, without prompt and comment."""
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text("utf-8"), re.S | re.M):
        for line in block.splitlines():
            assert line.startswith("$ "), f"{page.name}: {line}"
            yield from (part.split(" #")[0].strip() for part in line[2:].split("&&"))


def test_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"run: make docs\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        target, _, anchor = "".join(link).partition("#")
        assert "://" not in target, f"a link that needs a network: {target}"
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for line in commands(page):
        program, *words = shlex.split(line)
        if program == "make":
            assert set(words) <= targets, line
        elif program == "tagcf":
            verb, *rest = words
            assert verb in VERBS, line
            command = tagcf.get_command(click.Context(tagcf), verb)
            if isinstance(command, click.Group):
                verb, *rest = rest
                command = command.get_command(click.Context(command), verb)
            assert command is not None
            rest = list(takewhile(lambda word: word not in {"<", ">"}, rest))
            parser = command.make_parser(click.Context(command))
            _, left, _ = parser.parse_args(rest)  # raises on an option that does not exist
            assert not left, line


@pytest.fixture(scope="module")
def beside_the_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small `demo` in it: the demo's tags, the users and items that pages name."""
    beside = tmp_path_factory.mktemp("pages")
    world = simulate(Platform(users=150, items=600, tags=32, days=14))
    write_world(world, beside / "demo")
    for command in (["effects", "demo", "--json"], ["train", "demo", "--no-search", "--json"]):
        run_in(beside, command)
    return beside


def run_in(folder: Path, command: list[str]) -> None:
    with contextlib.chdir(folder), pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code in (0, None), command


ON_THE_DEMO = sorted(
    {
        line
        for page in PAGES
        for line in commands(page)
        if re.match(r"tagcf (recommend|explain) demo\b", line)
    }
)


@pytest.mark.parametrize("line", ON_THE_DEMO)
def test_lists_of_the_pages_can_be_made_on_the_demo(beside_the_demo: Path, line: str) -> None:
    run_in(beside_the_demo, shlex.split(line)[1:])


def test_python_of_the_page_on_lists_runs(beside_the_demo: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "recommend.md").read_text("utf-8")
    (lines,) = re.findall(r"^```python\n(.*?)^```", page, re.S | re.M)
    shutil.copytree(beside_the_demo / "demo", tmp_path / "demo")
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model").is_dir()


def test_the_pages_make_lists() -> None:
    assert any("--boost" in line and "--block" in line for line in ON_THE_DEMO)
    assert any("explain" in line for line in ON_THE_DEMO)


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    missing = {page for page in pages - {"index.md"} if f"({page})" not in index}
    assert missing == set()


def test_every_verb_and_setting_is_documented() -> None:
    verbs = (ROOT / "docs" / "reference" / "verbs.md").read_text("utf-8")
    assert [verb for verb in VERBS if f"### {verb}\n" not in verbs] == []
    settings = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    keys = list(OutcomeSettings.model_fields)
    for name, field in Settings.model_fields.items():
        if name != "outcomes":
            keys += list(getattr(field.annotation, "model_fields", {name: None}))
    assert [key for key in keys if f"| `{key}` |" not in settings] == []


def test_every_diagnostic_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "effects-json.md").read_text("utf-8")
    world = simulate(Platform(users=200, items=200, tags=12, days=14))
    found: set[str] = set()
    for using in (Joint(), Matching(), TwoStage(), Naive()):
        question = Question(min_items=10)
        for effect in estimate_effects(world.log, world.tags, using, question).effects:
            found |= effect.diagnostics.keys()
    assert len(found) > 15
    assert {key for key in found if f"`{key}`" not in page} == set()


def test_help_lists_every_verb_and_each_answers() -> None:
    listing = tagcf.get_help(click.Context(tagcf, info_name="tagcf"))
    for verb in VERBS:
        assert re.search(rf"^  {verb} ", listing, re.M), verb
