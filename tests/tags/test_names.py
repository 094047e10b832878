"""Names of a workspace's own tags, from item_tags.* and from the tag graph."""

import json
import re
from pathlib import Path

import pytest

from tagcf.data.read import read_log
from tagcf.data.workspace import open_workspace
from tagcf.errors import DataError, UnknownNameError
from tagcf.tags.graph import load_graph
from tagcf.tags.matrix import load_tags
from tagcf.tags.names import workspace_tags
from tagcf.text import choose_language

SETTINGS = '[outcomes.click]\ncolumn = "click"\n[tags]\ngraph = "tag_graph.yaml"\n'
LOG = "user_id,item_id,ts,click\nu,a,1704067200,1\nv,b,1704067201,0\n"


def workspace(folder, table="item_id,tag\na,x\n", graph=""):
    (folder / "tagcf.toml").write_text(SETTINGS, "utf-8")
    (folder / "impressions.csv").write_text(LOG, "utf-8")
    (folder / "item_tags.csv").write_text(table, "utf-8")
    (folder / "tag_graph.yaml").write_text(graph, "utf-8")
    return open_workspace(folder)


def tags_of(opened):
    return {tag.slug: tag for tag in load_tags(opened, read_log(opened)).tags}


def test_columns_of_the_table_name_its_tags(tmp_path):
    table = (
        "item_id,tag,strength,source,tag_zh,tag_en,facet\n"
        "a,gc-snack,1,own,国潮零食,Chinese-style snacks,topic\n"
        "b,gc-snack,1,own,,,\n"  # said once is enough
        "b,plain,1,own,,,\n"
        "b,half,1,own,半个,,\n"
    )
    tags = tags_of(workspace(tmp_path, table))
    snack = tags["gc-snack"]
    assert (snack.zh, snack.en, snack.facet) == ("国潮零食", "Chinese-style snacks", "topic")
    assert (tags["plain"].zh, tags["plain"].en, tags["plain"].facet) == ("plain", "plain", "custom")
    assert (tags["half"].zh, tags["half"].en) == ("半个", "half")


def test_the_graph_names_tags_places_them_and_gives_them_parents(tmp_path):
    graph = (
        "tags:\n"
        "  gc-snack: {zh: 国潮零食, en: Chinese-style snacks, facet: topic, parent: 零食}\n"
        "  gc-cake: {zh: 国潮糕点, parent: 国潮零食}\n"
        "causes:\n  国潮糕点: 治愈感\n"
    )
    opened = workspace(tmp_path, "item_id,tag\na,国潮零食\nb,GC-Snack\nb,gc-cake\n", graph)
    tags = tags_of(opened)
    assert set(tags) == {"gc-snack", "gc-cake"}
    assert (tags["gc-snack"].facet, tags["gc-snack"].parent) == ("topic", "snacks")
    matrix = load_tags(opened, read_log(opened))
    assert matrix.carried().sum() == 3  # the zh name and the slug are one tag
    for found in (load_graph(opened, matrix.tags), load_graph(opened)):
        assert found.descendants("gc-snack") == {"gc-cake", "healing", "tranquility"}
        assert "gc-snack" in found.descendants("snacks")


def test_the_graph_knows_its_own_tags_even_where_no_item_carries_them(tmp_path):
    opened = workspace(tmp_path, graph="tags: {new: {zh: 新}}\ncauses: {新: 治愈感}\n")
    assert "healing" in load_graph(opened, ()).descendants("new")


def test_a_parent_may_be_a_tag_without_names_or_one_that_no_item_of_the_log_carries(tmp_path):
    opened = workspace(
        tmp_path,
        "item_id,tag,tag_zh\na,plain,\nelsewhere,far,远\n",
        "tags: {x: {parent: plain}, y: {parent: 远}}\n",
    )
    assert set(tags_of(opened)) == {"plain"}
    matrix = load_tags(opened, read_log(opened))
    for found in (load_graph(opened, matrix.tags), load_graph(opened)):
        assert found.descendants("plain") == {"x"}
        assert found.descendants("far") == {"y"}


def test_both_places_may_name_one_tag_if_they_agree(tmp_path):
    table = "item_id,tag,tag_zh\na,x,甲\n"
    tags = tags_of(workspace(tmp_path, table, "tags: {x: {zh: 甲, en: First}}\n"))
    assert (tags["x"].zh, tags["x"].en) == ("甲", "First")
    with pytest.raises(DataError) as caught:
        tags_of(workspace(tmp_path, table, "tags: {x: {zh: 乙}}\n"))
    for part in ('"x"', "甲", "乙", "tag_graph.yaml", "item_tags.csv", "Keep one"):
        assert part in str(caught.value)


def test_a_tag_of_the_vocabulary_may_be_called_otherwise_and_keeps_its_names(tmp_path):
    opened = workspace(
        tmp_path, "item_id,tag\na,露营\nb,户外过夜\n", "tags: {露营: {zh: 户外过夜}}\n"
    )
    tags = tags_of(opened)
    assert set(tags) == {"camping"}
    assert (tags["camping"].zh, tags["camping"].en) == ("户外过夜", "Camping")
    assert "露营" in tags["camping"].aliases
    assert tags["camping"].parent == "travel"


