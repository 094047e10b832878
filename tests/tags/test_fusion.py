"""Fusion learns how right each source is, on simulated votes with known rates."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tagcf.tags.fusion import Fused, fuse_sources
from tagcf.tags.repeats import pieces, repeats_of

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


def differing(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, np.ndarray]]:
    """Votes of sources that find some tags nearly always and others hardly ever."""
    rng = np.random.default_rng(seed)
    applies = rng.random((N_ITEMS, N_TAGS)) < COMMON
    found, readable, recalls = [], [], {}
    for name, (precision, recall) in RATES.items():
        recalls[name] = rng.beta(2 * recall, 2 * (1 - recall), N_TAGS).clip(0.05, 0.95)
        false = recalls[name] * COMMON * (1 - precision) / (precision * (1 - COMMON))
        hit = rng.random(applies.shape) < np.where(applies, recalls[name], false)
        found.append(finds(*np.nonzero(hit), name))
        readable.append(everywhere(name))
    return pl.concat(found), pl.concat(readable), recalls


def test_recalls_of_single_tags_are_recovered() -> None:
    found, readable, recalls = differing(0)
    told = fuse_sources(found, readable).recalls.filter(pl.col("applied") > 30)
    assert told.height > 2 * N_TAGS
    said = told["recall"].to_numpy()
    true = np.array([recalls[s][int(t[1:])] for s, t in told.select("source", "tag").rows()])
    assert np.abs(said - true).mean() < 0.08
    assert np.corrcoef(said, true)[0, 1] > 0.9
    by_source = told.group_by("source").agg(pl.col("recall").mean())
    one_for_all = dict(by_source.rows())
    flat = np.array([one_for_all[s] for s in told["source"]])
    assert np.abs(said - true).mean() < np.abs(flat - true).mean() / 2


def offering(seed: int, size: int = 15) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Two open sources, and a model (precision .9, recall .85) offered `size` of the tags."""
    rng = np.random.default_rng(seed)
    found, readable, applies = simulated(seed)
    offered = rng.random(applies.shape).argsort(axis=1) < size
    false = 0.85 * COMMON * 0.1 / (0.9 * (1 - COMMON))
    hit = (rng.random(applies.shape) < np.where(applies, 0.85, false)) & offered
    lists = [[f"t{tag}" for tag in np.flatnonzero(row)] for row in offered]
    ids = [f"i{at}" for at in range(N_ITEMS)]
    offers = pl.DataFrame({"item_id": ids, "source": "llm:x", "tags": lists})
    found = pl.concat([found, finds(*np.nonzero(hit), "llm:x")])
    return found, pl.concat([readable, everywhere("llm:x")]), offers


def test_tags_that_were_not_offered_are_no_silence() -> None:
    found, readable, offers = offering(5)
    asked = fuse_sources(found, readable, offers)
    naive = fuse_sources(found, readable)
    told, wrong = (
        next(one for one in fused.reliability if one.source == "llm:x") for fused in (asked, naive)
    )
    assert told.recall == pytest.approx(0.85, abs=0.06)
    assert told.precision == pytest.approx(0.9, abs=0.06)
    assert wrong.recall < 0.5  # what it would look like if silence always counted
    shown = offers.explode("tags").rename({"tags": "tag"})
    rows = asked.rows.join(naive.rows, on=["item_id", "tag"], suffix="_naive")
    unasked = rows.join(shown, on=["item_id", "tag"], how="anti")
    without = fuse_sources(
        found.filter(pl.col("source") != "llm:x"), readable.filter(pl.col("source") != "llm:x")
    ).rows
    both = unasked.join(without, on=["item_id", "tag"], suffix="_without")
    assert both.height == unasked.height > 1_000
    gap = both["confidence"] - both["confidence_without"]
    assert abs(float(gap.mean())) < 0.03  # type: ignore[arg-type]  # as if it had not been there
    refused = rows.join(shown, on=["item_id", "tag"]).filter(pl.col("source") == "speech")
    alone = unasked.filter(pl.col("source") == "speech")
    assert float(refused["confidence"].mean()) < 0.5 * float(alone["confidence"].mean())  # type: ignore[arg-type]


def test_an_offer_that_was_never_taken_up_counts_against_a_tag() -> None:
    found, readable, offers = offering(6)
    ids = [f"i{at}" for at in range(N_ITEMS)]
    more = offers.with_columns(pl.col("tags").list.concat(pl.lit(["never"])))
    extra = pl.DataFrame(
        {
            "item_id": ids[:200],
            "tag": "never",
            "source": "text",
            "strength": 0.9,
            "confidence": 0.6,
        }
    )
    found = pl.concat([found, extra])
    refused = fuse_sources(found, readable, more).rows.filter(pl.col("tag") == "never")
    unasked = fuse_sources(found, readable, offers).rows.filter(pl.col("tag") == "never")
    assert float(refused["confidence"].max()) < float(unasked["confidence"].min())  # type: ignore[arg-type]


