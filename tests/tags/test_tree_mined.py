"""Which behaviour a proposal has seen: kept with it, with the tree, and with the tags of items."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tree_corpus import corpus

from tagcf.data.arrays import log_from_arrays
from tagcf.data.read import read_log
from tagcf.data.workspace import Workspace, open_workspace
from tagcf.errors import DataError, EstimationError
from tagcf.settings import Settings, TreeSettings
from tagcf.tags.matrix import load_tags, tags_version
from tagcf.tags.tree.changes import Change, change_hash, mined_by
from tagcf.tags.tree.meaning import character_pairs
from tagcf.tags.tree.mined import (
    Mined,
    both_mined,
    mined_from_table,
    mined_table,
    part_to_mine,
    places,
    units_of,
    unseen_items,
)
from tagcf.tags.tree.proposals import Proposal, apply_proposals, read_proposals, write_proposals
from tagcf.tags.tree.propose import propose
from tagcf.tags.tree.versions import FILE, mined_tags, read_tree, tree_version
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.types import EventLog

KNOWN = default_vocabulary().tags
DAY = date(2026, 11, 23)
SPAN = Mined(1_767_225_600.0, 1_769_904_000.0, 0.5)
SUB = Proposal(
    id="sub-tag-1",
    kind="sub_tag",
    tag="family-warmth",
    names=("婆媳相处",),
    slug="in-laws",
    zh="婆媳相处",
    en="In-laws",
    status="accept",
    mined=SPAN,
)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, Settings())


def small_log(ts: np.ndarray | None) -> EventLog:
    """Item k has rows at times k and 10 + k; forty items."""
    item = np.tile(np.arange(40), 2)
    return log_from_arrays(
        item=np.array([f"i{k:02}" for k in item]),
        user=np.arange(80) % 7,
        outcomes={"click": np.ones(80)},
        ts=ts,
    )


TIMES = np.concatenate([np.arange(40.0), np.arange(40.0) + 100])
UNITS = units_of([f"i{k:02}" for k in range(40)])


# ── what is searched, what is left ──────────────────────────────────────────
def test_a_share_is_the_same_in_every_log() -> None:
    assert places(["item a", "author a", "item a"])[[0, 2]].tolist() == pytest.approx(
        [places(["item a"])[0]] * 2
    )
    assert places(["item v1", "author 小红"]).round(6).tolist() == PLACES
    assert abs(np.mean(places([f"item {k}" for k in range(20_000)]) < 0.5) - 0.5) < 0.015


PLACES = [0.764595, 0.149425]


def test_the_part_that_is_searched_and_the_part_that_is_not() -> None:
    log = small_log(TIMES)
    part, mined = part_to_mine(log, UNITS)
    searched = {int(k) for batch in part.batches() for k in batch.item}
    assert 10 < len(searched) < 30
    assert (mined.first, mined.last) == (min(searched), 100 + max(searched))
    assert part.n_rows == 2 * len(searched)
    unseen = set(np.flatnonzero(unseen_items(log, UNITS, mined)))
    assert unseen == set(range(40)) - searched
    # Nested: what a smaller share searches, a larger one does too.
    more = {int(k) for batch in part_to_mine(log, UNITS, 0.8)[0].batches() for k in batch.item}
    assert searched < more


def test_until_a_time_leaves_what_came_later() -> None:
    log = small_log(TIMES)
    part, mined = part_to_mine(log, UNITS, 1.0, until=24.5)
    assert mined == Mined(0.0, 24.0, 1.0)
    assert part.n_rows == 25
    unseen = unseen_items(log, UNITS, mined)
    assert np.flatnonzero(unseen).tolist() == list(range(25, 40))
    # A log that no longer holds those rows cannot say who was there then.
    late = log_from_arrays(
        item=np.array([f"i{k:02}" for k in range(40)]),
        outcomes={"click": np.ones(40)},
        ts=TIMES[40:],
    )
    assert not unseen_items(late, UNITS, mined).any()
    assert (
        unseen_items(late, UNITS, replace(mined, share=0.5)).sum() == (places(UNITS) >= 0.5).sum()
    )
    with pytest.raises(EstimationError, match="no impression"):
        part_to_mine(log, UNITS, 1.0, until=-5.0)


def test_a_log_without_time() -> None:
    part, mined = part_to_mine(small_log(None), UNITS)
    assert mined == Mined(None, None, 0.5)
    assert 0 < part.n_rows < 80
    unseen = unseen_items(small_log(None), UNITS, mined)
    np.testing.assert_array_equal(unseen, places(UNITS) >= 0.5)
    assert not unseen_items(small_log(None), UNITS, Mined(None, None, 1.0)).any()


def test_items_of_one_author_stay_together() -> None:
    authors = [f"a{k % 8}" for k in range(40)]
    units = units_of([f"i{k:02}" for k in range(40)], authors)
    log = small_log(TIMES)
    _, mined = part_to_mine(log, units)
    unseen = unseen_items(log, units, mined)
    for author in set(authors):
        assert len(set(unseen[[k for k in range(40) if authors[k] == author]])) == 1
    # An author who was seen before is no news, whatever the item.
    early = unseen_items(log, units, Mined(0.0, 3.0, 1.0))
    assert {authors[k] for k in np.flatnonzero(early)} == {f"a{k}" for k in range(4, 8)}
    assert units_of(["x"], [None]) == units_of(["x"])


def test_spans_of_two_searches() -> None:
    more = both_mined(SPAN, Mined(SPAN.last, SPAN.last + 9, 0.3))
    assert more == Mined(SPAN.first, SPAN.last + 9, 0.5)
    assert both_mined(None, SPAN) is SPAN
    assert both_mined(SPAN, Mined(None, None, 0.7)) == Mined(None, None, 0.7)
    assert more.covers(SPAN)
    assert not SPAN.covers(more)
    assert Mined(None, None, 0.5).covers(SPAN)
    assert not SPAN.covers(Mined(None, None, 0.5))


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"share": 2},
        {"share": True},
        {"share": 0.5, "from": "2026-01-01T00:00:00Z"},
        {"share": 0.5, "from": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        {"share": 0.5, "from": "2026-01-01", "until": "2026-01-02"},
        {"share": 0.5, "seen": "?"},
        "all",
    ],
)
def test_what_is_no_span(table: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        mined_from_table(table)


def test_a_span_comes_back() -> None:
    assert mined_table(SPAN)["from"] == "2026-01-01T00:00:00Z"
    assert mined_from_table(mined_table(SPAN)) == SPAN
    assert mined_from_table(mined_table(Mined(None, None, 0.3))) == Mined(None, None, 0.3)


# ── proposals and versions ──────────────────────────────────────────────────
def test_proposals_from_behaviour_say_so() -> None:
    made = corpus()
    with_use = propose(
        made.matrix, KNOWN, made.free, engaged=made.engaged, mined=SPAN, embed=character_pairs
    )
    assert {one.mined for one in with_use if one.kind != "retire"} == {SPAN}
    assert {one.mined for one in with_use if one.kind == "retire"} == {None}
    unsaid = propose(made.matrix, KNOWN, made.free, engaged=made.engaged, embed=character_pairs)
    assert {one.mined for one in unsaid if one.kind != "retire"} == {Mined(None, None, 1.0)}
    of_texts = propose(made.matrix, KNOWN, made.free, embed=character_pairs)
    assert {one.mined for one in of_texts} == {None}


def test_the_span_goes_with_the_tag(place: Workspace) -> None:
    path = write_proposals(place, [SUB])
    assert "mined = {from = " in path.read_text("utf-8")
    assert read_proposals(path) == (SUB,)
    apply_proposals(place, day=DAY)
    assert read_tree(place).changes[0].mined == SPAN
    assert mined_tags(place) == {"in-laws": SPAN}
    assert mined_tags(place, default_vocabulary().version) == {}
    text = (place.root / FILE).read_text("utf-8")
    (place.root / FILE).write_text(text.replace("share = 0.5", "share = 0.1"), "utf-8")
    with pytest.raises(DataError, match="edited by hand"):
        mined_tags(place)


def test_a_span_that_is_none_is_named(place: Workspace) -> None:
    path = write_proposals(place, [SUB])
    path.write_text(path.read_text("utf-8").replace("share = 0.5", "share = 5"), "utf-8")
    with pytest.raises(DataError, match=r"sub-tag-1.*mined"):
        apply_proposals(place, day=DAY)


def test_proposed_again_from_later_rows_both_count(place: Workspace) -> None:
    path = write_proposals(place, [replace(SUB, status="open")])
    later = Mined(SPAN.last, SPAN.last + 100, 0.5)
    write_proposals(place, [replace(SUB, status="open", mined=later)])
    assert read_proposals(path)[0].mined == Mined(SPAN.first, SPAN.last + 100, 0.5)


def test_changes_without_behaviour_have_the_hash_that_they_had() -> None:
    change = Change("1", "retire", "dogs")
    assert change_hash("x", [change]) == HASH
    assert change_hash("x", [replace(change, mined=SPAN)]) != HASH


HASH = "22dd49affb3f"


def test_merging_passes_the_span_on() -> None:
    sub = SUB.change
    merged = Change("2", "merge", "dogs", ("in-laws",))
    assert mined_by(KNOWN, [sub]) == {"in-laws": SPAN}
    assert mined_by(KNOWN, [sub, merged]) == {"dogs": SPAN}
    own = replace(merged, names=("cats",), mined=SPAN)
    assert mined_by(KNOWN, [own]) == {"dogs": SPAN}
    assert mined_by(KNOWN, [own, Change("3", "retire", "dogs")]) == {}
    assert mined_by(KNOWN, [Change("4", "merge", "dogs", ("cats",))]) == {}


def test_shared_strength_passes_it_up_and_down(tmp_path: Path) -> None:
    own = Workspace(tmp_path, Settings())
    write_proposals(own, [SUB])
    apply_proposals(own, day=DAY)
    parent = next(tag for tag in KNOWN if tag.slug == "family-warmth")
    up = Workspace(tmp_path, Settings(tree=TreeSettings(share_up=1.0)))
    assert {"in-laws", "family-warmth"} <= set(mined_tags(up))
    assert (parent.parent in mined_tags(up)) == (parent.parent is not None)
    merged = replace(SUB, id="merge-1", kind="merge", tag="animals", names=("会动的",), slug=None)
    write_proposals(own, [merged])
    apply_proposals(own, day=DAY)
    down = Workspace(tmp_path, Settings(tree=TreeSettings(share_down=0.3)))
    assert {"animals", "dogs"} <= set(mined_tags(down))
    assert "dogs" not in mined_tags(own)


# ── end to end ──────────────────────────────────────────────────────────────
@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """A platform whose titles carry hashtags of three hidden kinds, with who liked what."""
    made = corpus(items=900, users=300)
    folder = tmp_path / "channel"
    folder.mkdir()
    hashtags = made.free.group_by("item_id").agg(pl.col("name").str.join(" #").alias("tags"))
    items = pl.DataFrame({"item_id": [str(k) for k in range(900)]}).join(
        hashtags, on="item_id", how="left", maintain_order="left"
    )
    items.select(
        "item_id",
        ("内容 #" + pl.col("tags").fill_null("无")).alias("title"),
        (pl.col("item_id").cast(pl.Int64) % 300).cast(pl.String).alias("author_id"),
    ).write_csv(folder / "items.csv")
    strength = made.matrix.strength.tocoo()
    pl.DataFrame(
        {
            "item_id": [str(k) for k in strength.row],
            "tag": [made.matrix.tags[k].slug for k in strength.col],
        }
    ).write_csv(folder / "item_tags.csv")
    draw = np.random.default_rng(0)
    likes = made.engaged.toarray()[:300, :900]
    user, item = np.nonzero((likes > 0) | (draw.random(likes.shape) < 0.03))
    pl.DataFrame(
        {
            "user_id": user.astype(str),
            "item_id": item.astype(str),
            "ts": 1.77e9 + 1e6 * draw.random(len(user)),
            "click": likes[user, item].astype(int),
        }
    ).write_csv(folder / "impressions.csv")
    (folder / "tagcf.toml").write_text(
        '[outcomes.click]\ncolumn = "click"\n[content]\ntext = ["title"]\n'
        '[design]\nauthor = "author_id"\n[tags]\nmin_items = 20\n',
        "utf-8",
    )
    return folder


def accepted(channel: Path) -> str:
    """Accept the first sub-tag, and put it on the items that have its names."""
    path = channel / "out" / "tag_proposals.toml"
    sub = next(one for one in read_proposals(path) if one.kind == "sub_tag")
    text = path.read_text("utf-8")
    head, block = text.split(f'id = "{sub.id}"')
    path.write_text(head + f'id = "{sub.id}"' + block.replace('"open"', '"accept"', 1), "utf-8")
    titles = pl.read_csv(channel / "items.csv", schema_overrides={"item_id": pl.String})
    named = titles.filter(
        pl.any_horizontal(pl.col("title").str.contains(name, literal=True) for name in sub.names)
    )
    rows = pl.read_csv(channel / "item_tags.csv", schema_overrides={"item_id": pl.String})
    new = named.select("item_id", pl.lit(sub.slug).alias("tag"))
    pl.concat([rows, new]).write_csv(channel / "item_tags.csv")
    assert sub.slug is not None
    return sub.slug


def test_from_the_search_to_the_effect(channel: Path, run) -> None:
    done = run("tag", channel, "--propose", "--json", "--lang", "en")
    assert done.returncode == 0, done.stderr
    assert "50%" in done.stderr
    mined = next(one["mined"] for one in json.loads(done.stdout)["proposals"] if one["mined"])
    assert mined["share"] == 0.5
    slug = accepted(channel)
    assert run("tag", channel, "--accept").returncode == 0
    place = open_workspace(channel)
    tags = load_tags(place, read_log(place))
    ((name, unseen),) = tags.unseen
    assert name == slug
    assert 0.4 < unseen.mean() < 0.6
    author = np.arange(900) % 300
    by_item = np.array([int(one) for one in tags.items.ids.to_pylist()])
    for one in range(0, 300, 37):
        assert len(set(unseen[author[by_item] == one])) == 1
    effects = run("effects", channel, "--using", "joint", "--json", "--lang", "en")
    assert effects.returncode == 0, effects.stderr
    assert "found in behaviour: 1" in effects.stderr
    rows = {one["tag"]: one for one in json.loads(effects.stdout)["effects"]}
    assert rows[slug]["diagnostics"]["unseen_items_only"] == 1
    assert rows[slug]["n_rows"] < 0.7 * rows["dogs"]["n_rows"]
    for asked in (("--siblings", slug), ("--pair", f"{slug}:dogs")):
        refused = run("effects", channel, *asked, "--lang", "en")
        assert refused.returncode == 2
        assert "only its own effect is told" in refused.stderr
    beside = run("effects", channel, "--kin", "--json", "--lang", "en")
    assert beside.returncode == 0, beside.stderr
    assert slug not in {one["tag"] for one in json.loads(beside.stdout)["kin"]}


def test_a_tag_written_by_hand_right_after_it_was_accepted(channel: Path, run) -> None:
    """The items were tagged before, the own table names it already: what it was found in counts."""
    assert run("tag", channel, "--using", "lexicon").returncode == 0
    assert run("tag", channel, "--propose").returncode == 0
    slug = accepted(channel)
    assert run("tag", channel, "--accept").returncode == 0
    place = open_workspace(channel)
    assert tags_version(place) != tree_version(place)
    assert mined_tags(place, tags_version(place)) == {}
    tags = load_tags(place, read_log(place))
    ((name, unseen),) = tags.unseen
    assert name == slug
    assert 0.4 < unseen.mean() < 0.6
    effects = run("effects", channel, "--using", "joint", "--json", "--lang", "en")
    assert "found in behaviour: 1" in effects.stderr
    assert effects.stderr.count("Tag the items again") == 1


def test_until_leaves_no_author_that_is_new(channel: Path, run) -> None:
    done = run("tag", channel, "--propose", "--until", "2026-03-01", "--lang", "en")
    assert done.returncode == 0, done.stderr
    assert "behaviour of all content" in done.stderr
    assert "%" not in done.stderr
    slug = accepted(channel)
    assert run("tag", channel, "--accept").returncode == 0
    effects = run("effects", channel, "--using", "joint", "--json", "--lang", "en")
    rows = {one["tag"]: one for one in json.loads(effects.stdout)["effects"]}
    assert rows[slug]["verdict"] == "cannot tell"
    assert "found in behaviour" in rows[slug]["reason"]
    assert rows["dogs"]["verdict"] != "cannot tell"
    report = run("report", channel, "--lang", "en")
    assert report.returncode == 0, report.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--until", "2026-03-01"), 2, "--propose"),
        (("--propose", "--until", "soon"), 2, "neither a date"),
        (("--propose", "--until", "1999-01-01"), 1, "no impression up to 1999"),
    ],
)
def test_times_that_cannot_be(channel: Path, run, options, code: int, words: str) -> None:
    done = run("tag", channel, *options, "--lang", "en")
    assert done.returncode == code
    assert words in done.stderr
    assert not (channel / "out" / "tag_proposals.toml").exists()
