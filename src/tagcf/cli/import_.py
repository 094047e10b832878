"""``tagcf import NAME PATH DIR``: a public data set becomes a workspace."""

from __future__ import annotations

from pathlib import Path

import click

from tagcf.cli.options import folder_argument, lang_option
from tagcf.data.connectors import CONNECTORS, write_workspace
from tagcf.errors import UnknownNameError
from tagcf.text import say


@click.command("import")
@click.argument("name", type=click.Choice(list(CONNECTORS)))
@click.argument("path", type=click.Path(path_type=Path))
@folder_argument
@click.option("--force", is_flag=True, help="replace the tables of a folder that is not empty")
@lang_option
def import_(name: str, path: Path, folder: Path, force: bool) -> None:
    """Import a public data set (NAME) from PATH into the workspace DIR."""
    if not path.exists():
        raise UnknownNameError("error.no_path", path=path)
    imported = write_workspace(CONNECTORS[name], path, folder, force=force)
    for note in imported.notes:
        click.echo(str(note), err=True)
    click.echo(say("import.done", path=folder), err=True)
