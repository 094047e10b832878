"""The model of a workspace: where it is, opened with a word where it is out of date."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tagcf.cli.tags_changed import say_tags_older
from tagcf.cli.talk import tell
from tagcf.data.store import fingerprint
from tagcf.data.workspace import Workspace
from tagcf.effects.store import run_id
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.steer import Rule, parse_boost, read_rules
from tagcf.tags.matrix import has_tags, tags_version
from tagcf.tags.roles.store import has_roles, logic_versions
from tagcf.text import say
from tagcf.views.labels import join

FOLDER = "recommender"


def model_path(workspace: Workspace) -> Path:
    """Where `tagcf train` writes."""
    return workspace.out / "model" / FOLDER


def origin_of(workspace: Workspace) -> tuple[tuple[str, str], ...]:
    """What a model is trained on: the log, the effects' run, versions of tags and roles."""
    tags = tags_version(workspace) if has_tags(workspace) else ""
    return (
        ("log", fingerprint(workspace)),
        ("effects", run_id(workspace) or ""),
        ("tags", tags),
        ("roles", json.dumps(logic_versions(workspace)) if has_roles(workspace) else ""),
    )


def open_trained(workspace: Workspace) -> Recommender:
    """Load the model under the workspace's present rules; say what changed since training."""
    found = Recommender.load(model_path(workspace))
    now = dict(origin_of(workspace))
    changed = [name for name, value in found.origin if now.get(name, value) != value]
    if changed:
        what = join([say(f"recommend.stale_{name}") for name in changed])
        tell("recommend.stale", what=what, version=found.version, path=workspace.root)
    say_tags_older(workspace)
    return found.steered_by(standing_rules(workspace))


def standing_rules(workspace: Workspace) -> tuple[Rule, ...]:
    """Rules of the file that ``[recommend] steer`` names."""
    named = workspace.settings.recommend.steer
    return () if named is None else read_rules(workspace.root / named)


def asked_rules(boosts: Sequence[str], blocks: Sequence[str]) -> tuple[Rule, ...]:
    """Rules of the command line."""
    return (*(parse_boost(one) for one in boosts), *(Rule(one, block=True) for one in blocks))


def listed_ids(text: str | None) -> list[str] | None:
    """Ids with commas between them."""
    if text is None:
        return None
    return [one.strip() for one in text.replace("，", ",").split(",") if one.strip()]
