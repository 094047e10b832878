"""tagcf doctor on this very machine."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest


def test_doctor(run: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGCF_SHARED", "/nowhere/at/all")
    done = run("doctor", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)["doctor"]}
    assert done.returncode == 0
    assert {rows[name]["state"] for name in ("python", "numpy", "polars", "pyarrow")} == {"good"}
    assert rows["TAGCF_SHARED"]["state"] == "optional"
    assert "可选" in run("doctor", "--lang", "zh").stdout
