import pytest

from tagcf.data.workspace import open_workspace
from tagcf.errors import DataError, UnknownNameError
from tagcf.tags.graph import TagEdge, checked, load_graph
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
