"""Every sentence a person sees, in Chinese and English, from one catalogue.

A key's two languages stand side by side, so that neither can be forgotten.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable
from contextvars import ContextVar
from functools import cache
from importlib import resources
from itertools import takewhile
from typing import Literal

Language = Literal["zh", "en"]

# Controls, and letters that reorder or hide what stands around them: written out, they could
# make one name look like another, or move a terminal's cursor.
_HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")  # in front of a number
_ALIKE, _COMPARED = 200, 80  # names that are compared letter by letter, and letters of each
LINES = "\t\n"  # controls that sentences and pages may contain

_chosen: ContextVar[Language | None] = ContextVar("tagcf_language", default=None)


def choose_language(language: Language | None) -> None:
    """Set the language of this context; ``None`` goes back to TAGCF_LANG or the locale."""
    _chosen.set(language)


def language() -> Language:
    """Return the language in force: chosen, else TAGCF_LANG, else the locale, else English."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    wish = os.environ.get("TAGCF_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh" if wish.lower().startswith("zh") else "en"


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Return the whole catalogue, key to ``{"zh": …, "en": …}``."""
    entries: dict[str, dict[str, str]] = {}
    for source in sorted(resources.files(__name__).iterdir(), key=lambda path: path.name):
        if source.name.endswith(".toml"):
            for area, keys in tomllib.loads(source.read_text("utf-8")).items():
                entries.update({f"{area}.{key}": value for key, value in keys.items()})
    return entries


def say(key: str, **facts: object) -> str:
    """Return the sentence of `key` in the language in force, with its gaps filled.

    Raises
    ------
    KeyError
        When the catalogue has no such key: a mistake of ours, never of a user.
    """
    shown = {
        name: visible(fact, keep=LINES) if isinstance(fact, str) else fact
        for name, fact in facts.items()
    }
    return catalogue()[key][language()].format(**shown)


def visible(text: str, *, keep: str = "", spelling: str = "[U+{:04X}]") -> str:
    """Return the text with control, bidirectional and invisible letters spelled: "[U+202E]"."""

    def spelled(found: re.Match[str]) -> str:
        return found[0] if found[0] in keep else spelling.format(ord(found[0]))

    return _HIDDEN.sub(spelled, text)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return a short "did you mean" clause for the nearest names, or an empty string."""
    alike = difflib.get_close_matches(wrong, list(dict.fromkeys(known)), n=_ALIKE, cutoff=0.5)
    near = sorted(alike, key=lambda name: _distance(wrong, name))[:3]
    return say("error.did_you_mean", names=listing(near)) if near else ""


def _distance(one: str, other: str) -> tuple[int, bool, int, str]:
    """Order of names near to a wrong one: letters to change (Levenshtein), then other numbers.

    Of names as near as each other those with the same numbers come first, leading zeros aside,
    then those with the longest start in common.
    """
    one, other = one[:_COMPARED], other[:_COMPARED]
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        above, row[0] = row[0], i
        for j, its in enumerate(other, start=1):
            above, row[j] = row[j], min(above + (letter != its), row[j] + 1, row[j - 1] + 1)
    start = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    )
    return row[-1], _ZEROS.sub("", one) != _ZEROS.sub("", other), -start, other


def listing(names: Iterable[str]) -> str:
    """Return the names one after the other, as the language in force lists them."""
    return ("、" if language() == "zh" else ", ").join(names)
