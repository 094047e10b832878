"""After the tag tree was changed, every verb that reads the tags of before says so, once."""

from pathlib import Path

import pytest

from tagcf.data.simulate import Platform, simulate
from tagcf.data.simulate.write import write_world

PROPOSAL = (
    '[[proposal]]\nid = "sub-1"\nkind = "sub_tag"\nstatus = "accept"\ntag = "cats"\n'
    'slug = "kitties"\nzh = "小奶猫"\nen = "Kitties"\nnames = ["小奶猫"]\n'
)
ENGLISH, CHINESE = "Tag the items again: tagcf tag", "请重新打标签：tagcf tag"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("older") / "platform"
    write_world(simulate(Platform(users=80, items=120, tags=6, days=14, seed=2)), folder)
    return folder


def test_every_verb_says_that_the_tags_are_older(platform: Path, run) -> None:
    for verb in (["tag", "--using", "lexicon"], ["effects"], ["train", "--no-search"]):
        done = run(verb[0], platform, *verb[1:])
        assert done.returncode == 0, done.stderr
        assert ENGLISH not in done.stderr
    (platform / "out" / "tag_proposals.toml").write_text(PROPOSAL, "utf-8")
    assert run("tag", platform, "--accept").returncode == 0
    verbs = [
        ["effects"],
        ["effects", "--json"],
        ["whatif", "--item", "i000000"],
        ["report"],
        ["recommend", "--user", "u000000"],
        ["explain", "--user", "u000000", "--item", "i000000"],
        ["evaluate", "--models", "popularity"],
        ["tag", "--roles"],
        ["tag", "--propose"],
        ["train", "--no-search"],
    ]
    for verb, *options in verbs:
        done = run(verb, platform, *options)
        assert done.returncode == 0, (verb, done.stderr)
        assert done.stderr.count(ENGLISH) == 1, (verb, done.stderr)
        assert ENGLISH not in done.stdout
    assert CHINESE in run("effects", platform, "--lang", "zh").stderr
    assert run("tag", platform, "--using", "lexicon").returncode == 0
    done = run("effects", platform)
    assert ENGLISH not in done.stderr
    stale = run("recommend", platform, "--user", "u000000").stderr
    assert "the version of the tag tree changed" in stale
