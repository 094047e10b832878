"""Say so where tags are not those of the tag tree of today, or effects not of the tags of today."""

from __future__ import annotations

from tagcf.cli.talk import tell
from tagcf.data.workspace import Workspace
from tagcf.tags.matrix import has_tags, tags_version
from tagcf.tags.tree.versions import tree_version
from tagcf.types import TagEffects


def say_tags_older(workspace: Workspace) -> bool:
    """Warn where the tag tree was changed after the items were tagged; whether it was."""
    if not has_tags(workspace):
        return False
    then, now = tags_version(workspace), tree_version(workspace)
    if then != now:
        tell("tags.older_tree", then=then, now=now, command=f"tagcf tag {workspace.root}")
    return then != now


def say_tags_changed(workspace: Workspace, effects: TagEffects) -> None:
    """Warn where the tag tree was changed, or items tagged by another one, since."""
    if say_tags_older(workspace):
        return
    today = tags_version(workspace)
    if effects.tags_version and effects.tags_version != today:
        tell(
            "tags.changed_since",
            then=effects.tags_version,
            now=today,
            command=f"tagcf effects {workspace.root}",
        )