def test_repeated_captions_neither_raise_strength_nor_confidence_nor_precision() -> None:
    found, readable, _ = simulated(7)
    text = found.filter(pl.col("source") == "text")
    copies = text.with_columns(pl.lit("screen").alias("source"))
    screen = pl.concat([found.with_columns(pl.col("item_id")), copies])
    read = pl.concat([readable, everywhere("screen")])
    echoes = copies.select("item_id", "tag", "source", pl.lit("text").alias("of"))
    plain = fuse_sources(found, readable)
    once = fuse_sources(screen, read, repeats=echoes)
    assert plain.rows.equals(once.rows)
    by_name = {one.source: one for one in once.reliability}
    assert by_name["text"] == next(one for one in plain.reliability if one.source == "text")
    twice = fuse_sources(screen, read)
    mine = twice.rows.filter(pl.col("source") == "screen+text")
    kept = mine.join(plain.rows, on=["item_id", "tag"], suffix="_plain")
    assert float((kept["confidence"] - kept["confidence_plain"]).mean()) > 0.1  # type: ignore[arg-type]


def test_a_source_of_which_a_part_repeats_is_judged_by_the_rest() -> None:
    found, readable, _ = simulated(8)
    rng = np.random.default_rng(8)
    text = found.filter(pl.col("source") == "text")
    copied = text.filter(pl.Series(rng.random(text.height) < 0.5))
    own = found.filter(pl.col("source") == "ocr").select("item_id", "tag")
    copies = copied.with_columns(pl.lit("ocr").alias("source")).join(
        own, on=["item_id", "tag"], how="anti"
    )
    echoes = copies.select("item_id", "tag", "source", pl.lit("text").alias("of"))
    told = {
        one.source: one
        for one in fuse_sources(pl.concat([found, copies]), readable, repeats=echoes).reliability
    }
    assert told["ocr"].precision == pytest.approx(RATES["ocr"][0], abs=0.06)
    assert told["ocr"].repeated == copies.height
    assert told["text"].precision == pytest.approx(RATES["text"][0], abs=0.08)


def test_repeats_are_told_by_their_words() -> None:
    rows = [
        ("a", "camping", "text", None),
        ("a", "camping", "ocr", "周末去露營，不，去露营吧！"),  # a misread character
        ("a", "camping", "speech", "露营"),
        ("b", "camping", "text", None),
        ("b", "camping", "ocr", "帐篷搭在湖边，篝火刚点着"),
        ("b", "camping", "speech", "帐篷"),  # subtitles of what is said
        ("c", "dogs", "ocr", "带狗狗出门"),  # the text was not read so
        ("d", "dogs", "text", None),
        ("d", "dogs", "ocr", "My dog at the lake"),
        ("d", "dogs", "speech", "puppy"),
        ("d", "dogs", "speech", "my dog"),
        ("e", "dogs", "frames", "带狗狗出门"),  # quotes no words of the item
        ("e", "dogs", "text", None),
    ]
    found = pl.DataFrame(rows, schema=["item_id", "tag", "source", "quote"], orient="row")
    written = {
        "a": "周末去露营吧！",
        "b": "两天一夜",
        "c": "带狗狗出门",
        "d": "my DOG at the lake #fun",
        "e": "带狗狗出门",
    }
    assert set(repeats_of(found, written, "text").rows()) == {
        ("a", "camping", "ocr", "text"),
        ("a", "camping", "speech", "text"),
        ("b", "camping", "speech", "ocr"),
        ("d", "dogs", "ocr", "text"),
    }


def test_pieces_of_words() -> None:
    assert pieces("去露营 with my DOG!") == ["去露", "露营", "with", "my", "dog"]
    assert pieces("猫 ＃ａ") == ["猫", "a"]
    assert pieces("") == []


def finds(item: np.ndarray, tag: np.ndarray, source: str) -> pl.DataFrame:
    """Finds of one source."""
    return pl.DataFrame(
        {
            "item_id": [f"i{at}" for at in item],
            "tag": [f"t{at}" for at in tag],
            "source": source,
            "strength": 0.9,
            "confidence": 0.6,
        }
    )


def everywhere(source: str) -> pl.DataFrame:
    """A source that read every item."""
    return pl.DataFrame({"item_id": [f"i{at}" for at in range(N_ITEMS)], "source": source})
