"""A wheel in an empty environment runs the demo, and says what README shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {
    "TAGCF_LANG": "en",
    "COLUMNS": "100",
    "NO_COLOR": "1",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, timeout=300)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_what_is_not_python(wheel: Path) -> None:
    source = ROOT / "src"
    wanted = {
        str(path.relative_to(source))
        for path in (source / "tagcf").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = set(zipfile.ZipFile(wheel).namelist())
    assert wanted <= held
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_an_empty_environment_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    bin_folder = tmp_path / "venv" / "bin"
    install = [bin_folder / "python", "-m", "pip", "install", "--quiet", "--quiet"]
    subprocess.run(
        [*install, "-c", ROOT / "requirements" / "tested.txt", wheel], check=True, timeout=900
    )
    done = subprocess.run(
        [bin_folder / "tagcf", "demo"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "demo" / "out" / "report.html").read_text("utf-8")
    assert "SIMULATED DATA" in page
    assert "http://" not in re.sub(r"http://www\.w3\.org/\S+", "", page)
    assert shown(done.stdout) == shown(excerpt("README.md"))


def excerpt(page: str) -> str:
    """The output of ``make demo`` as a page shows it."""
    text = (ROOT / page).read_text("utf-8")
    return text.split("<!-- begin: demo -->")[1].split("<!-- end: demo -->")[0]


def shown(text: str) -> list[str]:
    """The lines with figures: tables, counts, what-ifs."""
    lines = (re.sub(r" +", " ", line).strip() for line in text.splitlines())
    return [line for line in lines if re.search(r"[+−]\d|intervals contain", line)]
