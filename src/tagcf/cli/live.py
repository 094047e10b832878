"""``tagcf live``: a group; one file per verb, imported only when it is called."""

from __future__ import annotations

import importlib

import click

from tagcf.text import did_you_mean, say

# Verb -> (module, command). A verb that does not work yet is not here.
LIVE_VERBS = {
    "danmaku": ("tagcf.cli.live_danmaku", "danmaku"),
    "replay": ("tagcf.cli.live_replay", "replay"),
}


class _LiveVerbs(click.Group):
    """Verbs loaded lazily, with "did you mean"."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(LIVE_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LIVE_VERBS:
            hint = did_you_mean(cmd_name, LIVE_VERBS)
            ctx.fail(say("cli.unknown_verb", name=cmd_name, hint=hint))
        module, name = LIVE_VERBS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_LiveVerbs)
def live() -> None:
    """Live rooms: what viewers say and want, as it happens."""
