"""What several tests need: public data sets, small workspaces, and the command as people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tagcf.text import choose_language

ROOT = Path(__file__).resolve().parents[1]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences are in English unless a test chooses otherwise."""
    monkeypatch.setenv("TAGCF_LANG", "en")
    choose_language(None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the public data sets: TAGCF_SHARED/data, by default ../shared/data."""
    folder = Path(os.environ.get("TAGCF_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"public data sets are not at {folder} (set TAGCF_SHARED)")
    return folder


@pytest.fixture
def run() -> Run:
    """``run("check", folder)``: the real command in a process of its own."""

    def call(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-c",
                "from tagcf.cli import main; main()",
                *(str(one) for one in arguments),
            ],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
            check=False,
            **options,  # type: ignore[call-overload]
        )

    return call


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[..., Path]:
    """``workspace(impressions=…, items=…, settings=…)``: a folder with these files."""

    def make(**contents: str | bytes) -> Path:
        folder = tmp_path / "platform"
        folder.mkdir(exist_ok=True)
        for name, content in contents.items():
            file = folder / ("tagcf.toml" if name == "settings" else f"{name}.csv")
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return folder

    return make
