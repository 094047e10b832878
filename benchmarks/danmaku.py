"""Danmaku on lines that nobody tuned on: ``python -m benchmarks.danmaku``.

Scores the lines of ``benchmarks/danmaku/lines.tsv`` whose split is "judge", and writes totals
alone: no line of that half is printed. Then ``benchmarks/danmaku/fresh.tsv``, written by one writer
apart from the examples of the same writer. Then the speed, each reader in one thread.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.danmaku_learn import macro_f1
from benchmarks.record import RESULTS, write_result
from tagcf.live.danmaku.calibrate import expected_calibration_error
from tagcf.live.danmaku.examples import shipped_examples
from tagcf.live.danmaku.labels import HEADS, DanmakuReadings
from tagcf.live.danmaku.meaning import Meaning
from tagcf.live.danmaku.normalise import normalise
from tagcf.live.danmaku.read import DanmakuReader, read_danmaku
from tagcf.live.danmaku.words import Words

LINES = Path(__file__).parent / "danmaku" / "lines.tsv"
FRESH = LINES.with_name("fresh.tsv")
BLIND = LINES.with_name("blind.tsv")
NAMES = ("intent", "sentiment", "emotion")
READERS: dict[str, DanmakuReader] = {"words": Words(), "meaning": Meaning()}
DRAWS = 2000
TIMED = {"words": 200_000, "meaning": 10_000}


def rows_in(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE))


def judged() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """All lines, and those of the judge half."""
    rows = rows_in(LINES)
    return rows, [row for row in rows if row["split"] == "judge"]


def also_examples(texts: pl.Series) -> int:
    """How many lines are, once normalised, among the examples."""
    seen = set(normalise(shipped_examples().texts_of_writers()).str.strip_chars().to_list())
    return int(normalise(texts).str.strip_chars().is_in(list(seen)).sum())


def agreement(rows: list[dict[str, str]], name: str) -> dict[str, float]:
    """How often writer and reader gave the same label, and Cohen's kappa."""
    first = np.array([row[f"{name}_first"] for row in rows])
    second = np.array([row[f"{name}_second"] for row in rows])
    same = float((first == second).mean())
    chance = sum(float((first == one).mean() * (second == one).mean()) for one in np.unique(first))
    return {"same": round(same, 3), "kappa": round((same - chance) / (1 - chance), 3)}


def of_head(readings: DanmakuReadings, rows: list[dict[str, str]], head: int) -> dict[str, Any]:
    """Accuracy, macro-F1 with a bootstrap interval over lines, F1 by class, calibration."""
    name, labels = NAMES[head], HEADS[head]
    wanted = np.array([labels.index(row[name]) for row in rows])
    read = getattr(readings, name).astype(int)
    chances = getattr(readings, f"{name}_chances")
    by_class = macro_f1(wanted, read, len(labels))
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(wanted), len(wanted)) for _ in range(DRAWS)]
    spread = [float(np.mean(macro_f1(wanted[one], read[one], len(labels)))) for one in drawn]
    low, high = np.quantile(spread, [0.025, 0.975])
    return {
        "lines": len(wanted),
        "accuracy": round(float((wanted == read).mean()), 3),
        "macro_f1": round(float(np.mean(by_class)), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
        "f1": {label: round(one, 3) for label, one in zip(labels, by_class, strict=True)},
        "calibration_error": round(
            expected_calibration_error(chances.max(axis=1), wanted == read), 3
        ),
        "mean_confidence": round(float(chances.max(axis=1).mean()), 3),
    }


def quality() -> dict[str, Any]:
    rows, judge = judged()
    fresh, blind = rows_in(FRESH), rows_in(BLIND)
    counts = {"judge": len(judge), "fresh": len(fresh), "blind": len(blind)}
    found: dict[str, Any] = {
        "lines": {"tune": len(rows) - len(judge), **counts},
        "agreement": {name: agreement(rows, name) for name in NAMES},
    }
    for name, lines in (("judge", judge), ("fresh", fresh), ("blind", blind)):
        texts = pl.Series([row["text"] for row in lines])
        found[f"{name}_lines_that_are_also_examples"] = also_examples(texts)
        for reader, using in READERS.items():
            readings = read_danmaku(texts, using=using)
            found[reader if name == "judge" else f"{reader}_{name}"] = {
                head: of_head(readings, lines, k)
                for k, head in enumerate(NAMES)
                if head in lines[0]
            }
    return found


def many_lines(count: int) -> pl.Series:
    """Different lines: examples in random order, each with a number."""
    texts = shipped_examples().texts
    order = np.random.default_rng(0).integers(0, len(texts), count)
    return texts.gather(order) + pl.int_range(count, eager=True).cast(pl.String)


def speed(reader: str) -> dict[str, float]:
    """Lines per second of process time, everything from the text to the chances included."""
    lines = many_lines(TIMED[reader])
    read_danmaku(lines.head(2000), using=READERS[reader])
    begin = time.process_time()
    read_danmaku(lines, using=READERS[reader])
    return {
        "lines": len(lines),
        "per_cpu_second": round(len(lines) / (time.process_time() - begin)),
    }


def verb_speed(count: int = 100_000) -> dict[str, float]:
    """``tagcf live danmaku --using words`` from bytes to JSON, its start included; CPU time."""
    text = "\n".join(many_lines(count).to_list()).encode()
    program = [sys.executable, "-c", "from tagcf.cli import main; main()"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [*program, "live", "danmaku", "--using", "words"]
    subprocess.run(command, input=text, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"lines": count, "per_cpu_second": round(count / seconds)}


def main() -> None:
    """Everything; with the word "speed" the speed alone, without a look at the judge half."""
    if sys.argv[1:] == ["speed"]:
        result = json.loads((RESULTS / "danmaku.json").read_text("utf-8"))
    else:
        result = quality()
    result["speed"] = {reader: speed(reader) for reader in READERS} | {"verb": verb_speed()}
    write_result("danmaku", {name: one for name, one in result.items() if name != "machine"})


if __name__ == "__main__":
    main()
