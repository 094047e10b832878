"""The whole catalogue: both languages, the same gaps, no key twice, none missing."""

from __future__ import annotations

import re
import string
import tomllib
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import get_args

import tagcf
from tagcf.text import catalogue
from tagcf.types import Estimand, Method, Rung, Verdict

HAN = re.compile(r"[\u3400-\u9fff]")
SOURCES = Path(tagcf.__file__).parent
KEYS = sorted(catalogue())


def gaps(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def told_in(language: str, sentence: str) -> set[str]:
    """Gaps of a sentence; a tag named in the sentence's own language counts as the tag."""
    return {re.sub(rf"(^|_){language}$", r"\1LANGUAGE", gap) for gap in gaps(sentence)}


def test_every_key_has_both_languages() -> None:
    assert {
        key: set(entry) for key, entry in catalogue().items() if set(entry) != {"zh", "en"}
    } == {}


def test_both_languages_have_the_same_gaps() -> None:
    gaps_of = {
        key: (told_in("zh", entry["zh"]), told_in("en", entry["en"]))
        for key, entry in catalogue().items()
    }
    assert {key: (zh, en) for key, (zh, en) in gaps_of.items() if zh != en} == {}
    assert all(gap.isidentifier() for zh, _ in gaps_of.values() for gap in zh)


def test_english_is_free_of_han() -> None:
    assert [key for key in KEYS if HAN.search(catalogue()[key]["en"])] == []


def test_no_key_stands_twice() -> None:
    keys = Counter(
        f"{area}.{key}"
        for source in resources.files("tagcf.text").iterdir()
        if source.name.endswith(".toml")
        for area, entries in tomllib.loads(source.read_text("utf-8")).items()
        for key in entries
    )
    assert [key for key, number in keys.items() if number > 1] == []


def test_every_key_that_is_said_exists() -> None:
    said = re.compile(r"""say\(\s*["']([a-z_]+\.[a-z_0-9]+)["']\s*[,)]""")
    files = [*SOURCES.rglob("*.py"), *SOURCES.rglob("*.j2")]
    found = {(key, path.name) for path in files for key in said.findall(path.read_text("utf-8"))}
    assert len(found) > 50
    assert {(key, name) for key, name in found if key not in catalogue()} == set()


def test_every_key_of_the_report_is_used() -> None:
    files = [*(SOURCES / "views").rglob("*"), SOURCES / "cli" / "report.py"]
    used = "\n".join(path.read_text("utf-8") for path in files if path.suffix in (".py", ".j2"))
    composed = ("outcome_", "rung_", "method_", "estimand_", "verdict_", "because_", "limit_")
    composed += ("lead_", "claims_")
    for key in KEYS:
        area, _, name = key.partition(".")
        if area == "report" and not name.startswith(composed):
            assert re.search(rf"""["'.]{name}["']""", used), key


def test_names_made_from_the_contract_exist() -> None:
    names = [f"rung_{rung}" for rung in get_args(Rung)]
    names += [f"rung_{rung}_means" for rung in get_args(Rung)]
    names += [f"method_{method}" for method in get_args(Method)]
    names += [f"method_{method}_means" for method in ("joint", "matching", "iv")]
    names += [f"estimand_{estimand}" for estimand in get_args(Estimand)]
    names += [f"verdict_{verdict}" for verdict in get_args(Verdict)]
    for name in names:
        assert f"report.{re.sub('[ -]', '_', name)}" in catalogue()


def test_every_refusal_has_a_short_form_for_the_verdict() -> None:
    refusals = {
        key.partition(".")[2]
        for path in (SOURCES / "effects").rglob("*.py")
        for key in re.findall(r"""["'](reason\.[a-z_]+)["']""", path.read_text("utf-8"))
    }
    assert {name for name in refusals if f"report.because_{name}" not in catalogue()} == set()
