"""Tags from words: names, keywords, slang and hashtags found in a text. Needs no weights.

All terms are searched at once by polars' Aho-Corasick automaton, so the cost does not grow
with their number. English terms match whole words in any case, with their regular plurals;
Chinese terms match anywhere. Where terms overlap the leftmost, then the longest counts: 大熊猫 is
a panda and no cat, 熊猫眼 is neither. A term right after a negation is not counted ("not a dog",
不是露营), and a word of several senses counts for the tag that its neighbours speak for
(苹果 with 电池 is a phone). Hashtags are also read as the words they run together.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tagcf.tags.lexis import BARRIER, Lexis, lexis_of, normalise
from tagcf.tags.vocabulary import Vocabulary

SOURCE = "lexicon"
# Bytes between a negation and the terms that it turns around: four Chinese characters, five English
# words (which stand between two spaces each). Punctuation and words such as 而是 or "but" end it.
REACH, REACH_LATIN = 12, 30
_HASHTAG = r"#([\p{L}\p{N}_]+)"


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The word matcher.

    Each distinct term found leaves a chance that the tag is not meant after all; strength is
    one minus the product of these chances (noisy or)::

        strength = 1 - (1 - name_hit)^names · (1 - keyword_hit)^keywords · (1 - word_hit)^words …

    so with the defaults one keyword gives .60, two .84, a name .90. Names and keywords are the
    vocabulary's; words and hints those of ``words.toml``, of which one alone stays under .5: they
    were written after reading the ``tune`` texts of ``benchmarks/labels``, and are believed less
    than what they found there. Confidence is how sure the surest term is of its tag:
    `name_trust` for a name, else the chance of its kind plus .1, divided by the number of tags
    that claim the term.
    """

    name_hit: float = 0.9
    keyword_hit: float = 0.6
    word_hit: float = 0.45
    hint_hit: float = 0.25
    name_trust: float = 0.9
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
        chances = {
            "name": self.name_hit,
            "keyword": self.keyword_hit,
            "word": self.word_hit,
            "hint": self.hint_hit,
        }
        hit = pl.col("kind").replace_strict(chances, return_dtype=pl.Float64)
        sure = pl.when(pl.col("kind") == "name").then(self.name_trust).otherwise(hit + 0.1)
        return (
            _matches(texts, vocabulary)
            .select("row", "tag", doubt=(1 - hit).log(), sure=sure / pl.col("shared"))
            .group_by("row", "tag", maintain_order=True)
            .agg(pl.col("doubt").sum(), pl.col("sure").max())
            .select(
                "row",
                "tag",
                (1 - pl.col("doubt").exp()).cast(pl.Float32).alias("strength"),
                pl.col("sure").cast(pl.Float32).alias("confidence"),
                pl.lit(self.source).alias("source"),
            )
        )

    def words(self, texts: pl.Series, vocabulary: Vocabulary) -> pl.DataFrame:
        """Return the words behind `encode`: columns row (u32), tag (slug), term.

        A term is spelled as in the vocabulary; the surest of a tag comes first.
        """
        order = pl.col("kind").replace_strict({"name": 0, "keyword": 1, "word": 2, "hint": 3})
        return (
            _matches(texts, vocabulary)
            .sort("row", "tag", order, maintain_order=True)
            .select("row", "tag", "term")
        )


def prepared(texts: pl.Series) -> pl.Series:
    """Normalise texts, with the words that their hashtags run together at the end.

    ``#VanLife`` gives ``van  life`` besides ``vanlife``.
    """
    plain = normalise(texts)
    rows, tags = _hashtags(texts)
    if rows.is_empty():
        return plain
    split = normalise(tags.str.replace_all(r"(\p{Ll}|\p{N})(\p{Lu})", "$1 $2"))
    return plain.scatter(rows, plain.gather(rows) + BARRIER + split)


