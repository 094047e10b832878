"""Words of an item that stand in it more than once: read off the screen what the caption says.

Two sources that found a tag by the same words are one witness. Words are compared as pieces:
Latin words, and pairs of neighbouring Chinese characters, so that a letter that was misread does
not make them different.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

import polars as pl

SAME = 0.8  # share of the shorter one's pieces in the longer one from which words are the same
OF_WORDS = ("ocr", "speech")  # sources whose evidence quotes words of the item itself
_RUNS = re.compile(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+")
_HAN = re.compile(r"[\u3400-\u9fff]")

REPEAT = pl.Schema(dict.fromkeys(("item_id", "tag", "source", "of"), pl.String))


def repeats_of(
    found: pl.DataFrame, written: Mapping[str, str], text: str, order: Sequence[str] = OF_WORDS
) -> pl.DataFrame:
    """Return which finds only repeat the words of another source that found the same tag.

    Parameters
    ----------
    found
        Columns item_id, tag, source, and quote: the words that the source shows for the tag.
    written
        Text of each item, all of it a possible quote of the source `text`.
    text
        Name of the source that read `written`.
    order
        Sources of words: each may repeat `text` or one before it.

    Returns
    -------
    Columns item_id, tag, source, of (the source whose words it repeats). A source is a repeat for
    a tag of an item if all that it quotes for it is.
    """
    quotes: dict[tuple[str, str], dict[str, list[str | None]]] = {}
    for item, tag, source, quote in (
        found.filter(pl.col("source").is_in([text, *order]))
        .select("item_id", "tag", "source", "quote")
        .iter_rows()
    ):
        quotes.setdefault((item, tag), {}).setdefault(source, []).append(quote)
    rows = []
    for (item, tag), by_source in quotes.items():
        heard = [(text, frozenset(pieces(written.get(item, ""))))] if text in by_source else []
        for source in order:
            if source not in by_source:
                continue
            own = [frozenset(pieces(quote or "")) for quote in by_source[source]]
            before = next(
                (name for name, words in heard if all(_same(o, words) for o in own)), None
            )
            if before is not None:
                rows.append((item, tag, source, before))
            heard += [(before or source, words) for words in own]
    return pl.DataFrame(rows, schema=REPEAT, orient="row")


def pieces(words: str) -> list[str]:
    """Latin words and pairs of Chinese characters; a Chinese character alone stands for itself."""
    plain = unicodedata.normalize("NFKC", words).casefold()
    found = []
    for run in _RUNS.findall(plain):
        if len(run) > 1 and _HAN.match(run):
            found += [run[k : k + 2] for k in range(len(run) - 1)]
        else:
            found.append(run)
    return found


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    shorter = min(len(one), len(other))
    return shorter > 0 and len(one & other) >= SAME * shorter
