"""Several modalities in one answer: how far each is believed is learnt from their agreement.

A source finds a tag or it does not; whether the tag applies is unseen. Tags found by several
sources that could all have found them tell how often each is right (Dawid and Skene 1979, with
one pair of rates a source). Where sources rarely meet, the confidence that their encoders state
counts as so many observations. Sources are taken as independent given the truth: on-screen text
that repeats the caption counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tagcf.types import Floats, Mask

FOUND = 0.5  # strength from which a source is taken to have found a tag
PRIOR = 20.0  # observations that an encoder's own confidence counts as
ROUNDS = 200
SETTLED = 1e-6


@dataclass(frozen=True, slots=True)
class SourceReliability:
    """How far one source is believed."""

    source: str
    precision: float  # share of the tags it finds that apply
    recall: float  # share of the tags that apply, of those that it could find, that it finds
    found: int  # tags of items that it found
    met: int  # of these, on which another source could have spoken
    confirmed: int  # of these, found by another source, too


@dataclass(frozen=True, slots=True)
class Fused:
    """One row per item and tag."""

    rows: pl.DataFrame  # item_id, tag, strength, confidence, source (joined by +)
    reliability: tuple[SourceReliability, ...]


def fuse_sources(found: pl.DataFrame, readable: pl.DataFrame) -> Fused:
    """Fuse what several sources found.

    Parameters
    ----------
    found
        Columns item_id, tag, source, strength, confidence (0..1). Of several rows of one source
        for one tag of an item the strongest counts.
    readable
        Columns item_id, source: what each source could read. A source that could not read an
        item says nothing against a tag.

    Returns
    -------
    Fused
        Confidence is the probability that the tag applies, given who found it and who could have
        but did not; where one source alone could have, what it states, times how much better or
        worse than stated it turned out where it met others. Strength is the noisy or of the
        sources' strengths, 1 - Π(1 - strength); what others make more likely wrong than right is
        weakened by twice its confidence. A source that meets no other keeps both as they are.
    """
    votes = _votes(found, readable)
    precision, recall, posterior = _learn(votes)
    several = votes.seen.sum(axis=1) > 1
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
            "learnt": posterior,
            "alone": ~several,
            "better": (precision / votes.stated)[votes.seen.argmax(axis=1)],
        }
    )
    own = (pl.col("stated") * pl.col("better")).clip(upper_bound=1.0)
    sure = pl.when("alone").then(own).otherwise("learnt")
    usual = pl.when("alone").then((2 * pl.col("stated")).clip(1e-9, 1.0)).otherwise(1.0)
    weakened = ((2 * sure).clip(upper_bound=1.0) / usual).clip(upper_bound=1.0)
    rows = best.join(told, on=["item_id", "tag"], how="inner").with_columns(
        (pl.col("strength") * weakened).cast(pl.Float32),
        sure.cast(pl.Float32).alias("confidence"),
    )
    confirmed = votes.voted.sum(axis=1) > 1
    reliability = tuple(
        SourceReliability(
            source=name,
            precision=round(float(precision[s]), 4),
            recall=round(float(recall[s]), 4),
            found=int(votes.voted[:, s].sum()),
            met=int((votes.voted[:, s] & several).sum()),
            confirmed=int((votes.voted[:, s] & confirmed).sum()),
        )
        for s, name in enumerate(votes.sources)
    )
    columns = ["item_id", "tag", "strength", "confidence", "source"]
    return Fused(rows.select(columns).sort("item_id", "tag"), reliability)


@dataclass(frozen=True, slots=True)
class _Votes:
    """Pairs of item and tag that a source found at all. N pairs, S sources."""

    item: pl.Series  # (N,)
    tag: pl.Series  # (N,)
    sources: tuple[str, ...]
    voted: Mask  # (N, S) found
    seen: Mask  # (N, S) could have been found
    stated: Floats  # (S,) mean confidence that the encoders state, .05 to .95
    silent: tuple[tuple[tuple[bool, ...], int], ...]  # pairs nobody found, by who could have


def _votes(found: pl.DataFrame, readable: pl.DataFrame) -> _Votes:
    sources = tuple(sorted(found["source"].unique().to_list()))
    pairs = found.select("item_id", "tag").unique(maintain_order=True)
    voted = np.zeros((pairs.height, len(sources)), dtype=bool)
    seen = np.zeros_like(voted)
    stated = np.zeros(len(sources))
    able = {source: found.filter(pl.col("source") == source)["tag"].unique() for source in sources}
    for s, source in enumerate(sources):
        own = found.filter(pl.col("source") == source)
        stated[s] = min(max(float(own["confidence"].to_numpy().mean()), 0.05), 0.95)
        hit = own.filter(pl.col("strength") >= FOUND).select("item_id", "tag").unique()
        hit = hit.with_columns(pl.lit(True).alias("hit"))
        there = pairs.join(hit, on=["item_id", "tag"], how="left", maintain_order="left")
        voted[:, s] = there["hit"].fill_null(False).to_numpy()
        items = readable.filter(pl.col("source") == source)["item_id"].unique()
        could = pairs["item_id"].is_in(items.implode()) & pairs["tag"].is_in(able[source].implode())
        seen[:, s] = could.to_numpy() | voted[:, s]
    silent = _silent(readable, able, sources, seen, voted)
    return _Votes(pairs["item_id"], pairs["tag"], sources, voted, seen, stated, silent)


def _silent(
    readable: pl.DataFrame,
    able: dict[str, pl.Series],
    sources: Sequence[str],
    seen: Mask,
    voted: Mask,
) -> tuple[tuple[tuple[bool, ...], int], ...]:
    """How many pairs of item and tag nobody found, by the sources that could have.

    A source can find the tags that it ever found.
    """
    of_item = readable.select("item_id", "source").unique().group_by("item_id").agg("source")
    patterns = of_item["source"].list.sort().value_counts().rows()
    tags: dict[tuple[bool, ...], int] = {}
    every = pl.concat(list(able.values())).unique()
    member = np.column_stack([every.is_in(able[one].implode()).to_numpy() for one in sources])
    kinds, counts = np.unique(member, axis=0, return_counts=True)
    for names, items in patterns:
        reads = np.array([one in names for one in sources])
        for kind, count in zip(kinds, counts, strict=True):
            key = tuple(bool(flag) for flag in kind & reads)
            if any(key):
                tags[key] = tags.get(key, 0) + int(items) * int(count)
    taken, counts = np.unique(seen, axis=0, return_counts=True)
    for row, count in zip(taken, counts, strict=True):
        key = tuple(bool(flag) for flag in row)
        if key in tags:
            tags[key] -= int(count)
    return tuple((key, max(count, 0)) for key, count in tags.items())


def _learn(votes: _Votes) -> tuple[Floats, Floats, Floats]:
    """Precision and recall (S,) of the sources, and the probability (N,) that a tag applies.

    Rates are learnt where two sources or more could have spoken: one alone tells nothing of how
    often it is right, and would carry its starting values over to the others.
    """
    silent_seen = np.array([key for key, _ in votes.silent], dtype=bool).reshape(
        -1, len(votes.sources)
    )
    silent_count = np.array([count for _, count in votes.silent], dtype=float)
    seen = np.vstack([votes.seen, silent_seen])
    voted = np.vstack([votes.voted, np.zeros_like(silent_seen)])
    kinds, kind, count = _patterns(
        seen, voted, np.concatenate([np.ones(len(votes.voted)), silent_count])
    )
    could, said = kinds[:, : seen.shape[1]], kinds[:, seen.shape[1] :]
    count = np.where(could.sum(axis=1) > 1, count, 0.0)
    stated = votes.stated
    of_said, of_could = count @ said, count @ could
    share = PRIOR / np.maximum(of_said, 1.0)  # the prior is votes like these, right as stated
    applies = 1 - np.exp(said @ np.log1p(-stated))  # at first every source is right as stated
    for _ in range(ROUNDS):
        true, could_true = (applies * count) @ said, (applies * count) @ could
        recall = (true + PRIOR * stated + 1.0) / (could_true * (1 + share) + PRIOR * stated + 2.0)
        wrong, could_wrong = of_said - true, of_could - could_true
        false = (wrong + PRIOR * (1 - stated)) / np.maximum(could_wrong * (1 + share), 1.0)
        false = np.clip(false, 1e-9, 0.5)
        common = float(np.clip((applies @ count + 0.5) / (count.sum() + 1.0), 1e-9, 0.9))
        odds = np.log(common / (1 - common)) + _evidence(could, said, recall, false)
        new = 1 / (1 + np.exp(-odds))
        moved = float(np.abs(new - applies)[count > 0].max(initial=0.0))
        applies = new
        if moved < SETTLED:
            break
    precision = ((applies * count) @ said + PRIOR * stated) / (of_said + PRIOR)
    return precision, recall, applies[kind[: len(votes.voted)]]


def _patterns(seen: Mask, voted: Mask, count: Floats) -> tuple[Mask, NDArray[np.intp], Floats]:
    """Different rows of (seen, voted), which one each row is, and how often it occurs."""
    kinds, kind = np.unique(np.hstack([seen, voted]), axis=0, return_inverse=True)
    total = np.bincount(kind.ravel(), weights=count, minlength=len(kinds)).astype(np.float64)
    return kinds, kind.ravel(), total


def _evidence(could: Mask, said: Mask, recall: Floats, false: Floats) -> Floats:
    """Log odds that each pattern of votes speaks for a tag."""
    for_it = np.log(recall / false)
    against = np.log((1 - recall) / (1 - false))
    return np.asarray(said @ for_it + (could & ~said) @ against)
