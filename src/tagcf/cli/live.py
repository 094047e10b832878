"""``tagcf live``: a group; one file per verb, imported only when it is called."""

from __future__ import annotations

import click

from tagcf.cli.verbs import Verbs

# Verb -> (module, command). A verb that does not work yet is not here.
LIVE_VERBS = {
    "danmaku": ("tagcf.cli.live_danmaku", "danmaku"),
    "host": ("tagcf.cli.live_host", "host"),
    "guide": ("tagcf.cli.live_host", "guide"),
    "draft": ("tagcf.cli.live_host", "draft"),
    "interest": ("tagcf.cli.live_interest", "interest"),
    "match": ("tagcf.cli.live_match", "match"),
    "replay": ("tagcf.cli.live_replay", "replay"),
    "path": ("tagcf.cli.live_path", "path"),
    "resonance": ("tagcf.cli.live_path", "resonance_"),
    "companion": ("tagcf.cli.live_companion", "companion"),
}


@click.group(cls=Verbs, verbs=LIVE_VERBS)
def live() -> None:
    """Live rooms: what viewers say and want, as it happens."""
