"""Several modalities in one answer: how far each is believed is learnt from their agreement.

A source finds a tag or it does not; whether the tag applies is unseen. Tags found by several
sources that could all have found them tell how often each is right and how much it finds of each
tag (`agreement`). Where sources rarely meet, the confidence that their encoders state counts as so
many observations. Sources are taken as independent given the truth, but words that repeat those of
another source count once (`repeats`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tagcf.tags.agreement import Rates, learn_rates
from tagcf.tags.votes import Votes, votes_of


@dataclass(frozen=True, slots=True)
class SourceReliability:
    """How far one source is believed."""

    source: str
    precision: float  # share of the tags it finds that apply
    recall: float  # share of the tags that apply, of those that it could find, that it finds
    found: int  # tags of items that it found
    met: int  # of these, on which another source could have spoken
    confirmed: int  # of these, found by another source, too
    repeated: int = 0  # tags that it only found by another source's words; not among `found`


@dataclass(frozen=True, slots=True)
class Fused:
    """One row per item and tag."""

    rows: pl.DataFrame  # item_id, tag, strength, confidence, source (joined by +)
    reliability: tuple[SourceReliability, ...]
    # source, tag, recall, applied: items that carry the tag, by estimate, where it met another
    recalls: pl.DataFrame


def fuse_sources(
    found: pl.DataFrame,
    readable: pl.DataFrame,
    offered: pl.DataFrame | None = None,
    repeats: pl.DataFrame | None = None,
) -> Fused:
    """Fuse what several sources found.

    Parameters
    ----------
    found
        Columns item_id, tag, source, strength, confidence (0..1). Of several rows of one source
        for one tag of an item the strongest counts.
    readable
        Columns item_id, source: what each source could read. A source that could not read an
        item says nothing against a tag.
    offered
        Columns item_id, source, tags (lists): the only tags that a source could choose from. It
        says nothing against others. An item that is not there was open to any tag that the
        source ever finds.
    repeats
        Columns item_id, tag, source, of: what a source found only by the words of another. It
        counts as the other's; see `repeats.repeats_of`.

    Returns
    -------
    Fused
        Confidence is the probability that the tag applies, given who found it and who could have
        but did not; where one source alone could have, what it states, times how much better or
        worse than stated it turned out where it met others. Strength is the noisy or of the
        sources' strengths, 1 - Π(1 - strength); what others make more likely wrong than right is
        weakened by twice its confidence. A source that meets no other keeps both as they are.
    """
    if repeats is not None:
        found = _as_repeated(found, repeats)
    votes = votes_of(found, readable, offered, repeats)
    rates = learn_rates(votes)
    return Fused(
        _rows(found, votes, rates), _reliability(votes, rates, repeats), _recalls(votes, rates)
    )


def _as_repeated(found: pl.DataFrame, repeats: pl.DataFrame) -> pl.DataFrame:
    """Give what a source only repeats to the source that it repeats."""
    keys = ["item_id", "tag", "source"]
    named = found.join(repeats, on=keys, how="left", maintain_order="left")
    return named.with_columns(pl.coalesce("of", "source").alias("source")).drop("of")


def _rows(found: pl.DataFrame, votes: Votes, rates: Rates) -> pl.DataFrame:
    each = found.group_by("item_id", "tag", "source").agg(pl.col("strength", "confidence").max())
    best = each.group_by("item_id", "tag").agg(
        (1 - (1 - pl.col("strength")).product()).alias("strength"),
        pl.col("confidence").max().alias("stated"),
        pl.col("source").sort().str.join("+"),
    )
    told = pl.DataFrame(
        {
            "item_id": votes.item,
            "tag": votes.tag,
            "learnt": rates.applies[votes.cell],
            "alone": votes.seen.sum(axis=1) < 2,
            "better": (rates.precision / votes.stated)[votes.seen.argmax(axis=1)],
        }
    )
    own = (pl.col("stated") * pl.col("better")).clip(upper_bound=1.0)
    sure = pl.when("alone").then(own).otherwise("learnt")
    usual = pl.when("alone").then((2 * pl.col("stated")).clip(1e-9, 1.0)).otherwise(1.0)
    weakened = ((2 * sure).clip(upper_bound=1.0) / usual).clip(upper_bound=1.0)
    return (
        best.join(told, on=["item_id", "tag"], how="inner")
        .with_columns(
            (pl.col("strength") * weakened).cast(pl.Float32),
            sure.cast(pl.Float32).alias("confidence"),
        )
        .select("item_id", "tag", "strength", "confidence", "source")
        .sort("item_id", "tag")
    )


def _reliability(
    votes: Votes, rates: Rates, repeats: pl.DataFrame | None
) -> tuple[SourceReliability, ...]:
    several, confirmed = votes.seen.sum(axis=1) > 1, votes.voted.sum(axis=1) > 1
    echoes = dict(repeats["source"].value_counts().rows()) if repeats is not None else {}
    return tuple(
        SourceReliability(
            source=name,
            precision=round(float(rates.precision[s]), 4),
            recall=round(float(rates.recall[s]), 4),
            found=int(votes.voted[:, s].sum()),
            met=int((votes.voted[:, s] & several).sum()),
            confirmed=int((votes.voted[:, s] & confirmed).sum()),
            repeated=int(echoes.get(name, 0)),
        )
        for s, name in enumerate(votes.sources)
    )


def _recalls(votes: Votes, rates: Rates) -> pl.DataFrame:
    """Recall by source and tag, where the source met another on a tag that applies."""
    source, tag = np.nonzero(rates.applied > 0)
    return pl.DataFrame(
        {
            "source": pl.Series(votes.sources).gather(source),
            "tag": votes.tags.gather(tag),
            "recall": rates.recall_of[source, tag],
            "applied": rates.applied[source, tag],
        }
    )
