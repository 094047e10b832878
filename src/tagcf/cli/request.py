"""What ``recommend`` and ``explain`` are both asked: for whom, under which rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from tagcf.cli.trained import asked_rules, listed_ids
from tagcf.recommend.steer import Rule
from tagcf.text import say

Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Requested:
    """Whose list it is, and what acts on it."""

    user: str | None
    history: list[str] | None
    channel: str | None
    segments: Mapping[str, str]
    rules: tuple[Rule, ...]
    exclude_seen: bool


OPTIONS = (
    click.option("--user", help="id of a user of the log"),
    click.option(
        "--history",
        metavar="I,…",
        help='items that anybody had, oldest first; quote an id with a comma: "a,b",c',
    ),
    click.option(
        "--segment",
        "segments",
        multiple=True,
        metavar="COLUMN=LEVEL",
        help="of somebody new: rules for it act, and a short history is helped out by it",
    ),
    click.option("--channel", help="for which rules of [recommend] steer act"),
    click.option("--boost", multiple=True, metavar="TAG=W", help="more of a tag; W may be < 0"),
    click.option("--block", multiple=True, metavar="TAG", help="nothing with this tag"),
    click.option("--include-seen", is_flag=True, help="what the user has had may be shown"),
)


def request_options(command: Command) -> Command:
    """Add the options of a request; the verb gets one `Requested`."""

    @wraps(command)
    def called(
        *,
        user: str | None,
        history: str | None,
        segments: Sequence[str],
        channel: str | None,
        boost: Sequence[str],
        block: Sequence[str],
        include_seen: bool,
        **rest: Any,
    ) -> None:
        if (user is None) == (history is None):
            raise click.UsageError(say("recommend.one_of_user_history"))
        asked = Requested(
            user=user,
            history=listed_ids(history),
            channel=channel,
            segments=dict(_level(one) for one in segments),
            rules=asked_rules(boost, block),
            exclude_seen=not include_seen,
        )
        command(asked=asked, **rest)

    for option in reversed(OPTIONS):
        called = option(called)
    return called


def _level(text: str) -> tuple[str, str]:
    column, equals, level = text.partition("=")
    if not equals or not column.strip():
        raise click.UsageError(say("recommend.bad_segment_option", text=text))
    return column.strip(), level.strip()
