"""What verbs say while they work: sentences and progress, both on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress

from tagcf.text import say


def tell(key: str, **facts: object) -> None:
    """Say a sentence of the text catalogue on stderr."""
    click.echo(say(key, **facts), err=True)


@contextmanager
def progress_bar(name: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """Show a bar on stderr where it is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.advance(task, done)
