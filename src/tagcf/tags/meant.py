"""Texts without what they deny and without figures of speech, for encoders of meaning.

A sentence embedding of 不是露营 is near to camping, and one of 熊猫眼 to pandas. The words that
the matcher finds denied, and idioms, are taken out before a text is embedded.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tagcf.tags.lexicon import prepared, tokens
from tagcf.tags.lexis import BARRIER, lexis_of
from tagcf.tags.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Meant:
    """Texts as they are meant."""

    texts: pl.Series
    denied: pl.DataFrame  # row (u32), tag: named and denied


def as_meant(texts: pl.Series, vocabulary: Vocabulary) -> Meant:
    """Take denied words and idioms out of texts; a text of which little remains stays as it is."""
    lexis, ready = lexis_of(vocabulary), prepared(texts)
    odd = ready.str.contains_any([*lexis.negators, *lexis.idioms]).fill_null(value=False)
    rows = odd.arg_true().cast(pl.UInt32)
    some = ready.gather(rows)
    found = tokens(some, lexis)
    out = found.filter(pl.col("turned") | pl.col("pattern").is_in(lexis.idioms))
    kept = texts.gather(rows).to_list()
    for row, pieces in out.group_by("row").agg(pl.struct("start", "pattern")).rows():
        rest = some[row].encode()
        for piece in sorted(pieces, key=lambda one: -one["start"]):
            end = piece["start"] + len(piece["pattern"].encode())
            rest = rest[: piece["start"]] + b" " + rest[end:]
        left = " ".join(rest.decode().replace(BARRIER, ", ").split())
        if sum(letter.isalpha() for letter in left) > 3:
            kept[row] = left
    denied = found.filter("turned").join(lexis.terms.select("pattern", "tag"), on="pattern")
    said = found.filter(~pl.col("turned")).join(lexis.terms.select("pattern", "tag"), on="pattern")
    denied = denied.join(said, on=["row", "tag"], how="anti").select("row", "tag").unique()
    return Meant(
        texts.scatter(rows, pl.Series(kept, dtype=pl.String)),
        denied.with_columns(rows.gather(denied["row"]).alias("row")),
    )
