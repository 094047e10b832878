"""``tagcf settings [DIR]``: each setting, its value, where the value came from, what it is for."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tagcf.cli.json_text import echo_json
from tagcf.cli.options import json_option, lang_option
from tagcf.data.settings_file import describe_setting
from tagcf.settings import FILE_NAME, OutcomeSettings, Settings, load_settings
from tagcf.text import say


@click.command("settings")
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False)
)
@json_option
@lang_option
def settings(folder: Path | None, as_json: bool) -> None:
    """Show every setting of DIR (without DIR: the defaults)."""
    loaded = Settings() if folder is None else load_settings(folder)
    written = {} if folder is None else tomllib.loads((folder / FILE_NAME).read_text("utf-8-sig"))
    rows = list(_rows(loaded, written, reads_environment=folder is not None))
    if as_json:
        echo_json({"settings": rows}, indent=2)
    else:
        _print(rows)


def _rows(
    loaded: Settings, written: dict[str, Any], *, reads_environment: bool
) -> Iterator[dict[str, Any]]:
    """Yield one row per setting, sections in the order of the model."""
    for name in type(loaded).model_fields:
        part = getattr(loaded, name)
        if name == "outcomes":
            for outcome, values in (part or {"NAME": None}).items():
                for key, field in OutcomeSettings.model_fields.items():
                    value = field.get_default() if values is None else getattr(values, key)
                    path = ("outcomes", outcome, key)
                    yield _row(path, value, written, reads_environment=reads_environment)
        elif isinstance(part, BaseModel):
            for key in type(part).model_fields:
                value = getattr(part, key)
                yield _row((name, key), value, written, reads_environment=reads_environment)
        else:
            yield _row((name,), part, written, reads_environment=reads_environment)


def _row(
    path: tuple[str, ...], value: object, written: dict[str, Any], *, reads_environment: bool
) -> dict[str, Any]:
    about = ".".join((path[0], path[-1])) if path[0] == "outcomes" else ".".join(path)
    return {
        "name": ".".join(path),
        "value": value,
        "source": _source(path, written, reads_environment=reads_environment),
        "description": describe_setting(about),
    }


def _source(path: tuple[str, ...], written: dict[str, Any], *, reads_environment: bool) -> str:
    variable = "TAGCF_" + "__".join(part.upper() for part in path)
    if reads_environment and len(path) > 1 and variable in os.environ:
        return "env"
    found: Any = written
    for part in path:
        if not isinstance(found, dict) or part not in found:
            return "default"
        found = found[part]
    return "file"


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("name", "value", "source", "description"):
        table.add_column(say(f"settings.{column}"), overflow="fold")
    for row in rows:
        value = "" if row["value"] is None else json.dumps(row["value"], ensure_ascii=False)
        source = say(f"settings.{row['source']}")
        table.add_row(*(escape(cell) for cell in (row["name"], value, source, row["description"])))
    Console(highlight=False).print(table)
