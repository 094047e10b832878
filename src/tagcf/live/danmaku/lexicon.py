"""The words of danmaku in groups that say the same: ``lexicon.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import polars as pl

from tagcf.live.danmaku.kernels import CONCEPT_FIRST
from tagcf.live.danmaku.normalise import normalise

TextLanguage = Literal["auto", "zh", "en"]
KINDS = ("zh", "en", "pinyin", "pictures")


@dataclass(frozen=True, slots=True)
class Concept:
    """Terms that say the same."""

    name: str
    terms: tuple[tuple[str, str], ...]  # kind, term
    alone: tuple[str, str, str] | None  # intent, sentiment, emotion of a line that is such a term


@dataclass(frozen=True, slots=True)
class Patterns:
    """What is searched for in normalised lines, the longest first, and the letter it becomes."""

    terms: list[str]
    letters: list[str]


@cache
def shipped_concepts() -> tuple[Concept, ...]:
    """Return the groups of ``lexicon.toml`` in their order."""
    content = resources.files("tagcf.live.danmaku").joinpath("lexicon.toml").read_text("utf-8")
    read: dict[str, dict[str, Any]] = tomllib.loads(content)
    return tuple(
        Concept(
            name=name,
            terms=tuple((kind, term) for kind in KINDS for term in group.get(kind, ())),
            alone=tuple(group["alone"]) if "alone" in group else None,
        )
        for name, group in read.items()
    )


@cache
def patterns(lang: TextLanguage = "auto") -> Patterns:
    """Every term in its normalised form; abbreviated pinyin is left out of English."""
    letters: dict[str, str] = {}
    for number, concept in enumerate(shipped_concepts()):
        terms = [term for kind, term in concept.terms if not (lang == "en" and kind == "pinyin")]
        for form in normalise(pl.Series(terms, dtype=pl.String)).to_list():
            if form.strip():
                letters.setdefault(form, chr(CONCEPT_FIRST + number))
    longest_first = sorted(letters, key=lambda form: (-len(form), form))
    return Patterns(longest_first, [letters[form] for form in longest_first])


def shapes(normalised: pl.Series, lang: TextLanguage = "auto") -> pl.Series:
    """Replace every term by the private letter of its concept; the longest at a place counts."""
    known = patterns(lang)
    return normalised.str.replace_many(known.terms, known.letters, leftmost=True)


def concepts_in(text: str, lang: TextLanguage = "auto") -> tuple[str, ...]:
    """Names of the concepts of a line, in their order."""
    shape = shapes(normalise(pl.Series([text])), lang)[0]
    names = shipped_concepts()
    numbers = (ord(letter) - CONCEPT_FIRST for letter in shape)
    return tuple(names[number].name for number in numbers if 0 <= number < len(names))
