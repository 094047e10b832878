"""Bad tags through the real command: what, where and what to do, in en and zh, and the exit code.

What statistics cannot tell is a verdict with its reason; what cannot be read is an error.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

Run = Callable[..., object]

N_ITEMS, N_USERS, N_ROWS = 160, 200, 6_000
SETTINGS = '[outcomes.click]\ncolumn = "click"\n[design]\nsegments = ["tier"]\n'


def carried() -> dict[str, list[int]]:
    """Items by tag: half the items, two fifths twice, one alone."""
    fifths = [k for k in range(N_ITEMS) if k % 5 < 2]
    odd = [k for k in range(N_ITEMS) if k % 2]
    return {"good": odd, "twin-a": fifths, "twin-b": fifths, "lone": [7]}


def impressions() -> str:
    """Clicks that `good` and the twins raise; tier 2 never sees an item with `good`."""
    rng = random.Random(0)
    lines = ["user_id,item_id,ts,click,tier"]
    for n in range(N_ROWS):
        user, item = rng.randrange(N_USERS), rng.randrange(N_ITEMS)
        tier = 1 if user % 4 else 2
        item -= item % 2 if tier == 2 else 0
        chance = 0.3 + 0.2 * (item % 2) + 0.1 * (item % 5 < 2)
        lines.append(f"u{user},i{item},{1704067200 + n},{int(rng.random() < chance)},{tier}")
    return "\n".join(lines) + "\n"


def rows(tags: dict[str, list[int]], columns: str = "item_id,tag") -> str:
    lines = [f"i{item},{tag}" for tag, items in tags.items() for item in items]
    return "\n".join([columns, *lines]) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tagcf.toml").write_text(SETTINGS, "utf-8")
    (tmp_path / "impressions.csv").write_text(impressions(), "utf-8")
    titles = "".join(f"i{k},露营 {k}\n" for k in range(N_ITEMS))
    (tmp_path / "items.csv").write_text(f"item_id,title\n{titles}", "utf-8")
    (tmp_path / "item_tags.csv").write_text(rows(carried()), "utf-8")
    return tmp_path


def effects_of(run: Run, folder: Path, *options: str) -> dict[tuple[str, str | None], dict]:
    done = run("effects", folder, "--json", *options)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["effects"]
    return {
        (one["tag"], one["segment"]): one
        for one in found
        if "--using" in options or one["method"] == "joint"
    }


def assert_refused(effect: dict, phrase: str) -> None:
    assert effect["verdict"] == "cannot tell"
    assert effect["q"] is None
    assert phrase in str(effect["reason"])


def both(run: Run, *arguments: object) -> tuple[object, object]:
    """The same call in en and in zh; the exit code is the same."""
    english, chinese = (run(*arguments, "--lang", language) for language in ("en", "zh"))
    assert english.returncode == chinese.returncode
    assert "Traceback" not in english.stderr + chinese.stderr
    return english, chinese


# ── what statistics cannot tell ─────────────────────────────────────────────
def test_items_without_tags_are_controls_and_check_names_them(folder: Path, run: Run) -> None:
    english, chinese = both(run, "check", folder)
    assert english.returncode == 0
    assert "48 items without tags: " in english.stdout
    assert "tagcf tag can tag them" in english.stdout
    assert "48 个内容没有标签" in chinese.stdout
    assert run("check", folder, "--strict").returncode == 3
    found = effects_of(run, folder)
    assert found["good", None]["verdict"] == "raises"
    assert found["good", None]["n_items"] == N_ITEMS  # the untagged ones too
    english, chinese = both(run, "whatif", folder, "--item", "i2")
    assert english.returncode == 0
    assert "carries no tag" in english.stdout
    assert "没有任何标签" in chinese.stdout


def test_a_tag_on_one_item_cannot_be_told_from_it(folder: Path, run: Run) -> None:
    english, chinese = both(run, "check", folder)
    assert "1 tags on one item only: lone" in english.stdout
    assert "1 个标签只出现在一个内容上：lone" in chinese.stdout
    for method in ("joint", "matching", "naive"):
        lone = effects_of(run, folder, "--using", method)["lone", None]
        assert lone["verdict"] == "cannot tell"
        assert lone["n_treated_items"] == 1
        assert "carry it: 1" in lone["reason"]
        assert "needed" in lone["reason"]
    chinese = run("effects", folder, "--tag", "lone", "--lang", "zh")
    assert "无法判断: 只有 1 条内容带它" in chinese.stdout
    assert run("effects", folder, "--tag", "lone", "--strict").returncode == 3


def test_identical_tags_name_each_other(folder: Path, run: Run) -> None:
    english, chinese = both(run, "check", folder)
    assert "twin-a = twin-b" in english.stdout
    assert "merge them or drop one" in english.stdout
    assert "请合并或去掉一个" in chinese.stdout
    for method in ("joint", "matching"):
        found = effects_of(run, folder, "--using", method)
        for one, other in (("twin-a", "twin-b"), ("twin-b", "twin-a")):
            assert_refused(found[one, None], f'"{other}"')
            assert "Merge them" in found[one, None]["reason"]
    chinese = run("effects", folder, "--tag", "twin-a", "--lang", "zh")
    assert "“twin-b”同进同出" in chinese.stdout
    # The tag that is not at fault keeps its answer. (Matching refuses it for another reason: the
    # items that carry it are shown less often, so that no others are like them.)
    assert effects_of(run, folder, "--using", "joint")["good", None]["verdict"] == "raises"
    assert "popularity" in found["good", None]["reason"]
    english, chinese = both(run, "whatif", folder, "--item", "i0", "--without", "twin-a")
    assert english.returncode == 0
    assert "no answer" in english.stdout
    assert "twin-b" in english.stdout
    assert "twin-b" in chinese.stdout
    assert run("whatif", folder, "--item", "i0", "--without", "twin-a", "--strict").returncode == 3


@pytest.mark.parametrize("options", [["--by", "tier"], ["--by", "tier", "--using", "matching"]])
def test_a_segment_without_treated_rows(folder: Path, run: Run, options: list[str]) -> None:
    found = effects_of(run, folder, *options)
    nobody = found["good", "tier=2"]
    assert nobody["verdict"] == "cannot tell"
    assert nobody["estimate"] is None
    assert nobody["n_treated_items"] == 0
    assert nobody["reason"]
    assert found["good", "tier=1"]["verdict"] == "raises"
    chinese = run("effects", folder, *options, "--all", "--lang", "zh").stdout.splitlines()
    (line,) = [row for row in chinese if row.startswith("good\tclick\ttier=2")]
    assert "无法判断" in line
    assert "带" in line


# ── what cannot be read ─────────────────────────────────────────────────────
def test_a_strength_outside_its_range_is_left_out_and_told(folder: Path, run: Run) -> None:
    table = rows(carried()).replace("item_id,tag", "item_id,tag,strength")
    lines = [f"{line},1" if k else line for k, line in enumerate(table.splitlines())]
    lines[1], lines[2] = "i1,good,7", "i3,good,-0.1"
    (folder / "item_tags.csv").write_text("\n".join(lines) + "\n", "utf-8")
    english, chinese = both(run, "check", folder)
    assert english.returncode == 0
    for phrase in ("not between 0 and 1", "item_tags.csv, column strength", "row 2: '7'", "row 3"):
        assert phrase in english.stdout
    assert "Strength and confidence lie between 0 and 1." in english.stdout
    for phrase in ("不在 0 到 1 之间", "strength 列", "第 2 行“7”", "都应在 0 到 1 之间"):
        assert phrase in chinese.stdout
    assert run("check", folder, "--strict").returncode == 3
    assert effects_of(run, folder)["good", None]["n_treated_items"] == N_ITEMS // 2 - 2


def test_without_a_usable_strength_there_are_no_tags(folder: Path, run: Run) -> None:
    (folder / "item_tags.csv").write_text("item_id,tag,strength\ni1,good,7\n", "utf-8")
    english, chinese = both(run, "effects", folder)
    assert english.returncode == 1
    assert f"tagcf tag {folder}" in english.stderr
    assert f"tagcf tag {folder}" in chinese.stderr


def test_tags_of_unknown_items_are_noted(folder: Path, run: Run) -> None:
    table = (folder / "item_tags.csv").read_text("utf-8")
    (folder / "item_tags.csv").write_text(f"{table}I1,good\nI1,lone\nI3,good\n", "utf-8")
    english, chinese = both(run, "check", folder)
    assert english.returncode == 0
    (line,) = [row for row in english.stdout.splitlines() if "items.* knows  " in row]
    for phrase in ("tags of items that neither the log", "item_tags.csv, column item_id", " 3 "):
        assert phrase in line
    assert "I1, I3" in line
    assert "check that ids are written alike" in english.stdout
    assert "核对 ID 写法是否一致" in chinese.stdout
    (bad,) = json.loads(run("check", folder, "--json").stdout)["bad"]
    assert (bad["kind"], bad["count"], bad["action"]) == ("note.unknown_tagged", 3, "dropped")
    assert effects_of(run, folder)["good", None]["n_treated_items"] == N_ITEMS // 2


def test_an_unknown_tag_is_wrong_usage_with_near_names(folder: Path, run: Run) -> None:
    english, chinese = both(run, "effects", folder, "--tag", "goood")
    assert english.returncode == 2
    assert english.stdout == ""
    assert 'There is no tag "goood". Did you mean: good?' in english.stderr
    assert "找不到标签“goood”" in chinese.stderr
    assert not (folder / "out" / "effects.parquet").exists()
    run("effects", folder)
    english, chinese = both(run, "whatif", folder, "--item", "i1", "--without", "goood")
    assert english.returncode == 2
    assert 'There is no tag "goood". Did you mean: good?' in english.stderr
    assert "相近的有：good" in chinese.stderr


@pytest.mark.parametrize(
    ("graph", "english", "chinese"),
    [
        (
            "causes:\n  good: [lone\nparent: {}\n",
            ["tag_graph.yaml cannot be read: 3:", "parent: and causes:", "Correct this place"],
            ["tag_graph.yaml 读不出来：3:", "请改正这一处"],
        ),
        (
            "causes:\n  good: lone\n  lone: good\n",
            ["tag_graph.yaml has a cycle", "good → lone", "Remove one of these edges"],
            ["tag_graph.yaml 里有环", "去掉其中一条边"],
        ),
        (
            "tags:\n  good: {zh: 不错, chinese: 好}\n",
            ["tag_graph.yaml has tags: good: chinese", "zh, en, facet, parent"],
            ["tag_graph.yaml 里的 tags: good: chinese 不认识", "这里可以写"],
        ),
        (
            "tags:\n  good: {zh: 露营}\n",
            ["tag_graph.yaml", '"露营"', '"good"', '"camping"', "choose another name"],
            ["“露营”", "已经属于标签“camping”", "请换一个名称"],
        ),
        (None, ["tag_graph.yaml is missing; [tags] graph in tagcf.toml"], ["缺少标签关系图"]),
    ],
)
def test_a_graph_that_cannot_be_used(
    folder: Path, run: Run, graph: str | None, english: list[str], chinese: list[str]
) -> None:
    (folder / "tagcf.toml").write_text(f'{SETTINGS}[tags]\ngraph = "tag_graph.yaml"\n', "utf-8")
    if graph is not None:
        (folder / "tag_graph.yaml").write_text(graph, "utf-8")
    done = both(run, "effects", folder)
    assert done[0].returncode == 1
    for one, phrases in zip(done, (english, chinese), strict=True):
        assert one.stdout == ""
        for phrase in phrases:
            assert phrase in one.stderr
    assert not (folder / "out" / "effects.parquet").exists()


def test_an_unknown_tag_in_the_graph_is_bad_data(folder: Path, run: Run) -> None:
    (folder / "tagcf.toml").write_text(f'{SETTINGS}[tags]\ngraph = "tag_graph.yaml"\n', "utf-8")
    (folder / "tag_graph.yaml").write_text("causes: {goood: lone}\n", "utf-8")
    english, chinese = both(run, "effects", folder)
    assert english.returncode == 1
    assert 'tag_graph.yaml names "goood", which is no known tag. Did you mean: good' in (
        english.stderr
    )
    assert "tagcf tag DIR --search" in chinese.stderr


@pytest.mark.parametrize("own", [True, False])
def test_tags_written_by_a_killed_run(folder: Path, run: Run, own: bool) -> None:
    (folder / "tagcf.toml").write_text(f'{SETTINGS}[content]\ntext = ["title"]\n', "utf-8")
    if not own:
        (folder / "item_tags.csv").unlink()
    written = folder / "out" / "item_tags.parquet"
    assert run("tag", folder, "--using", "lexicon").returncode == 0
    whole = written.read_bytes()
    for half in (whole[: len(whole) // 2], b""):
        written.write_bytes(half)
        for verb in ("effects", "check") if not own else ("effects",):
            english, chinese = both(run, verb, folder)
            assert english.returncode == 1
            assert english.stdout == ""
            assert "out/item_tags.parquet cannot be read" in english.stderr
            assert f"Make it again with: tagcf tag {folder}" in english.stderr
            assert "out/item_tags.parquet 读不出来" in chinese.stderr
            assert f"重新生成：tagcf tag {folder}" in chinese.stderr
    assert run("tag", folder, "--using", "lexicon").returncode == 0
    assert pl.read_parquet(written).height == N_ITEMS
    assert run("check", folder).returncode == 0


def test_letters_that_hide_or_turn_text_are_spelled(run: Run, folder: Path) -> None:
    turned = "cosy\u202eylimaf"
    (folder / "item_tags.csv").write_text(rows(carried() | {turned: [*range(0, 120, 3)]}), "utf-8")
    checked = run("check", folder, "--strict")
    assert checked.returncode == 3
    assert "cosy[U+202E]ylimaf" in checked.stdout
    printed = [checked, run("effects", folder, "--using", "joint"), run("report", folder)]
    printed.append(run("effects", folder, "--tag", "cosy\u202eylimat"))
    assert "cosy[U+202E]ylimaf\tclick" in printed[1].stdout
    assert printed[3].returncode == 2
    for done in printed:
        assert "\u202e" not in done.stdout + done.stderr
    page = (folder / "out" / "report.html").read_text("utf-8")
    assert "\u202e" not in page
    assert "cosy[U+202E]ylimaf" in page
    done = run("effects", folder, "--using", "joint", "--json")
    assert "\u202e" not in done.stdout
    assert turned in {row["tag"] for row in json.loads(done.stdout)["effects"]}
