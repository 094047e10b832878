"""Fusion learns how right each source is, on simulated votes with known rates."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tagcf.tags.fusion import Fused, fuse_sources

N_ITEMS, N_TAGS, COMMON = 1_500, 40, 0.06
RATES = {"text": (0.85, 0.7), "ocr": (0.4, 0.5), "speech": (0.65, 0.6)}  # precision, recall


def simulated(seed: int, unread: float = 0.0) -> tuple[pl.DataFrame, pl.DataFrame, np.ndarray]:
    """Votes of sources that are independent given the truth; a share of items is not read."""
    rng = np.random.default_rng(seed)
    applies = rng.random((N_ITEMS, N_TAGS)) < COMMON
    found, readable = [], []
    for name, (precision, recall) in RATES.items():
        reads = rng.random(N_ITEMS) >= unread
        false = recall * COMMON * (1 - precision) / (precision * (1 - COMMON))
        hit = rng.random(applies.shape) < np.where(applies, recall, false)
        item, tag = np.nonzero(hit & reads[:, None])
        found.append(
            pl.DataFrame(
                {
                    "item_id": [f"i{at}" for at in item],
                    "tag": [f"t{at}" for at in tag],
                    "source": name,
                    "strength": 0.9,
                    "confidence": 0.6,
                }
            )
        )
        ids = [f"i{at}" for at in np.flatnonzero(reads)]
        readable.append(pl.DataFrame({"item_id": ids, "source": name}))
    return pl.concat(found), pl.concat(readable), applies


@pytest.mark.parametrize("unread", [0.0, 0.4])
def test_rates_are_recovered(unread: float) -> None:
    found, readable, _ = simulated(0, unread)
    told = {one.source: one for one in fuse_sources(found, readable).reliability}
    for name, (precision, recall) in RATES.items():
        assert told[name].precision == pytest.approx(precision, abs=0.05 + 0.1 * unread)
        assert told[name].recall == pytest.approx(recall, abs=0.05 + 0.1 * unread)
        assert 0 < told[name].confirmed < told[name].met <= told[name].found


def test_confidence_is_calibrated() -> None:
    found, readable, applies = simulated(1, 0.3)
    rows = fuse_sources(found, readable).rows
    truth = np.array(
        [applies[int(i[1:]), int(t[1:])] for i, t in rows.select("item_id", "tag").rows()]
    )
    said = rows["confidence"].to_numpy()
    for low, high in ((0.0, 0.4), (0.4, 0.8), (0.8, 1.01)):
        inside = (said >= low) & (said < high)
        assert inside.sum() > 50
        assert truth[inside].mean() == pytest.approx(said[inside].mean(), abs=0.06)


def test_silence_of_a_source_that_could_not_read_says_nothing() -> None:
    found, readable, _ = simulated(2)
    alone = found.filter((pl.col("item_id") == "i3") & (pl.col("source") == "speech"))
    tag = alone["tag"][0]
    only = found.filter(
        (pl.col("item_id") != "i3") | ((pl.col("tag") == tag) & (pl.col("source") == "speech"))
    )
    deaf = readable.filter((pl.col("item_id") != "i3") | (pl.col("source") == "speech"))
    heard_by_all = confidence(fuse_sources(only, readable), "i3", tag)
    heard_by_one = confidence(fuse_sources(only, deaf), "i3", tag)
    assert heard_by_one > heard_by_all + 0.1


def test_a_source_that_meets_no_other_keeps_its_stated_confidence() -> None:
    found = pl.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "tag": ["slow", "slow", "dogs"],
            "source": ["frames", "frames", "text"],
            "strength": [0.8, 0.6, 1.0],
            "confidence": [0.7, 0.7, 0.9],
        }
    )
    readable = pl.DataFrame(
        {"item_id": ["a", "b", "c", "a"], "source": ["frames", "frames", "text", "text"]}
    )
    fused = fuse_sources(found, readable)
    told = {one.source: one for one in fused.reliability}
    assert told["frames"].precision == pytest.approx(0.7, abs=0.1)
    assert told["frames"].met == 0
    assert set(fused.rows.columns) == {"item_id", "tag", "strength", "confidence", "source"}
    assert fused.rows["strength"].to_list() == pytest.approx([0.8, 0.6, 1.0])  # all believed


def test_texts_keep_what_they_state_when_few_items_have_media() -> None:
    rng = np.random.default_rng(4)
    size, media = 20_000, 200
    text = pl.DataFrame(
        {
            "item_id": [f"i{at}" for at in range(size)],
            "tag": [f"t{at}" for at in rng.integers(0, 50, size)],
            "source": "text",
            "strength": 0.7,
            "confidence": rng.choice([0.35, 0.5, 0.9], size),
        }
    )
    seen = text.head(media).with_columns(
        pl.lit("frames").alias("source"), pl.lit("t0").alias("tag"), pl.lit(0.6).alias("confidence")
    )
    read = pl.concat([text.select("item_id", "source"), seen.select("item_id", "source")])
    fused = fuse_sources(pl.concat([text, seen]), read)
    without = fused.rows.filter(pl.col("source") == "text").join(
        text.tail(size - media), on=["item_id", "tag"], suffix="_told"
    )
    assert without.height == size - media
    assert without["strength"].to_numpy() == pytest.approx(0.7, abs=0.07)
    gap = without["confidence"] - without["confidence_told"]
    assert float(gap.abs().max() or 0.0) < 0.05
    shown = fused.rows.filter(pl.col("source") == "frames")
    assert (shown["strength"] >= 0.5).all()  # a title's silence refutes no picture


def test_a_source_that_is_mostly_wrong_weakens_what_it_says_alone() -> None:
    found, readable, _ = simulated(3)
    rows = fuse_sources(found, readable).rows
    alone = rows.filter(pl.col("source") == "ocr")
    both = rows.filter(pl.col("source") == "ocr+text")
    assert (alone["strength"] < 0.5).all()  # no longer carried at the usual threshold
    assert (both["strength"] > 0.9).all()


def confidence(fused: Fused, item: str, tag: str) -> float:
    """Confidence of one row."""
    row = fused.rows.filter((pl.col("item_id") == item) & (pl.col("tag") == tag))
    return float(row["confidence"][0])
