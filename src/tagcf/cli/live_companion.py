"""``tagcf live companion``: a conversation, a line in, a line out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click

from tagcf.cli.live_danmaku import Broken, batches, hear_ctrl_c
from tagcf.cli.live_path import moment_of
from tagcf.cli.live_tables import read_told
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.talk import tell
from tagcf.data.workspace import Workspace
from tagcf.live.kept import HOME
from tagcf.live.viewing.companion import Companion, Memory, Reply, Unclear, Wish
from tagcf.live.viewing.companion.assistant import Assistant
from tagcf.live.viewing.companion.memory import EDITS
from tagcf.live.viewing.guide import guide_of
from tagcf.text import language, say, visible


@click.command("companion")
@folder_argument
@click.option("--user", required=True, help="who is talking")
@click.option("--at", "when", default=None, help="ISO 8601 or epoch seconds; default: newest event")
@click.option(
    "--using",
    type=click.Choice(["grammar", "llm"]),
    default="grammar",
    show_default=True,
    help="llm: a language model, set in tagcf.toml, reads what the grammar cannot and rephrases; "
    "what it may bring about is checked",
)
@json_option
@lang_option
def companion(*, folder: Path, user: str, when: str | None, using: str, as_json: bool) -> None:
    """Talk with a user about their interests and rooms: a line on stdin, an answer on stdout.

    Answers come from the state alone, in the language of the line unless --lang is given. What the
    user has changed is kept in DIR/out/live and holds from then on.
    """
    hear_ctrl_c()
    workspace, tables = read_told(folder)
    guide = guide_of(tables, moment_of(workspace, when))
    guide.check_user(user)
    home = workspace.root / HOME
    memory = Memory.of_tables(tables, home, guide.at, workspace.settings.live)
    broken, changed = Broken(), False
    with ExitStack() as open_until_done:
        one = Companion(
            memory,
            user,
            tables.tags.tags if tables.tags else (),
            guide,
            zone=workspace.settings.data.timezone,
            assistant=_assistant(workspace, open_until_done) if using == "llm" else None,
            spoken=language() if _language_is_told() else None,
        )
        try:
            for line in _lines(broken):
                reply = one.answer(line)
                changed = changed or reply.changed
                _print(reply, as_json=as_json)
        except BrokenPipeError:  # who reads the answers has enough of them
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    broken.tell_rest()
    if changed:
        tell("live_viewing.companion_edits", path=home / EDITS)


def _language_is_told() -> bool:
    """Whether ``--lang`` is in the command line."""
    source = click.get_current_context().get_parameter_source("lang")
    return source is click.core.ParameterSource.COMMANDLINE


def _assistant(workspace: Workspace, stack: ExitStack) -> Assistant:
    from tagcf.live.viewing.companion.asked import LanguageModel
    from tagcf.tags.llm.client import Client
    from tagcf.tags.llm.server import server_of

    return LanguageModel(stack.enter_context(Client(server_of(workspace.settings.llm))))


def _lines(broken: Broken) -> Iterator[str]:
    """Lines as they come; on a terminal each is asked for, on stderr: answers stay alone."""
    if not sys.stdin.isatty():
        for batch in batches(sys.stdin.buffer, broken):
            yield from batch
        return
    while True:
        click.echo(say("live_viewing.companion_prompt"), err=True, nl=False)
        line = sys.stdin.buffer.readline()
        if not line:
            click.echo("", err=True)
            return
        yield line.decode("utf-8", "replace").rstrip("\r\n")


def _print(reply: Reply, *, as_json: bool) -> None:
    """Print an answer on one line, whatever names in it hold."""
    if as_json:
        told = {
            "text": reply.text,
            "wishes": [_wish(one) for one in reply.understood],
            "changed": reply.changed,
            "asks": reply.asks,
        }
        click.echo(visible(json.dumps(told, ensure_ascii=False), spelling="\\u{:04x}"))
    else:
        click.echo(visible(reply.text))
    sys.stdout.flush()


def _wish(one: Wish | Unclear) -> dict[str, object]:
    return {name: value for name, value in asdict(one).items() if value is not None}
