"""What several tests need: public data sets, small workspaces, and the command as people run it."""

from __future__ import annotations

import contextlib
import contextvars
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import settings

from tagcf.cli import main
from tagcf.text import choose_language
from tagcf.types import EventBatch, EventLog

# A machine that is busy with something else is no failure.
settings.register_profile("tagcf", deadline=None)
settings.load_profile("tagcf")

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences are in English unless a test chooses otherwise."""
    monkeypatch.setenv("TAGCF_LANG", "en")
    choose_language(None)


@pytest.fixture(scope="session")
def absent() -> Callable[[str, str], NoReturn]:
    """``absent("BROWSER", why)`` skips, or fails with TAGCF_REQUIRE_BROWSER set (as in CI)."""

    def skip_or_fail(what: str, why: str) -> NoReturn:
        if os.environ.get(f"TAGCF_REQUIRE_{what}"):
            pytest.fail(why)
        pytest.skip(why)

    return skip_or_fail


@pytest.fixture(scope="session")
def shared_data(absent: Callable[[str, str], NoReturn]) -> Path:
    """Folder of the public data sets: TAGCF_SHARED/data, by default ../shared/data."""
    folder = Path(os.environ.get("TAGCF_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        absent("SHARED", f"public data sets are not at {folder} (set TAGCF_SHARED)")
    return folder


@pytest.fixture(scope="session")
def within_days() -> Callable[[EventLog], EventLog]:
    """The same log with its days as strata: items and users are in many of them."""

    def stratified(log: EventLog) -> EventLog:
        first = min(float(batch.ts.min()) for batch in log.batches()) // 86_400

        def batches() -> Iterator[EventBatch]:
            for batch in log.batches():
                day = (batch.ts // 86_400 - first).astype(np.int32)
                yield replace(batch, stratum=day)

        days = 1 + max(int(batch.stratum.max()) for batch in batches())
        return replace(log, n_strata=days, batches=batches)

    return stratified


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("check", folder)``: the real entry point, in this process because that is quick."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                # A context of its own, so that --lang does not outlive the call.
                contextvars.copy_context().run(main, [str(one) for one in arguments])
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
        return Done(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def checked(run: Run) -> Run:
    """Like ``run``, and the exit code must be 0: ``checked("tag", folder, code=1)``."""

    def call(*arguments: object, code: int = 0) -> Done:
        done = run(*arguments)
        assert done.returncode == code, done.stderr
        return done

    return call


@pytest.fixture
def run_process() -> Run:
    """Like ``run``, in a process of its own: slower, and nothing shared."""

    def call(*arguments: object) -> Done:
        command = [sys.executable, "-c", "from tagcf.cli import main; main()"]
        done = subprocess.run(
            [*command, *(str(one) for one in arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

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
