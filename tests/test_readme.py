"""README: both languages in step, its Python lines run, its figures are those of the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))


def part(page: str, name: str) -> str:
    return page.partition(f"<!-- begin: {name} -->\n")[2].partition(f"<!-- end: {name} -->")[0]


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def figures(text: str) -> list[str]:
    """Sorted, because the languages order their words differently."""
    text = re.sub(r"\d+ (s|秒)$", "", text, flags=re.MULTILINE)  # how long it took
    return sorted(re.findall(r"[+−]?\d[\d,]*\.\d+|\b\d{2,}\b", text))


def test_headings_are_in_step() -> None:
    levels = [re.findall(r"^(#+) ", page, re.MULTILINE) for page in (ENGLISH, CHINESE)]
    assert levels[0] == levels[1]


def test_links_are_in_step() -> None:
    links = [sorted(set(re.findall(r"\]\(([^)]+)\)", page))) for page in (ENGLISH, CHINESE)]
    links = [[link for link in some if "README" not in link] for some in links]
    assert links[0] == links[1]


@pytest.mark.parametrize("name", ["python", "demo", "test", "upworthy", "coverage"])
def test_both_languages_show_the_same_figures(name: str) -> None:
    assert figures(part(ENGLISH, name)) == figures(part(CHINESE, name))
    assert len(figures(part(ENGLISH, name))) > 0


def test_commands_are_in_step() -> None:
    plain = [
        [
            line.split(" #")[0].strip()
            for block in fenced(page, "console")
            for line in block.splitlines()
        ]
        for page in (ENGLISH, CHINESE)
    ]
    assert plain[0] == plain[1]


def test_the_python_lines_print_what_is_shown(tmp_path: Path) -> None:
    shown = part(ENGLISH, "python")
    (lines,), (output,) = fenced(shown, "python"), fenced(shown, "text")
    assert len([line for line in lines.splitlines() if line]) <= 10
    done = subprocess.run(
        [sys.executable, "-c", lines],
        cwd=tmp_path,
        env=os.environ | {"TAGCF_LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == output
