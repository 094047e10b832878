"""The sentences of reading: both languages, every gap, every setting described."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from tagcf.data.settings_file import describe_setting, render_settings
from tagcf.settings import DataSettings, OutcomeSettings, Settings, load_settings
from tagcf.text import catalogue

OURS = ("data", "check", "init", "import", "settings", "doctor")


@pytest.mark.parametrize("area", OURS)
def test_both_languages_have_the_same_gaps(area: str) -> None:
    source = resources.files("tagcf.text").joinpath(f"{area}.toml").read_text("utf-8")
    for section, keys in tomllib.loads(source).items():
        for key, sentence in keys.items():
            gaps = [set(re.findall(r"\{(\w+)", sentence[language])) for language in ("zh", "en")]
            assert gaps[0] == gaps[1], f"{section}.{key}"


def test_every_key_used_exists() -> None:
    root = Path(str(resources.files("tagcf")))
    sources = [*(root / "data").rglob("*.py"), *(root / "cli").glob("*.py")]
    known = catalogue().keys() | {f"data.{name}" for name in DataSettings.model_fields}
    for source in sources:
        for key in re.findall(
            r'"((?:data|bad|note|import|init|check|doctor)\.[a-z_]+)"', source.read_text("utf-8")
        ):
            assert key in known, f"{source.name}: {key}"


def test_every_bad_row_has_advice() -> None:
    known = catalogue()
    for key in known:
        area, _, kind = key.partition(".")
        if area in ("bad", "note"):
            assert f"advice.{kind}" in known


def test_every_setting_is_described() -> None:
    names = [f"outcomes.{name}" for name in OutcomeSettings.model_fields]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        inner = getattr(section, "model_fields", None)
        names += [name] if inner is None else [f"{name}.{key}" for key in inner]
    assert not [name for name in names if not describe_setting(name)]


def test_written_settings_read_back(tmp_path: Path) -> None:
    values = {
        "seed": 3,
        "data": {"user": "", "title": '引号"和\\反斜杠'},
        "outcomes": {"完播": {"column": "c", "kind": "rate"}},
        "design": {"covariates": ["a", "b"], "instruments": {"桶": ["t"]}},
        "tags": {"surface": True, "threshold": 0.25},
    }
    (tmp_path / "tagcf.toml").write_text(render_settings(values), "utf-8")
    loaded = load_settings(tmp_path)
    assert loaded.model_dump(exclude_unset=True) == values
