"""``tagcf live match``: which hosts suit a viewer, or which viewers a host."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.live_tables import echo_answer, read_told
from tagcf.cli.options import folder_argument, json_option, lang_option
from tagcf.cli.talk import tell
from tagcf.errors import UnknownNameError
from tagcf.live.hosts.match import Match, fit_matcher, match_hosts, match_viewers
from tagcf.live.kept import recorded_interests
from tagcf.live.replay import names_of
from tagcf.text import did_you_mean, say, visible
from tagcf.types import Tag
from tagcf.views.host_words import tag_names


@click.command("match")
@folder_argument
@click.option("--user", default=None, help="whom to find hosts for")
@click.option("--host", default=None, help="whom to find viewers for")
@click.option("--k", default=10, show_default=True, type=click.IntRange(1), help="how many")
@json_option
@lang_option
def match(*, folder: Path, user: str | None, host: str | None, k: int, as_json: bool) -> None:
    """Match viewers and hosts by how long a visit would last, with what that rests on.

    Interests are as they are by the newest event of events.*, with what users said of them; hosts
    are taken by their last segments.
    """
    if (user is None) == (host is None):
        raise click.UsageError(say("live_hosts.match_needs_one"))
    workspace, tables = read_told(folder)
    matcher, _ = fit_matcher(tables)
    engine = recorded_interests(workspace, tables)
    users = sorted(set(names_of(tables.events, "user").values()))
    if user is not None:
        if not engine.knows(user):
            hint = did_you_mean(user, users)
            raise UnknownNameError("live_hosts.unknown_viewer", name=user, hint=hint)
        found = match_hosts(matcher, engine, user, k)
    else:
        found = match_viewers(matcher, engine, str(host), users, k)
    if as_json:
        echo_answer(
            workspace, {"matches": [asdict(one) for one in found], "visits": matcher.visits}
        )
        return
    _print(found, {tag.slug: tag for tag in tables.tags.tags} if tables.tags else {})
    tell("live_hosts.matched", visits=f"{matcher.visits:,}")


def _print(found: tuple[Match, ...], tags: dict[str, Tag]) -> None:
    columns = ("viewer", "host", "seconds", "interval", "shared", "visits")
    grid = Grid(*(say(f"live_hosts.match_{name}") for name in columns), box=None)
    for one in found:
        cells = (
            one.user,
            one.host,
            f"{one.seconds:.0f}",
            f"{one.low:.0f}–{one.high:.0f}",
            tag_names(one.tags[:3], tags),
            str(one.visits),
        )
        grid.add_row(*(escape(visible(cell)) for cell in cells))
    Console().print(grid)
