"""A wrong command line, in the language that was asked for, whatever is wrong with it."""

import re
from pathlib import Path

import pytest

from tagcf.text import catalogue

# Arguments, what Chinese says, what English says. FILE and FOLDER exist, NOWHERE does not.
WRONG = [
    (
        "effcts DIR",
        "没有“effcts”这个命令。相近的有：effects",
        'no verb "effcts". Did you mean: effe',
    ),
    (
        "effects DIR --outcom y",
        "没有 --outcom 这个选项。相近的有：--outcome",
        "Did you mean: --outcome",
    ),
    ("effects DIR -z", "没有 -z 这个选项。", "There is no option -z."),
    ("effects", "缺少 DIR。", "DIR is missing."),
    ("import", "缺少 NAME。", "NAME is missing."),
    ("effects DIR more and", "多出来的参数：more and。", "Too many arguments: more and."),
    ("tag DIR --using foo", "--using 不能是 'foo'。可选：auto、", "Choose from: auto, lexicon"),
    ("simulate DIR --users 2", "--users 不能是 2，范围是 x>=12。", "the range is x>=12."),
    (
        "simulate DIR --users zz",
        "--users 要的是整数，不能是 'zz'。",
        "takes a whole number, not 'zz'",
    ),
    ("effects FILE", "DIR 要的是文件夹，'FILE' 是文件。", "DIR takes a folder, and 'FILE' is a"),
    ("whatif DIR --batch FOLDER", "--batch 要的是文件，'FOLDER' 是文件夹。", "takes a file, and"),
    (
        "whatif DIR --batch NOWHERE",
        "--batch：'NOWHERE' 不存在。",
        "--batch: 'NOWHERE' does not exist.",
    ),
    ("--nope", "没有 --nope 这个选项。", "There is no option --nope."),
]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    return {name.upper(): str(tmp_path / name) for name in ("file", "folder", "nowhere")}


@pytest.mark.parametrize(("line", "chinese", "english"), WRONG)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_wrong_usage_is_told_in_the_language_asked_for(
    places: dict[str, str], run, line: str, chinese: str, english: str, language: str
) -> None:
    def placed(text: str) -> str:
        return re.sub("|".join(places), lambda found: places[found[0]], text)

    done = run(*placed(line).split(), "--lang", language)
    assert done.returncode == 2
    assert placed(chinese if language == "zh" else english) in done.stderr
    assert done.stdout == ""
    if language == "zh":
        assert not re.search(r"Error|Usage|Try|OPTIONS|COMMAND|Invalid|Missing", done.stderr)
        assert "用法：tagcf " in done.stderr
        assert "[选项]" in done.stderr
        assert "查看用法：tagcf " in done.stderr


def test_a_value_too_few_and_one_too_many(run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--tag needs a value after it." in run("effects", "DIR", "--tag").stderr
    assert "--doubt takes no value." in run("effects", "DIR", "--doubt=3").stderr
    monkeypatch.setenv("TAGCF_LANG", "zh")
    assert "--doubt 后面不带值。" in run("effects", "DIR", "--doubt=3").stderr
    assert "--tag 后面要跟一个值。" in run("effects", "DIR", "--tag").stderr


@pytest.mark.parametrize(
    "line", ["--lang=zh effects DIR --nope", "effects DIR --nope --lang=zh", "effects --lang zh"]
)
def test_wherever_the_language_stands(run, line: str) -> None:
    assert "错误：" in run(*line.split()).stderr


@pytest.mark.parametrize(
    "line", ["effects DIR --lang xx", "effects a b --lang", "effects a -- --lang zh"]
)
def test_what_is_no_language_changes_nothing(run, line: str) -> None:
    assert "Error: " in run(*line.split()).stderr


def test_a_language_that_there_is_not(run) -> None:
    done = run("effects", "DIR", "--lang", "fr")
    assert done.returncode == 2
    assert "--lang cannot be 'fr'. Choose from: zh, en." in done.stderr


def test_every_kind_of_click_has_its_words() -> None:
    from tagcf.cli.usage import BAD_LINES, BAD_VALUES

    assert {key for _, key in (*BAD_LINES, *BAD_VALUES)} <= catalogue().keys()
