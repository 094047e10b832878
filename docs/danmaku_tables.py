"""Figures of docs/explanation/danmaku.md, from danmaku, danmaku_learn and danmaku_real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
HEADS = ("intent", "sentiment", "emotion")
READERS = ("words", "meaning")


def fill(page: str, put: Callable[[str, str, str], str]) -> str:
    """Put every part between its markers."""
    parts = {
        "agreement": agreement_table,
        "judged": lambda: judged_table(""),
        "fresh": lambda: judged_table("_fresh"),
        "blind": lambda: judged_table("_blind"),
        "intents": intents_table,
        "writers": writers_table,
        "real": real_table,
        "parody": parody_sentence,
        "speed": speed_table,
    }
    for name, part in parts.items():
        page = put(page, name, part())
    return page


def agreement_table() -> str:
    """How far writer and reader agree."""
    lines = ["| head | same label | Cohen's kappa |", "|---|---|---|"]
    for name, one in _read("danmaku")["agreement"].items():
        lines.append(f"| {name} | {one['same']:.1%} | {one['kappa']:.2f} |")
    return "\n".join(lines)


def judged_table(lines_of: str) -> str:
    """Quality on the judge half, or on the fresh ("_fresh") or blind ("_blind") lines."""
    head = "| head | reader | accuracy | macro-F1 (95% interval) | calibration error |"
    lines = [head, "|---|---|---|---|---|"]
    found = _read("danmaku")
    for name in HEADS:
        for reader in READERS:
            one = found[reader + lines_of].get(name)
            if one is None:  # not labelled
                continue
            low, high = one["interval"]
            lines.append(
                f"| {name} | {reader} | {one['accuracy']:.3f} "
                f"| {one['macro_f1']:.3f} ({low:.3f} to {high:.3f}) "
                f"| {one['calibration_error']:.3f} |"
            )
    return "\n".join(lines)


def intents_table() -> str:
    """F1 of every intent."""
    found = _read("danmaku")
    lines = [
        "| intent | words, judge half | meaning, judge half | words, fresh | meaning, fresh "
        "| words, blind | meaning, blind |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in found["words"]["intent"]["f1"]:
        cells = [
            f"{found[reader + lines_of]['intent']['f1'][name]:.2f}"
            for lines_of in ("", "_fresh", "_blind")
            for reader in READERS
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def writers_table() -> str:
    """Macro-F1 on a writer whose lines were left out, words and meaning."""
    found = _read("danmaku_learn")
    lines = ["| writer left out | lines | intent | sentiment | emotion |", "|---|---|---|---|---|"]
    told = found["on_a_writer_not_read"]
    for writer, count in found["lines"].items():
        if writer != "term":
            cells = (
                " / ".join(f"{told[head][reader][writer]['macro_f1']:.2f}" for reader in READERS)
                for head in HEADS
            )
            lines.append(f"| {writer} | {count:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def real_table() -> str:
    """Macro-F1 on real comments and reviews, and the difference to snownlp."""
    found = _read("danmaku_real")
    names = list(found["bilibili"]["macro_f1"])
    lines = ["| reader | bilibili, 3 classes | waimai, 2 classes |", "|---|---|---|"]
    for name in names:
        values = (found[one]["macro_f1"][name] for one in ("bilibili", "waimai"))
        lines.append(f"| {name} | {' | '.join(f'{x:.3f}' for x in values)} |")
    lines += ["", "| difference of macro-F1 | bilibili | waimai |", "|---|---|---|"]
    for name in found["bilibili"]["differences"]:
        cells = []
        for one in ("bilibili", "waimai"):
            entry = found[one]["differences"][name]
            low, high = entry["interval"]
            cells.append(f"{entry['macro_f1']:+.3f} ({low:+.3f} to {high:+.3f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def parody_sentence() -> str:
    """What is measured of parody."""
    one = _read("danmaku_real")["bilibili"]["parody"]
    return (
        f"Of {one['of']:,} judged comments {one['lines']:,} are labelled parody (反串). A model "
        f"fitted to these labels finds them with F1 {one['found_f1']:.2f} (precision "
        f"{one['precision']:.2f}, recall {one['recall']:.2f}). The fitted sentiment is right on "
        f"{one['sentiment_accuracy_of_parody']:.0%} of the parodies and on "
        f"{one['sentiment_accuracy_of_others']:.0%} of the rest (macro-F1 "
        f"{one['sentiment_macro_f1_of_parody']:.2f} and {one['sentiment_macro_f1_of_others']:.2f})."
    )


def speed_table() -> str:
    """Lines per second."""
    found = _read("danmaku")["speed"]
    lines = ["| what | lines a second |", "|---|---|"]
    lines += [
        f"| `read_danmaku`, {reader} | {found[reader]['per_cpu_second']:,} |" for reader in READERS
    ]
    verb = f"{found['verb']['per_cpu_second']:,}"
    lines.append(f"| `tagcf live danmaku --using words`, bytes to JSON | {verb} |")
    return "\n".join(lines)


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found
