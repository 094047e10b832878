"""Surface tags of headlines: question mark, number, second person, quotation, length.

Each is one small rule over the text alone, listed with its meaning and examples in
``surface.toml``. They say how a headline is put, not what it is about.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import polars as pl

from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Tag

SOURCE = "surface"
FACET = "surface"
SHORT, LONG = 10, 16  # words: a short headline has fewer, a long one more


@dataclass(frozen=True, slots=True)
class SurfaceRule:
    """One surface tag: the expression that finds it, its meaning in words, and examples."""

    tag: Tag
    carried_by: pl.Expr  # over a string column named "text"
    means: str
    carries: tuple[str, ...]
    lacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Surface:
    """The encoder of surface tags. Strength and confidence are 1: a rule applies or not."""

    source: str = SOURCE

    def encode(self, texts: pl.Series, vocabulary: Vocabulary) -> pl.DataFrame:
        """Find surface tags in texts; the vocabulary plays no part.

        Returns
        -------
        Columns row (u32), tag (slug), strength, confidence (f32), source.
        """
        del vocabulary
        text = texts.fill_null("").alias("text").to_frame()
        found = text.select(rule.carried_by.alias(rule.tag.slug) for rule in surface_rules())
        parts = [
            pl.DataFrame({"row": column.arg_true()}).with_columns(pl.lit(column.name).alias("tag"))
            for column in found
        ]
        one = pl.lit(1.0, pl.Float32)
        return pl.concat(parts).with_columns(
            pl.col("row").cast(pl.UInt32),
            one.alias("strength"),
            one.alias("confidence"),
            pl.lit(self.source).alias("source"),
        )


@cache
def surface_rules() -> tuple[SurfaceRule, ...]:
    """Every rule, in the order of the file."""
    file = resources.files("tagcf.tags").joinpath("surface.toml")
    entries: dict[str, dict[str, Any]] = tomllib.loads(file.read_text("utf-8"))
    first_names = entries.pop("first-names")
    names = "|".join([*first_names["female"], *first_names["male"]])
    return tuple(
        SurfaceRule(
            tag=Tag(f"surface-{slug}", entry["zh"], entry["en"], FACET),
            carried_by=_expression(slug, entry, names),
            means=entry["means"],
            carries=tuple(entry["carries"]),
            lacks=tuple(entry["lacks"]),
        )
        for slug, entry in entries.items()
    )


def surface_tags() -> tuple[Tag, ...]:
    """The tags of all rules."""
    return tuple(rule.tag for rule in surface_rules())


def _expression(slug: str, entry: dict[str, Any], names: str) -> pl.Expr:
    if slug == "short-headline":
        return (length_in_words() < SHORT) & (length_in_words() > 0)
    if slug == "long-headline":
        return length_in_words() > LONG
    text = pl.col("text")
    if "without" in entry:
        text = text.str.replace_all(entry["without"], "")
    return text.str.contains(entry["pattern"].replace("{names}", names))


def length_in_words() -> pl.Expr:
    """Words of a text: runs of letters and digits; two Chinese characters are one word."""
    text = pl.col("text")
    words = text.str.count_matches(r"[\p{Latin}\p{N}]+(?:['’][\p{Latin}]+)*")
    return words + text.str.count_matches(r"\p{Han}") / 2
