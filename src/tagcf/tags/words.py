"""Words for the matcher alone: slang, jargon, idioms, negation, and words of several senses.

They stand in ``words.toml``. They belong to the tags of the vocabulary that ships with TagCF;
another vocabulary gets those of the slugs that it has.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Sense:
    """A word whose tag depends on what else the text says."""

    term: str
    contexts: tuple[tuple[str, tuple[str, ...]], ...]  # tag, words of which one must be there
    otherwise: str  # tag where no context is met; "" for none


@dataclass(frozen=True, slots=True)
class Words:
    """The content of ``words.toml``; `version` is a hash of it."""

    likely: tuple[tuple[str, tuple[str, ...]], ...]  # slug, its words
    hints: tuple[tuple[str, tuple[str, ...]], ...]
    idioms: tuple[str, ...]  # are none of the words within them
    negators: tuple[str, ...]  # turn the word after them around
    breaks: tuple[str, ...]  # end what a negator turns around
    only_looks: tuple[str, ...]  # hold a negator and are none
    senses: tuple[Sense, ...]
    version: str


@cache
def shipped_words() -> Words:
    """Return the words that ship with TagCF."""
    return parse_words(resources.files("tagcf.tags").joinpath("words.toml").read_bytes())


def parse_words(content: bytes) -> Words:
    """Read words from TOML; the head of ``words.toml`` says what its tables mean."""
    read: dict[str, dict[str, Any]] = tomllib.loads(content.decode("utf-8"))
    negation = read["negation"]
    return Words(
        likely=tuple((slug, tuple(words)) for slug, words in read["words"].items()),
        hints=tuple((slug, tuple(words)) for slug, words in read["hints"].items()),
        idioms=tuple(word for words in read["idioms"].values() for word in words),
        negators=(*negation["zh"], *negation["en"]),
        breaks=tuple(negation["breaks"]),
        only_looks=tuple(negation["only_looks"]),
        senses=tuple(
            Sense(
                term=term,
                contexts=tuple(
                    (slug, tuple(words)) for slug, words in entry.items() if slug != "otherwise"
                ),
                otherwise=entry["otherwise"],
            )
            for term, entry in read["senses"].items()
        ),
        version=hashlib.sha256(content).hexdigest()[:12],
    )
