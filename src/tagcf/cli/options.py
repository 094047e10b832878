"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from tagcf.text import Language, choose_language

Command = TypeVar("Command", bound=Callable[..., object])


def _set_language(_ctx: click.Context, _param: click.Parameter, value: Language | None) -> None:
    if value is not None:
        choose_language(value)


def lang_option(command: Command) -> Command:
    """``--lang zh|en``, in force before anything is said."""
    return click.option(
        "--lang",
        type=click.Choice(["zh", "en"]),
        callback=_set_language,
        expose_value=False,
        is_eager=True,
        help="language of messages / 语言",
    )(command)


def json_option(command: Command) -> Command:
    """``--json``: data on stdout as one JSON document."""
    return click.option("--json", "as_json", is_flag=True, help="print JSON")(command)


def folder_argument(command: Command) -> Command:
    """``DIR``: the workspace."""
    return click.argument(
        "folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False)
    )(command)


def seed_option(command: Command) -> Command:
    """``--seed``: seed of everything random."""
    return click.option(
        "--seed", type=click.IntRange(0), default=None, help="seed of everything random"
    )(command)
