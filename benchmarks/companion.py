"""Requests to the companion, zh and en: how often kind and tag are understood.

``python -m benchmarks.companion`` writes results/companion.json. The requests, in
``benchmarks/companion/requests.tsv``, were written before the grammar, by the one who then wrote
the grammar; its 1st, 3rd … were looked at while it was made (tune), the 2nd, 4th … were not
(judge). That one head wrote both is the limit of this figure.
"""

from __future__ import annotations

import argparse
import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.record import write_result
from tagcf.live.viewing.companion.grammar import understand
from tagcf.live.viewing.companion.tag_words import TagWords
from tagcf.live.viewing.companion.wishes import Unclear, Understood
from tagcf.tags.vocabulary import default_vocabulary

FILE = Path(__file__).parent / "companion" / "requests.tsv"
# Right in the judge half when it was judged for the first time, 2026-11-23; the grammar was then
# repaired by what went wrong in the tune half and by naming every tag in seven forms.
FIRST_JUDGING = 0.9381
NOW = datetime(2026, 3, 10, 21, 30, tzinfo=UTC)


def requests() -> list[tuple[str, str, str, str]]:
    """Half, language, request and what is expected, in the order of the file."""
    with FILE.open(encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return [("judge" if k % 2 else "tune", row[0], row[1], row[2]) for k, row in enumerate(rows)]


def spelled(found: Understood) -> set[str]:
    """Write what was understood as the file writes it."""
    spelling = set()
    for one in found:
        if isinstance(one, Unclear):
            spelling.add(f"{one.kind}:?")
        elif one.tag is not None:
            spelling.add(f"{one.kind}:{one.tag}")
        elif one.since is not None:
            spelling.add(f"{one.kind}@{one.since:.0f}/{one.until:.0f}")
        elif one.number is not None:
            spelling.add(f"{one.kind}@{one.number:g}")
        else:
            spelling.add(one.kind)
    return spelling


def expected_of(text: str) -> set[str]:
    """What the file expects, with times as epoch seconds."""
    return {_timed(one) for one in text.split(";")}


def _timed(one: str) -> str:
    kind, at, span = one.partition("@")
    if kind != "forget_time":
        return one
    return f"{kind}{at}" + "/".join(f"{_moment(edge):.0f}" for edge in span.split("/"))


def _moment(code: str) -> float:
    if code == "now":
        return NOW.timestamp()
    if code.endswith("m"):
        return (NOW + timedelta(minutes=int(code[:-1]))).timestamp()
    days, hours = code.split("d")
    midnight = NOW.replace(hour=0, minute=0)
    return (midnight + timedelta(days=int(days), hours=int(hours))).timestamp()


def judged(show: str = "") -> dict[str, Any]:
    """Accuracy by half and language."""
    words = TagWords(default_vocabulary().tags)
    table: dict[str, list[tuple[bool, bool, bool]]] = {}
    for half, lang, text, expected in requests():
        found, wanted = spelled(understand(text, words, NOW.timestamp())), expected_of(expected)
        right = found == wanted
        kind = {one.partition(":")[0].partition("@")[0] for one in found} == {
            one.partition(":")[0].partition("@")[0] for one in wanted
        }
        # Worst: doing something else than was asked, instead of asking back or not knowing.
        acted = not right and any(not one.endswith(":?") and one != "unknown" for one in found)
        for name in (half, f"{half} {lang}"):
            table.setdefault(name, []).append((right, kind, acted))
        if show == half and not right:
            print(lang, text, "|", sorted(found), "|", sorted(wanted))
    return {
        name: {
            "n": len(rows),
            "right": sum(r for r, _, _ in rows) / len(rows),
            "kind_right": sum(k for _, k, _ in rows) / len(rows),
            "did_something_else": sum(a for _, _, a in rows) / len(rows),
        }
        for name, rows in sorted(table.items())
    }


def main() -> None:
    """Measure and write ``results/companion.json``."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--show", choices=["tune", "judge"], default="")
    options = asked.parse_args()
    found = judged(options.show)
    if options.show:
        print(found[options.show])
        return
    write_result("companion", {"writers": 1, "first_judging": FIRST_JUDGING, "halves": found})


if __name__ == "__main__":
    main()
