"""Answers as JSON on stdout."""

from __future__ import annotations

import json

import click

from tagcf.text import LINES, visible


def echo_json(answer: object, *, indent: int | None = None) -> None:
    """Print an answer; letters that would reorder or hide text are escaped, as JSON allows."""
    written = json.dumps(answer, ensure_ascii=False, indent=indent)
    click.echo(visible(written, keep=LINES, spelling="\\u{:04x}"))
