"""Sentiment on real comments and reviews, beside snownlp: ``python -m benchmarks.danmaku_real``.

Comments under Bilibili videos (three classes) and food-delivery reviews (label 1 positive, 0
negative), from the folder of public data. Of exact duplicates of a text the first is kept. Odd
lines fit, even lines judge: the number of a row in the file, counted from 1 after the header,
before duplicates are removed. All that is chosen is chosen on odd lines.

snownlp gives a score from 0 to 1. Its default reading: two classes, positive from .5; three,
negative below .4 and positive from .6 on. "fitted" takes the thresholds with the greatest macro-F1
on the odd lines; "retrained" is its own Bayes classifier trained on the odd lines, with thresholds
fitted likewise (on lines that it has read, so a little hopeful; there is no other way in it).
"""

from __future__ import annotations

import csv
import json
import subprocess
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import shared_data, write_result
from tagcf.live.danmaku.fitted import fit_danmaku, macro_f1
from tagcf.live.danmaku.labels import SENTIMENTS
from tagcf.live.danmaku.meaning import Meaning
from tagcf.live.danmaku.read import read_danmaku

PEER = Path(__file__).parent / "danmaku_peer.py"
PEER_PYTHON = Path(__file__).parents[1] / ".venv-bench" / "bin" / "python"
DRAWS = 2000
GRID = np.round(np.linspace(0.02, 0.98, 49), 2)


def bilibili() -> list[tuple[int, str, str, str]]:
    """Number, text, sentiment, parody."""
    path = shared_data() / "bilibili_stance_fanchuan" / "bilibili_comments_deid.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = enumerate(csv.DictReader(file), start=1)
        return [(k, row["content"], row["sentiment"], row["parody"]) for k, row in rows]


def waimai() -> list[tuple[int, str, str, str]]:
    path = shared_data() / "zh_reviews" / "waimai_10k.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = enumerate(csv.DictReader(file), start=1)
        names = {"1": "positive", "0": "negative"}
        return [(k, row["review"], names[row["label"]], "") for k, row in rows]


def halves(rows: list[tuple[int, str, str, str]]) -> tuple[list[Any], list[Any]]:
    """Odd and even lines, each text once; empty texts and labels are left out."""
    once: dict[str, tuple[int, str, str, str]] = {}
    for row in rows:
        if row[1].strip() and row[2] in SENTIMENTS:
            once.setdefault(row[1], row)
    kept = list(once.values())
    return [row for row in kept if row[0] % 2], [row for row in kept if not row[0] % 2]


