"""The ``tagcf`` command: one file per verb, imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from tagcf import __version__
from tagcf.errors import TagCFError
from tagcf.text import did_you_mean, say

# Verb -> (module, command). A verb that does not work yet is not here.
VERBS = {
    "demo": ("tagcf.cli.demo", "demo"),
    "init": ("tagcf.cli.init", "init"),
    "import": ("tagcf.cli.import_", "import_"),
    "check": ("tagcf.cli.check", "check"),
    "tag": ("tagcf.cli.tag", "tag"),
    "effects": ("tagcf.cli.effects", "effects"),
    "whatif": ("tagcf.cli.whatif", "whatif"),
    "report": ("tagcf.cli.report", "report"),
    "simulate": ("tagcf.cli.simulate", "simulate"),
    "settings": ("tagcf.cli.settings", "settings"),
    "doctor": ("tagcf.cli.doctor", "doctor"),
}


class _Verbs(click.Group):
    """Verbs in the order of the work, loaded lazily, with "did you mean"."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            ctx.fail(say("cli.unknown_verb", name=cmd_name, hint=did_you_mean(cmd_name, VERBS)))
        module, name = VERBS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tagcf")
def tagcf() -> None:
    """Which tags cause which behaviour, for whom, how sure."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors become one readable message and the contract's exit code."""
    # Many small solves: BLAS threads spin against one another and make them slower, not faster.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        code = tagcf.main(args=arguments, prog_name="tagcf", standalone_mode=False)
    except TagCFError as error:
        click.echo(f"{say('cli.error')}{error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as usage:
        usage.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
