"""Texts of strangers, and texts of models, without what a reader can't see."""

from __future__ import annotations

import re
import unicodedata

# Controls, formats (zero-width, bidirectional, the invisible alphabet at U+E0000), surrogates,
# private and unassigned code points. Line breaks are kept where lines are wanted.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Variation selectors: marks by category, able to carry hidden bytes behind any letter.
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SPACES = re.compile(r"[^\S\n]+")
_MANY_BREAKS = re.compile(r"\n{3,}")
_MARK = "[\u0300-\u036f\u0483-\u0489\u20d0-\u20ff]"
_MANY_MARKS = re.compile(f"({_MARK}{{3}}){_MARK}+")  # letters buried under accents
_ELLIPSIS = " … "


def plain_text(text: str, limit: int) -> str:
    """Lines of visible letters, at most `limit` characters.

    What is cut is cut from the middle: the beginning of a text says what it is about, its end
    often carries the hashtags.
    """
    bounded = shorten(text, 4 * limit)  # cleaning costs per letter
    kept = "".join(
        letter if letter == "\n" or unicodedata.category(letter) not in _UNSEEN else " "
        for letter in unicodedata.normalize("NFC", bounded)
        if unicodedata.category(letter) != "Cf"
    )
    marked = _MANY_MARKS.sub(r"\1", _SELECTORS.sub("", kept))
    lines = "\n".join(line.strip() for line in _SPACES.sub(" ", marked).split("\n"))
    return shorten(_MANY_BREAKS.sub("\n\n", lines).strip(), limit)


def plain_line(text: str, limit: int) -> str:
    """One line of visible letters, at most `limit` characters, its end cut."""
    line = " ".join(plain_text(text, 4 * limit).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def shorten(text: str, limit: int) -> str:
    """Cut a text to `limit` characters, out of its middle; a sign stands where it was cut."""
    if len(text) <= limit:
        return text
    tail = (limit - len(_ELLIPSIS)) // 4
    head = limit - len(_ELLIPSIS) - tail
    if head <= 0:
        return text[: max(limit, 0)]
    return text[:head] + _ELLIPSIS + text[len(text) - tail :]
