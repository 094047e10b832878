"""``tagcf init DIR``: a commented tagcf.toml, guessed from the files."""

from __future__ import annotations

from pathlib import Path

import click

from tagcf.cli.options import folder_argument, lang_option
from tagcf.data.guess import guess_settings
from tagcf.data.settings_file import render_settings
from tagcf.data.workspace import write_text
from tagcf.errors import DataError, SettingsError
from tagcf.settings import FILE_NAME, parse_settings
from tagcf.text import say


@click.command("init")
@folder_argument
@click.option("--force", is_flag=True, help="overwrite an existing tagcf.toml")
@lang_option
def init(folder: Path, force: bool) -> None:
    """Look at the files in DIR and write a commented tagcf.toml."""
    target = folder / FILE_NAME
    if not folder.is_dir():
        raise SettingsError("error.no_folder", path=folder)
    if target.exists() and not force:
        raise DataError("init.settings_exist", path=target)
    settings = guess_settings(folder)
    parse_settings(settings, str(target))
    write_text(target, render_settings(settings))
    click.echo(say("init.done", path=target), err=True)
    outcomes, content = settings.get("outcomes", {}), settings.get("content", {})
    for name, outcome in outcomes.items():
        click.echo(say("init.outcome", name=name, **_facts(outcome)), err=True)
    for kind in content:
        columns = ", ".join([content[kind]] if kind == "media" else content[kind])
        click.echo(say(f"init.{kind}", column=columns), err=True)
    click.echo(say("init.next" if outcomes else "init.only_tags", path=folder), err=True)


def _facts(outcome: dict[str, str]) -> dict[str, str]:
    column = outcome["column"]
    if "trials" in outcome:
        column = f"{column} / {outcome['trials']}"
    return {"column": column, "kind": outcome["kind"]}
