"""Groups of verbs: one module per verb, imported only when it is called, not to list it."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from tagcf.text import did_you_mean, say


class Verbs(click.Group):
    """Verbs in the order of the work, with "did you mean".

    Parameters
    ----------
    verbs
        Verb -> (module, function). A verb that does not work yet is not there.
    """

    def __init__(self, *arguments: Any, verbs: Mapping[str, tuple[str, str]], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all verbs."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Import a verb."""
        if cmd_name not in self.verbs:
            hint = did_you_mean(cmd_name, self.verbs)
            ctx.fail(say("cli.unknown_verb", name=cmd_name, hint=hint))
        module, name = self.verbs[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs with the first sentences of their docstrings."""
        room = formatter.width - 6 - max(map(len, self.verbs))
        rows = [
            (name, click.Command(name, help=_docstring(module, function)).get_short_help_str(room))
            for name, (module, function) in self.verbs.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _docstring(module: str, name: str) -> str:
    """Docstring of a function, from its module's source."""
    spec = find_spec(module)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return ""
    tree = ast.parse(Path(spec.origin).read_bytes())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return ast.get_docstring(node) or ""
    return ""
