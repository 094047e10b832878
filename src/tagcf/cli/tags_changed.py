"""Say so where the tags of today are not those that effects were estimated on."""

from __future__ import annotations

from tagcf.cli.talk import tell
from tagcf.data.workspace import Workspace
from tagcf.tags.matrix import tags_version
from tagcf.types import TagEffects


def say_tags_changed(workspace: Workspace, effects: TagEffects) -> None:
    """Warn where the tag tree was changed, or items tagged by another one, since."""
    today = tags_version(workspace)
    if effects.tags_version and effects.tags_version != today:
        tell(
            "tags.changed_since",
            then=effects.tags_version,
            now=today,
            command=f"tagcf effects {workspace.root}",
        )