@pytest.mark.parametrize(
    ("table", "graph", "english", "chinese"),
    [
        (  # one tag, two names, both in the table
            "item_id,tag,tag_en\na,x,One\nb,x,Two\n",
            "",
            ['tag "x" has two different values of tag_en', '"One"', '"Two"', "Keep one"],
            ["标签“x”的 tag_en 有两种写法", "统一成一种"],
        ),
        (  # a name of the vocabulary's
            "item_id,tag,tag_zh\na,x,露营\n",
            "",
            ["item_tags.csv", '"露营"', 'tag "x"', 'the tag "camping"', "choose another name"],
            ["“露营”", "已经属于标签“camping”", "换一个名称"],
        ),
        (  # a name of another own tag's
            "item_id,tag\na,x\n",
            "tags:\n  x: {en: Same}\n  y: {en: same}\n",
            ["tag_graph.yaml", '"same"', '"y"', '"x"'],
            ["“same”", "“y”", "“x”"],
        ),
        (
            "item_id,tag,facet\na,x,topics\n",
            "",
            ["item_tags.csv", '"x"', '"topics"', "Did you mean: topic", "Facets: topic, scene"],
            ["没有这个类别", "相近的有：topic"],
        ),
        (
            "item_id,tag\na,x\n",
            "tags:\n  x: {zh: 甲, english: A}\n",
            ["tag_graph.yaml has tags: x: english", "zh, en, facet, parent"],
            ["tags: x: english 不认识", "zh, en, facet, parent"],
        ),
        (
            "item_id,tag\na,x\n",
            "parents: {a: b}\n",
            [
                "tag_graph.yaml has parents",
                "Did you mean: parent",
                "parent, causes, near_duplicates, tags",
            ],
            ["parents 不认识", "parent, causes, near_duplicates, tags"],
        ),
        (
            "item_id,tag\na,x\n",
            "tags:\n  x: {zh: [甲]}\n",
            ["tag_graph.yaml cannot be read", "tags: x: zh: ['甲']", "Correct this place"],
            ["读不出来", "tags: x: zh: ['甲']", "请改正"],
        ),
        (
            "item_id,tag\na,x\n",
            "tags:\n  x: 甲\n",
            ["tag_graph.yaml cannot be read", "tags: x: '甲'"],
            ["读不出来", "tags: x: '甲'"],
        ),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path, table, graph, english, chinese):
    for language, phrases in (("en", english), ("zh", chinese)):
        choose_language(language)
        with pytest.raises(DataError) as caught:
            workspace_tags(workspace(tmp_path, table, graph))
        for phrase in phrases:
            assert phrase in str(caught.value)
    choose_language(None)


def test_an_unknown_parent_is_named_with_near_ones(tmp_path):
    with pytest.raises(UnknownNameError, match=r"tag_graph\.yaml.*campign.*camping"):
        workspace_tags(workspace(tmp_path, graph="tags: {x: {parent: campign}}\n"))


def test_parents_in_a_ring_are_a_cycle(tmp_path):
    opened = workspace(tmp_path, graph="tags: {x: {parent: y}, y: {parent: x}}\n")
    with pytest.raises(DataError, match="cycle"):
        load_graph(opened)


def test_a_broken_graph_names_the_line(tmp_path):
    with pytest.raises(DataError, match=r"tag_graph\.yaml cannot be read: 2:"):
        workspace_tags(workspace(tmp_path, graph="tags:\n  x: {zh: ]\n"))


def test_search_finds_what_a_workspace_calls_its_own(tmp_path, run):
    workspace(tmp_path, "item_id,tag,tag_zh,tag_en\na,gc-snack,国潮零食,Guochao snacks\nb,无名,,\n")
    for word in ("国潮零食", "guochao SNACKS", "gc-snack"):
        found = json.loads(run("tag", tmp_path, "--search", word, "--json").stdout)["tags"]
        assert found[0]["tag"] == "gc-snack"
        assert (found[0]["zh"], found[0]["en"]) == ("国潮零食", "Guochao snacks")
    found = json.loads(run("tag", tmp_path, "--search", "无名", "--json").stdout)["tags"]
    assert [tag["facet"] for tag in found] == ["custom"]
    assert "国潮零食" in run("tag", tmp_path, "--search", "国潮", "--lang", "zh").stdout
    assert run("tag", tmp_path / "empty", "--search", "国潮零食", "--json").returncode == 0


def test_search_in_a_broken_workspace_says_what_is_broken(tmp_path, run):
    workspace(tmp_path, "item_id,tag,tag_zh\na,x,露营\n")
    done = run("tag", tmp_path, "--search", "露营")
    assert done.returncode == 1
    assert "item_tags.csv" in done.stderr


def test_the_example_of_the_documentation_holds(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "how-to" / "name-your-own-tags.md"
    blocks = dict(re.findall(r"```(csv|yaml)\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    opened = workspace(tmp_path, blocks["csv"], blocks["yaml"])
    assert tags_of(opened)["gc-snack"].en == "Guochao snacks"
    assert load_graph(opened).descendants("gc-snack") == {"gc-cake", "healing", "tranquility"}
