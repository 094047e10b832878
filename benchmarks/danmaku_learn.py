"""Learn the weights that ship with TagCF: ``python -m benchmarks.danmaku_learn``.

Reads ``src/tagcf/live/danmaku/examples.tsv`` (the lines of ``benchmarks/danmaku/lines.tsv`` whose
split is "tune" among them, those of "judge" never) and writes ``weights.npz`` beside it. Chances
are calibrated on each writer's lines by a model that has not read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import write_result
from tagcf.live.danmaku.calibrate import expected_calibration_error, fit_shares
from tagcf.live.danmaku.examples import Examples, shipped_examples, shipped_version
from tagcf.live.danmaku.labels import HEADS
from tagcf.live.danmaku.learned import (
    FILE,
    Shipped,
    by_head,
    learn,
    write_shipped,
)
from tagcf.live.danmaku.linear import softmax
from tagcf.live.danmaku.meaning import embedded
from tagcf.live.danmaku.network import Network, fit_network

PACKAGE = Path(__file__).parents[1] / "src" / "tagcf" / "live" / "danmaku"
WIDTHS = tuple(len(head) for head in HEADS)


def macro_f1(labels: NDArray[Any], read: NDArray[Any], classes: int) -> list[float]:
    """F1 of every class."""
    found = []
    for k in range(classes):
        both = ((labels == k) & (read == k)).sum()
        found.append(float(2 * both / max((labels == k).sum() + (read == k).sum(), 1)))
    return found


def of_meaning(vectors: NDArray[Any], examples: Examples) -> Network:
    """All heads on sentence embeddings."""
    return fit_network(vectors, examples.labels, WIDTHS, examples.importance)


def main() -> None:
    examples = shipped_examples()
    vectors = embedded(examples.texts)
    words, meaning = (np.zeros((len(vectors), sum(WIDTHS)), np.float32) for _ in range(2))
    writers = [one for one in np.unique(examples.writer) if one != "term"]
    for writer in writers:
        left_out = examples.writer == writer
        others = examples.of(~left_out)
        words[left_out] = learn(others)(examples.texts.filter(left_out))
        meaning[left_out] = of_meaning(vectors[~left_out], others)(vectors[left_out])
    kept = examples.writer != "term"
    heat, shares, told = [], [], {}
    for k, (one, other) in enumerate(zip(by_head(words), by_head(meaning), strict=True)):
        labels = examples.labels[kept, k].astype(int)
        heat.append(1 / fit_shares([one[kept]], labels)[0])
        shares.append(fit_shares([one[kept], other[kept]], labels))
        fused = shares[-1][0] * one + shares[-1][1] * other
        told[("intent", "sentiment", "emotion")[k]] = {
            name: quality(softmax(scores), examples, k, writers)
            for name, scores in (("words", one / heat[-1]), ("meaning", fused))
        }
    shipped = Shipped(
        shipped_version(),
        learn(examples),
        np.array(heat, np.float32),
        of_meaning(vectors, examples),
        np.array(shares, np.float32),
    )
    (PACKAGE / FILE).write_bytes(write_shipped(shipped))
    counts = {writer: int((examples.writer == writer).sum()) for writer in [*writers, "term"]}
    write_result(
        "danmaku_learn",
        {
            "version": shipped.version,
            "lines": counts,
            "features": len(shipped.words.known),
            "bytes": (PACKAGE / FILE).stat().st_size,
            "temperature": [round(float(one), 3) for one in heat],
            "shares_of_words_and_meaning": [[round(float(x), 3) for x in one] for one in shares],
            "on_a_writer_not_read": told,
        },
    )


def quality(
    chances: NDArray[Any], examples: Examples, head: int, writers: list[str]
) -> dict[str, Any]:
    """Accuracy, macro-F1 and calibration on each writer's lines."""
    found = {}
    for writer in writers:
        rows = examples.writer == writer
        labels, read = examples.labels[rows, head], chances[rows].argmax(axis=1)
        sure = chances[rows].max(axis=1)
        found[writer] = {
            "accuracy": round(float((labels == read).mean()), 3),
            "macro_f1": round(float(np.mean(macro_f1(labels, read, len(HEADS[head])))), 3),
            "calibration_error": round(expected_calibration_error(sure, labels == read), 3),
        }
    return found


if __name__ == "__main__":
    main()
