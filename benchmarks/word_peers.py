"""Word matching by other libraries, run by the interpreter that has them (.venv-bench).

``python benchmarks/word_peers.py FILE`` reads ``{"titles": […], "terms": […]}`` and prints titles
per CPU second and hits of flashtext and pyahocorasick as JSON. It imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def flashtext(terms: list[str]) -> Callable[[str], int]:
    """Whole words in any case; what flashtext is made for."""
    from flashtext import KeywordProcessor

    finder = KeywordProcessor()
    for term in terms:
        finder.add_keyword(term)
    return lambda title: len(finder.extract_keywords(title))


def ahocorasick(terms: list[str]) -> Callable[[str], int]:
    """The longest terms anywhere in the lower-cased title; no word borders."""
    import ahocorasick as library

    finder = library.Automaton()
    for term in terms:
        finder.add_word(term.lower(), term)
    finder.make_automaton()
    return lambda title: sum(1 for _ in finder.iter_long(title.lower()))


def timed(
    make: Callable[[list[str]], Callable[[str], int]], order: dict[str, Any]
) -> dict[str, Any]:
    """Titles per CPU second, without building the automaton."""
    find = make(order["terms"])
    started = time.process_time()
    hits = sum(find(title) for title in order["titles"])
    seconds = time.process_time() - started
    return {"texts_per_cpu_second": round(len(order["titles"]) / seconds), "hits": hits}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    print(json.dumps({make.__name__: timed(make, given) for make in (flashtext, ahocorasick)}))
