"""tagcf demo: every sector to its report, said to be simulated throughout."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = ("--users", "300", "--items", "300")


@pytest.mark.parametrize("sector", ["video", "shop", "education", "health"])
def test_each_sector_reaches_its_report(
    sector: str, tmp_path: Path, run: Callable[..., object]
) -> None:
    folder = tmp_path / sector
    done = run("demo", folder, "--sector", sector, *SMALL, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["simulated"] is True
    assert len(told["what_ifs"]) == 3
    assert len(told["outcomes"]) == 6
    for one in told["outcomes"]:
        assert one["inside"] <= one["count"] <= 32
    # Together the outcomes are enough to see coverage; single ones in tests/truth.
    inside, naive, count = (
        sum(one[key] for one in told["outcomes"]) for key in ("inside", "naive", "count")
    )
    assert inside >= 0.85 * count
    assert naive < inside
    page = Path(told["report"]).read_text("utf-8")
    assert "SIMULATED DATA" in page
    assert "模拟数据" in page


def test_people_read_tables_and_what_to_do_next(tmp_path: Path, run: Callable[..., object]) -> None:
    folder = tmp_path / "a demo"
    done = run("demo", folder, *SMALL)
    assert done.returncode == 0, done.stderr
    talk = done.stderr.strip().splitlines()
    assert all(line.startswith("SIMULATED") for line in talk)
    blocks = done.stdout.strip().split("\n\n")
    assert len(blocks) == 4
    assert all(block.startswith("SIMULATED") for block in blocks)
    assert len(re.findall(r"^  .*intervals contain the truth; naive \d+$", blocks[1], re.M)) == 6
    assert str(folder / "out" / "report.html") in blocks[3]
    commands = blocks[3].splitlines()[-3:]
    assert [line.split()[1] for line in commands] == ["whatif", "effects", "init"]
    assert all(f"'{folder}'" in line for line in commands[:2])


def test_a_second_demo_replaces_the_first_and_speaks_chinese(
    tmp_path: Path, run: Callable[..., object]
) -> None:
    folder = tmp_path / "demo"
    assert run("demo", folder, *SMALL, "--seed", "1").returncode == 0
    truth = (folder / "truth.parquet").read_bytes()
    done = run("demo", folder, *SMALL, "--seed", "2", "--lang", "zh")
    assert done.returncode == 0
    assert (folder / "truth.parquet").read_bytes() != truth
    assert "接下来可以试" in done.stdout
    assert "SIMULATED" not in done.stdout + done.stderr
    assert all(block.startswith("模拟数据") for block in done.stdout.strip().split("\n\n"))


def test_real_data_is_never_replaced(
    workspace: Callable[..., Path], run: Callable[..., object]
) -> None:
    folder = workspace(
        settings='[outcomes.click]\ncolumn = "click"\n',
        impressions="user_id,item_id,ts,click\nu,i,2026-01-01,1\n",
    )
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    done = run("demo", folder, *SMALL)
    assert done.returncode == 1
    assert "is not replaced" in done.stderr
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before
