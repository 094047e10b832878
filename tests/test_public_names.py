"""The names that other people's scripts rely on."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tagcf

# A name that leaves or joins this list is a change of the contract: see CHANGELOG.md.
NAMES = [
    "InterestEngine",
    "Joint",
    "Matching",
    "Naive",
    "ObservationalBias",
    "Platform",
    "Question",
    "Recommender",
    "Robust",
    "TagCFError",
    "TwoStage",
    "encode_tags",
    "estimate_effects",
    "fit_response",
    "learn_bias",
    "load_tags",
    "open_workspace",
    "read_log",
    "simulate",
    "what_if",
]
SLOW = ["numpy", "scipy", "polars", "pyarrow", "pydantic"]


def test_the_list_is_pinned() -> None:
    modules = {
        "cli",
        "counterfactual",
        "data",
        "effects",
        "errors",
        "live",
        "recommend",
        "settings",
        "tags",
        "text",
    }
    modules |= {"doubts", "types", "views"}
    imported = {"TYPE_CHECKING", "annotations", "import_module"}
    public = {name for name in dir(tagcf) if not name.startswith("_")}
    assert sorted(public - modules - imported) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_name_loads_and_is_documented(name: str) -> None:
    assert getattr(tagcf, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'estimate'"):
        _ = tagcf.estimate


@pytest.mark.parametrize("statement", ["import tagcf", "from tagcf.cli import tagcf"])
def test_import_loads_nothing_slow(statement: str) -> None:
    loaded = f"{statement}\nimport sys\nprint(*[n for n in {SLOW} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
