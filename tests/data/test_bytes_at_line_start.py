"""A byte that is no text at the start of a line has no start of the line to be shown by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"\xff1,i1,1\n", "(at the start of line 2)"),
        (b"u1\xff,i1,1\n", "(line 2, which starts 'u1')"),
    ],
)
def test_where_bad_bytes_are(
    run: Callable[..., Any], workspace: Callable[..., Path], line: bytes, says: str
) -> None:
    done = run("init", workspace(impressions=b"user_id,item_id,click\n" + line))
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
