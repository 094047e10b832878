"""What a sentence says that its facts do not: numbers, products, claims, ways to get in touch.

Numbers and products are checked exactly. Claims are found by words (`claims.toml`): one in
other words gets through, so what a model wrote is to be read before it is used.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources

SHORTEST, LONGEST = 4, 120  # letters
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SPOKEN = re.compile(
    r"[一二两三四五六七八九十百千万半]+(?:个|位|件|折|元|块|分钟|小时|次|成|倍|人|款|天|码)"
)
_CONTACT = re.compile(r"https?:|www\.|@|微信|加微|QQ|[a-z0-9]+\.(?:com|cn|net)", re.IGNORECASE)
_MARKUP = re.compile(r"[<>{}\[\]|`]")


@cache
def claim_words() -> tuple[str, ...]:
    """Return the words that claim something, zh and en, in small letters."""
    text = resources.files("tagcf.live.hosts").joinpath("claims.toml").read_text("utf-8")
    table = tomllib.loads(text)
    return (*table["zh"], *(word.lower() for word in table["en"]))


def invented(text: str, given: str, other_products: Sequence[str]) -> str:
    """Return what a sentence says beyond what is given; empty: nothing that can be found.

    Parameters
    ----------
    given
        Facts, product and price that the sentence may use.
    other_products
        Titles that are not to be named.
    """
    if not SHORTEST <= len(text) <= LONGEST:
        return f"{len(text)}"
    for pattern in (_CONTACT, _MARKUP):
        if found := pattern.search(text):
            return str(found[0])
    have = set(_NUMBER.findall(given))
    for number in _NUMBER.findall(text):
        if number not in have:
            return str(number)
    for spoken in _SPOKEN.findall(text):
        if spoken not in given:
            return str(spoken)
    for title in other_products:
        if title and title in text and title not in given:
            return title
    return _claim(text.lower(), given.lower())


def _claim(text: str, given: str) -> str:
    for word in claim_words():
        if _holds(text, word) and not _holds(given, word):
            return word
    return ""


def _holds(text: str, word: str) -> bool:
    """Whether a text has a word; Latin ones as whole words."""
    if not word[0].isascii():
        return word in text
    end = "" if word.endswith("-") else r"\b"
    return re.search(rf"\b{re.escape(word)}{end}", text) is not None
