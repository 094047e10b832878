"""The ``tagcf`` command: one file per verb, imported only when it is called."""

from __future__ import annotations

import codecs
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from tagcf import __version__
from tagcf.cli.usage import choose_asked_language, show_usage
from tagcf.cli.verbs import Verbs
from tagcf.errors import TagCFError
from tagcf.text import say

# Verb -> (module, command). A verb that does not work yet is not here.
VERBS = {
    "demo": ("tagcf.cli.demo", "demo"),
    "init": ("tagcf.cli.init", "init"),
    "import": ("tagcf.cli.import_", "import_"),
    "check": ("tagcf.cli.check", "check"),
    "tag": ("tagcf.cli.tag", "tag"),
    "effects": ("tagcf.cli.effects", "effects"),
    "whatif": ("tagcf.cli.whatif", "whatif"),
    "train": ("tagcf.cli.train", "train_"),
    "recommend": ("tagcf.cli.recommend", "recommend"),
    "explain": ("tagcf.cli.explain", "explain"),
    "evaluate": ("tagcf.cli.evaluate", "evaluate_"),
    "report": ("tagcf.cli.report", "report"),
    "simulate": ("tagcf.cli.simulate", "simulate"),
    "live": ("tagcf.cli.live", "live"),
    "settings": ("tagcf.cli.settings", "settings"),
    "doctor": ("tagcf.cli.doctor", "doctor"),
}


# What consoles without UTF-8 get in place of letters that they lack.
PLAIN = {"−": "-", "–": "-", "—": "-", "…": "...", "\u00a0": " ", "\u2009": " ", "“": '"', "”": '"'}


@click.group(cls=Verbs, verbs=VERBS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tagcf")
def tagcf() -> None:
    """Which tags cause which behaviour, for whom, how sure."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors become one readable message and the contract's exit code."""
    # Many small solves: BLAS threads spin against one another and make them slower, not faster.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    codecs.register_error("tagcf", _spelled_plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="tagcf")
    choose_asked_language(sys.argv[1:] if arguments is None else arguments)
    stdout = sys.stdout
    try:
        code = tagcf.main(args=arguments, prog_name="tagcf", standalone_mode=False)
    except TagCFError as error:
        click.echo(f"{say('cli.error')}{error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as usage:
        show_usage(usage)
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except SystemExit as left:
        # Where nobody reads on (`tagcf … | head`), rich leaves so, and click with another stdout.
        unread = sys.stdout is not stdout or isinstance(left.__context__, BrokenPipeError)
        sys.exit(0 if unread else left.code)
    except MemoryError as full:
        click.echo(f"{say('cli.error')}{say('error.no_memory', detail=full)}", err=True)
        sys.exit(1)
    except OSError as failed:
        detail = f"{failed.filename or ''} {failed.strerror or failed}".strip()
        _give_up("error.system", detail)
    except Exception as unexpected:  # a mistake of ours: one sentence, and how to report it
        _give_up("error.unexpected", f"{type(unexpected).__name__}: {unexpected}")
    sys.exit(code if isinstance(code, int) else 0)


def _spelled_plainly(error: UnicodeError) -> tuple[str, int]:
    """Spell what a console's encoding lacks: a minus stays a minus, never a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wanted = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter, "?") for letter in wanted), error.end


def _give_up(key: str, detail: str) -> NoReturn:
    """Say what went wrong in one sentence; TAGCF_DEBUG=1 shows where."""
    if os.environ.get("TAGCF_DEBUG"):
        traceback.print_exc()
    click.echo(f"{say('cli.error')}{say(key, detail=detail)}", err=True)
    sys.exit(1)
