import pytest

from tagcf.data.workspace import open_workspace
from tagcf.errors import DataError, UnknownNameError
from tagcf.tags.graph import TagEdge, checked, load_graph
from tagcf.tags.graph_file import read_graph_file
from tagcf.types import Tag


def workspace(folder, graph):
    (folder / "tagcf.toml").write_text('[tags]\ngraph = "tag_graph.yaml"\n', "utf-8")
    (folder / "tag_graph.yaml").write_text(graph, "utf-8")
    return open_workspace(folder)


def test_descendants_follow_parents_and_causes(tmp_path):
    graph = load_graph(
        workspace(tmp_path, "causes:\n  幼犬扑空摔倒: [轻松幽默, Mine]\nparent:\n  mine: 治愈感\n"),
        tags=[Tag("Mine", "Mine", "Mine", "custom")],
    )
    assert graph.descendants("dogs") == {"puppy-pounce-fall", "relaxed-humor", "hilarious", "Mine"}
    assert "Mine" in graph.descendants("healing")
    assert graph.descendants("camping") == frozenset()
    assert TagEdge("puppy-pounce-fall", "relaxed-humor", "causes") in graph.edges


def test_without_a_file_the_vocabulary_is_the_graph(tmp_path):
    (tmp_path / "tagcf.toml").write_text("", "utf-8")
    assert "dogs" in load_graph(open_workspace(tmp_path)).descendants("animals")


def test_a_cycle_is_spelled_out(tmp_path):
    with pytest.raises(DataError, match=r"cycle.*animals") as caught:
        load_graph(workspace(tmp_path, "parent:\n  animals: dogs\n"))
    assert "dogs" in str(caught.value)


def test_an_unknown_tag_is_named_with_near_ones(tmp_path):
    with pytest.raises(UnknownNameError, match=r"campign.*camping"):
        load_graph(workspace(tmp_path, "causes:\n  campign: 治愈感\n"))


@pytest.mark.parametrize("text", ["- a\n", "parent: [a]\n", "parent: {a: [", "causes: {a: {b: c}}"])
def test_another_form_is_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"tag_graph\.yaml cannot be read"):
        load_graph(workspace(tmp_path, text))


def test_edges_count_once():
    edge = TagEdge("a", "b", "parent")
    assert checked([edge, edge]).edges == (edge,)


def test_near_duplicates_are_groups_of_slugs(tmp_path):
    graph = load_graph(
        workspace(tmp_path, "near_duplicates:\n  - [治愈感, relaxed-humor]\n  - [camping, 路上]\n"),
        tags=[Tag("road", "路上", "road", "custom")],
    )
    assert graph.near_duplicates == (("healing", "relaxed-humor"), ("camping", "road"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("near_duplicates:\n  - [camping]\n", "fewer than two"),
        ("near_duplicates:\n  - [camping, 露营]\n", "fewer than two"),
        ("near_duplicates:\n  - [camping, healing]\n  - [healing, dogs]\n", "two groups"),
        (
            "causes:\n  camping: healing\nnear_duplicates:\n  - [camping, healing]\n",
            "causes .*near-duplicates",
        ),
        ("near_duplicates:\n  - [camping, campign]\n", "campign"),
        ("near_duplicates: {a: b}\n", "cannot be read"),
        ("near_duplicates: [camping, healing]\n", "cannot be read"),
        ("near_duplicate:\n  - [camping, healing]\n", "near_duplicates"),
    ],
)
def test_bad_groups_are_named(tmp_path, text, says):
    with pytest.raises((DataError, UnknownNameError), match=says):
        load_graph(workspace(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("parent:\n  camping: dogs\n  healing: dogs\n  camping: pets\n", r"4:3 .*camping.* line 2"),
        ("causes: {}\nparent: {}\ncauses: {}\n", r"3:1 .*causes.* line 1"),
        ("tags:\n  mine: {zh: a, zh: b}\n", r"2:17 .*zh.* line 2"),
    ],
)
def test_what_is_said_twice_is_refused_with_its_line(tmp_path, text, says):
    with pytest.raises(DataError, match=says):
        load_graph(workspace(tmp_path, text))


def test_anchors_and_merges_are_not_said_twice(tmp_path):
    text = "tags:\n  a: &own {zh: 甲, facet: topic}\n  b: {<<: *own, zh: 乙}\n"
    graph = read_graph_file(workspace(tmp_path, text).root / "tag_graph.yaml")
    assert [(one.tag, one.zh, one.facet) for one in graph.namings] == [
        ("a", "甲", "topic"),
        ("b", "乙", "topic"),
    ]


def test_a_missing_graph_is_named_with_its_setting(tmp_path):
    opened = workspace(tmp_path, "")
    (tmp_path / "tag_graph.yaml").unlink()
    with pytest.raises(
        DataError, match=r"tag_graph\.yaml is missing; \[tags\] graph in tagcf\.toml"
    ):
        load_graph(opened)
    (tmp_path / "tag_graph.yaml").mkdir()
    with pytest.raises(DataError, match=r"cannot be opened .*\[tags\] graph") as caught:
        load_graph(opened)
    assert "Errno" not in str(caught.value)


def test_another_encoding_is_named_with_its_line(tmp_path):
    opened = workspace(tmp_path, "")
    (tmp_path / "tag_graph.yaml").write_bytes("parent:\n  治愈感: dogs\n".encode("gbk"))
    with pytest.raises(DataError, match=r"not UTF-8 \(line 2\)") as caught:
        load_graph(opened)
    assert "codec" not in str(caught.value)


@pytest.mark.parametrize("text", ["causes: {campign: dogs}\n", "parent: {a: [", "parent: [a]\n"])
def test_a_bad_graph_is_bad_data_whatever_is_wrong(tmp_path, text):
    with pytest.raises((DataError, UnknownNameError)) as caught:
        load_graph(workspace(tmp_path, text))
    assert caught.value.exit_code == 1