def coded(labels: list[str], classes: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([classes.index(label) for label in labels])


def difference(
    wanted: NDArray[Any], ours: NDArray[Any], theirs: NDArray[Any], width: int
) -> list[float]:
    """Interval of ours minus theirs, the same lines drawn for both."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        drawn = rng.integers(0, len(wanted), len(wanted))
        one, other = (macro_f1(wanted[drawn], read[drawn], width) for read in (ours, theirs))
        found.append(one - other)
    return [round(float(edge), 3) for edge in np.quantile(found, [0.025, 0.975])]


def cut(scores: NDArray[Any], edges: tuple[float, ...], three: bool) -> NDArray[np.int64]:
    """Positions in the classes of negative, (neutral,) positive."""
    low, high = edges[0], edges[-1]
    if three:
        return np.where(scores < low, 0, np.where(scores >= high, 2, 1))
    return (scores >= high).astype(np.int64)


def best_edges(scores: NDArray[Any], wanted: NDArray[Any], three: bool) -> tuple[float, ...]:
    edges = [e for e in product(GRID, GRID) if e[0] <= e[1]] if three else [(e,) for e in GRID]
    width = 3 if three else 2
    return max(edges, key=lambda one: macro_f1(wanted, cut(scores, one, three), width))


def measure(rows: list[tuple[int, str, str, str]]) -> dict[str, Any]:
    fit, judge = halves(rows)
    classes = tuple(one for one in SENTIMENTS if any(row[2] == one for row in fit))
    three, width = len(classes) == 3, len(classes)
    texts = [row[1] for row in judge]
    wanted = coded([row[2] for row in judge], classes)
    on_fit = coded([row[2] for row in fit], classes)
    read: dict[str, NDArray[Any]] = {}
    seconds = {}
    for name, meaning in (("fitted words", False), ("fitted words and meaning", True)):
        begin = time.process_time()
        ours = fit_danmaku([row[1] for row in fit], [row[2] for row in fit], meaning=meaning)
        read[name] = coded(ours.labels(texts), classes)
        seconds[name] = round(time.process_time() - begin, 1)
    chances = {
        "zero-shot words": read_danmaku(texts),
        "zero-shot meaning": read_danmaku(texts, using=Meaning()),
    }
    columns = [SENTIMENTS.index(one) for one in classes]
    for name, readings in chances.items():
        read[name] = readings.sentiment_chances[:, columns].argmax(axis=1)
    asked = {"fit": [[row[1], row[2]] for row in fit], "judge": texts}
    done = subprocess.run(
        [str(PEER_PYTHON), str(PEER)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    peer = {name: np.array(scores) for name, scores in json.loads(done.stdout).items()}
    read["snownlp default"] = cut(peer["judge"], (0.4, 0.6) if three else (0.5,), three)
    edges = best_edges(peer["fit"], on_fit, three)
    read["snownlp fitted"] = cut(peer["judge"], edges, three)
    edges = best_edges(peer["fit_retrained"], on_fit, three)
    read["snownlp retrained"] = cut(peer["judge_retrained"], edges, three)
    found = {name: round(macro_f1(wanted, one, width), 3) for name, one in read.items()}
    peers = [name for name in read if name.startswith("snownlp")]
    against = {
        f"{ours} minus {name}": {
            "macro_f1": round(found[ours] - found[name], 3),
            "interval": difference(wanted, read[ours], read[name], width),
        }
        for ours in read
        if not ours.startswith("snownlp")
        for name in peers
    }
    result = {
        "lines": {"rows": len(rows), "fit": len(fit), "judge": len(judge)},
        "classes": {one: int((wanted == k).sum()) for k, one in enumerate(classes)},
        "macro_f1": found,
        "differences": against,
        "cpu_seconds": seconds,
    }
    if any(row[3] for row in judge):
        result["parody"] = parody(fit, judge, wanted, read, width)
    return result


def parody(
    fit: list[Any], judge: list[Any], wanted: NDArray[Any], read: dict[str, Any], width: int
) -> dict[str, Any]:
    """Sentiment on parody alone; and parody itself, fitted and judged like the rest."""
    is_parody = np.array([row[3].startswith("1") for row in judge])
    known = np.array([row[3] != "" for row in judge])
    of = [row for row in fit if row[3] != ""]
    model = fit_danmaku([row[1] for row in of], ["1" if r[3].startswith("1") else "0" for r in of])
    texts = [row[1] for row, labelled in zip(judge, known, strict=True) if labelled]
    said, truth = np.array(model.labels(texts)) == "1", is_parody[known]
    right = int((said & truth).sum())
    ours = read["fitted words"]
    return {
        "lines": int(is_parody.sum()),
        "of": int(known.sum()),
        "found_f1": round(2 * right / max(int(said.sum() + truth.sum()), 1), 3),
        "precision": round(right / max(int(said.sum()), 1), 3),
        "recall": round(right / max(int(truth.sum()), 1), 3),
        "sentiment_accuracy_of_parody": round(float((ours == wanted)[is_parody].mean()), 3),
        "sentiment_accuracy_of_others": round(float((ours == wanted)[~is_parody].mean()), 3),
        "sentiment_macro_f1_of_parody": round(
            macro_f1(wanted[is_parody], ours[is_parody], width), 3
        ),
        "sentiment_macro_f1_of_others": round(
            macro_f1(wanted[~is_parody], ours[~is_parody], width), 3
        ),
    }


def main() -> None:
    sets = {"bilibili": bilibili(), "waimai": waimai()}
    write_result("danmaku_real", {name: measure(rows) for name, rows in sets.items()})


if __name__ == "__main__":
    main()
