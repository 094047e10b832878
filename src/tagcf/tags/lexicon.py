"""Tags from words: names, aliases and keywords found in a text. Needs no weights.

All terms are searched at once by polars' Aho-Corasick automaton, so the cost does not grow
with their number. English terms match whole words in any case, with their regular plurals;
Chinese terms match anywhere and have at least two characters. Where terms overlap the
leftmost, then the longest counts: 大熊猫 is a panda and no cat. Negation is not understood:
"not a dog" is about dogs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import polars as pl

from tagcf.tags.vocabulary import Vocabulary
from tagcf.types import Tag

SOURCE = "lexicon"
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The word matcher.

    Each distinct term found leaves a chance that the tag is not meant after all; strength is
    one minus the product of these chances (noisy or)::

        strength = 1 - (1 - name_hit)^names · Π over keywords (1 - keyword_hit)

    so with the defaults one keyword gives .60, two .84, a name .90. Confidence is how sure
    the terms are of their tag: a name .9, a keyword .7, divided by the number of tags that
    claim the term; the highest counts.
    """

    name_hit: float = 0.9
    keyword_hit: float = 0.6
    source: str = SOURCE

    def encode(self, texts: pl.Series, vocabulary: Vocabulary) -> pl.DataFrame:
        """Find tags in texts.

        Parameters
        ----------
        texts
            (n,) strings; null is empty.

        Returns
        -------
        Columns row (u32), tag (slug), strength, confidence (f32), source.
        """
        terms = _terms(vocabulary)
        hits = _matches(texts, terms)
        names, keywords = pl.col("is_name").sum(), pl.col("is_name").not_().sum()
        doubt = (1 - self.name_hit) ** names * (1 - self.keyword_hit) ** keywords
        sure = pl.when(pl.col("is_name")).then(0.9).otherwise(0.7) / pl.col("shared")
        return (
            hits.group_by("row", "tag", maintain_order=True)
            .agg(
                (1 - doubt).cast(pl.Float32).alias("strength"),
                sure.max().cast(pl.Float32).alias("confidence"),
            )
            .with_columns(pl.lit(self.source).alias("source"))
        )


def normalise(texts: pl.Series) -> pl.Series:
    """Bring texts into the form that terms are searched in.

    Full-width forms and capitals are folded; every English word or number stands between two
    spaces of its own, so that `` word `` finds whole words even side by side; punctuation
    and line breaks become a barrier that no term crosses.
    """
    return (
        texts.fill_null("")
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"['’]s\b", "")
        .str.replace_all(r"['’]", "")
        .str.replace_all(r"([\p{Latin}\p{N}]+)", " $1 ")
        .str.replace_all(r"[ \t\-_/&]+", "  ")
        .str.replace_all(r"[^\p{L}\p{N} ]+", "|")
    )


def _matches(texts: pl.Series, terms: pl.DataFrame) -> pl.DataFrame:
    """Return row × term pairs found, each once, with the term's tag."""
    patterns = sorted(terms["pattern"].unique(), key=lambda pattern: (-len(pattern), pattern))
    found = normalise(texts).str.extract_many(patterns, leftmost=True)
    return (
        pl.DataFrame({"pattern": found})
        .with_row_index("row")
        .filter(pl.col("pattern").list.len() > 0)
        .explode("pattern")
        .join(terms, on="pattern", maintain_order="left")
        .unique(["row", "tag", "term"], keep="first", maintain_order=True)
    )


@cache
def _terms(vocabulary: Vocabulary) -> pl.DataFrame:
    """Every pattern: pattern, term (plural and singular are one), tag, is_name, shared."""
    named = [
        (term, tag.slug, is_name) for tag in vocabulary.tags for term, is_name in _terms_of(tag)
    ]
    frame = pl.DataFrame(named, schema=["term", "tag", "is_name"], orient="row")
    plain = normalise(frame["term"]).str.strip_chars().to_list()
    return (
        frame.with_columns(pl.Series("pattern", [_patterns(term) for term in plain]))
        .explode("pattern")
        .drop_nulls("pattern")
        .unique(["pattern", "tag"], keep="first", maintain_order=True)
        .with_columns(pl.len().over("pattern").alias("shared"))
    )


def _terms_of(tag: Tag) -> list[tuple[str, bool]]:
    """Names first, so that a keyword that repeats a name counts as the name."""
    names = dict.fromkeys((tag.zh, tag.en, *tag.aliases), True)
    return [*names.items(), *((word, False) for word in tag.keywords if word not in names)]


def _patterns(term: str) -> list[str]:
    """Forms under which a normalised term is searched."""
    if _HAN.search(term):
        return [term] if len(term.replace(" ", "")) > 1 else []
    return [f" {form} " for form in plurals(term)]


def plurals(term: str) -> list[str]:
    """Return a lower-case English term and its regular plural."""
    if re.search(r"(s|x|z|ch|sh)$", term):
        return [term, f"{term}es"]
    if re.search(r"[^aeiou]y$", term):
        return [term, f"{term[:-1]}ies"]
    return [term, f"{term}s"]