def _hashtags(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Rows with hashtags, and these in a row."""
    rows = texts.str.contains(_HASHTAG).fill_null(value=False).arg_true()
    return rows, texts.gather(rows).str.extract_all(_HASHTAG).list.join(BARRIER)


def _matches(texts: pl.Series, vocabulary: Vocabulary) -> pl.DataFrame:
    """Return row × tag × term found, each once, with the term's kind and how many tags share it."""
    lexis, ready = lexis_of(vocabulary), prepared(texts)
    found = _extracted(ready, lexis.patterns).filter(pl.col("pattern").list.len() > 0)
    negated = found["pattern"].list.eval(pl.element().is_in(lexis.negators)).list.any()
    hits = pl.concat(
        [
            found.filter(~negated).explode("pattern"),
            _not_negated(found.filter(negated), ready, lexis),
            _in_hashtags(texts, lexis),
        ]
    )
    return (
        pl.concat([hits.join(lexis.terms, on="pattern"), _in_sense(hits, ready, lexis)])
        .unique(["row", "tag", "term"], keep="first", maintain_order=True)
        .sort("row", maintain_order=True)
    )


def _extracted(texts: pl.Series, patterns: list[str]) -> pl.DataFrame:
    found = texts.str.extract_many(patterns, leftmost=True)
    return pl.DataFrame({"pattern": found}).with_row_index("row")


def _not_negated(found: pl.DataFrame, ready: pl.Series, lexis: Lexis) -> pl.DataFrame:
    """Row × pattern of texts with a negation, without the terms within its reach."""
    if found.is_empty():
        return found.explode("pattern")
    read = tokens(ready.gather(found["row"]), lexis).filter(~pl.col("turned"))
    return read.select(found["row"].gather(read["row"]), "pattern")


def tokens(ready: pl.Series, lexis: Lexis) -> pl.DataFrame:
    """Return all patterns in prepared texts: row, start (bytes), pattern, turned (denied)."""
    found = _extracted(ready, lexis.patterns).with_columns(
        ready.str.find_many(lexis.patterns, leftmost=True).alias("start")
    )
    end = (pl.col("start") + pl.col("pattern").str.len_bytes()).cast(pl.Int64)
    denies, breaks = pl.col("pattern").is_in(lexis.negators), pl.col("pattern").is_in(lexis.breaks)
    since = pl.when(denies).then(end).when(breaks).then(pl.lit(-1_000_000))
    reach = pl.when(pl.col("pattern").str.starts_with(" ")).then(REACH_LATIN).otherwise(REACH)
    gap = pl.col("start").cast(pl.Int64) - since.forward_fill().over("row")
    return (
        found.explode("pattern", "start")
        .drop_nulls("pattern")
        .with_columns(turned=((gap >= 0) & (gap <= reach) & ~denies).fill_null(value=False))
        .select("row", "start", "pattern", "turned")
    )


def _in_hashtags(texts: pl.Series, lexis: Lexis) -> pl.DataFrame:
    """Row × pattern of terms that are a hashtag, or begin or end one."""
    rows, tags = _hashtags(texts)
    if rows.is_empty():
        return pl.DataFrame(schema=_HIT)
    runs = tags.str.normalize("NFKC").str.to_lowercase().str.replace_all("_", "", literal=True)
    found = _extracted(runs.str.replace_all(_HASHTAG, "#$1#"), lexis.of_hashtags)
    return found.with_columns(rows.alias("row")).explode("pattern").drop_nulls().cast(_HIT)


def _in_sense(hits: pl.DataFrame, ready: pl.Series, lexis: Lexis) -> pl.DataFrame:
    """Tags of the words of several senses among the hits."""
    known = hits.join(lexis.of_senses, on="pattern").unique(["row", "term"], maintain_order=True)
    parts = [lexis.terms.clear().insert_column(0, pl.Series("row", [], pl.UInt32))]
    for (term,), rows in known.partition_by("term", as_dict=True, maintain_order=True).items():
        cases, otherwise = lexis.senses[term]
        texts = ready.gather(rows["row"])
        tag = pl.Series([otherwise], dtype=pl.String).new_from_index(0, len(texts))
        for slug, words in reversed(cases):
            here = pl.Series([slug]).new_from_index(0, len(texts))
            tag = here.zip_with(texts.str.contains_any(words), tag)
        sure = (pl.lit("keyword").alias("kind"), pl.lit(1, pl.UInt32).alias("shared"))
        parts.append(rows.with_columns(tag.alias("tag"), *sure).select(parts[0].columns))
    return pl.concat(parts).drop_nulls("tag")


_HIT = pl.Schema({"row": pl.UInt32, "pattern": pl.String})
