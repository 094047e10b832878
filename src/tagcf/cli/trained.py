"""The model of a workspace: where it is, opened with a word where it is out of date."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tagcf.cli.tags_changed import say_tags_older
from tagcf.cli.talk import tell
from tagcf.data.content import files_content, tables_content
from tagcf.data.workspace import Workspace
from tagcf.effects.store import run_id
from tagcf.recommend.recommender import Recommender
from tagcf.recommend.steer import Rule, parse_boost, read_rules
from tagcf.tags.matrix import FILE as WRITTEN_TAGS
from tagcf.tags.matrix import has_tags, tags_version
from tagcf.tags.roles.store import has_roles, logic_versions
from tagcf.text import did_you_mean, say
from tagcf.views.labels import join

FOLDER = "recommender"
AT_REQUEST = {"steer", "explore"}  # settings that act on requests, not on training
NEAR = 2_000  # users looked through for a name near to an unknown one


def model_path(workspace: Workspace) -> Path:
    """Where `tagcf train` writes."""
    return workspace.out / "model" / FOLDER


def origin_of(workspace: Workspace) -> tuple[tuple[str, str], ...]:
    """What a model is trained on: the log, the effects' run, tags, roles, and the settings."""
    tags = tags_version(workspace) if has_tags(workspace) else ""
    return (
        ("log", _log(workspace)),
        ("effects", run_id(workspace) or ""),
        ("tags", tags),
        ("tagged", _tagged(workspace)),
        ("roles", json.dumps(logic_versions(workspace)) if has_roles(workspace) else ""),
        ("settings", json.dumps(_settings(workspace), sort_keys=True)),
    )


def _log(workspace: Workspace) -> str:
    """Hash of what the log is read from: the tables' contents, and how they are read."""
    read = workspace.settings.model_dump(mode="json", include={"outcomes", "data", "design"})
    content = tables_content(workspace, ("impressions", "items", "users"))
    return f"{content}-{hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()[:8]}"


def _tagged(workspace: Workspace) -> str:
    """Hash of the tables of tags."""
    own, written = tables_content(workspace, ["item_tags"]), workspace.root / "out" / WRITTEN_TAGS
    return f"{own}-{files_content([written])}"


def _settings(workspace: Workspace) -> dict[str, Any]:
    """Settings that act on training."""
    settings = workspace.settings
    found = settings.recommend.model_dump(mode="json", exclude=AT_REQUEST)
    return {**found, "threshold": settings.tags.threshold}


def open_trained(workspace: Workspace) -> Recommender:
    """Load the model under the workspace's present rules; say what changed since training."""
    found = Recommender.load(model_path(workspace))
    if changed := _changed(dict(found.origin), dict(origin_of(workspace))):
        what = join(changed)
        tell("recommend.stale", what=what, version=found.version, path=workspace.root)
    say_tags_older(workspace)
    rules = standing_rules(workspace)
    say_unknown_users(found, rules)
    return found.steered_by(rules)


def _changed(then: dict[str, str], now: dict[str, str]) -> list[str]:
    """What differs, in words; what an older version did not note is not compared."""
    told = []
    other_tree = now.get("tags") != then.get("tags")  # so are the tags of items, of course
    for name, value in then.items():
        if now.get(name, value) == value or (name == "tagged" and other_tree):
            continue
        if name != "settings":
            told.append(say(f"recommend.stale_{name}"))
            continue
        before, today = json.loads(value), json.loads(now[name])
        names = [_where(one) for one in before if today.get(one, before[one]) != before[one]]
        if names:
            told.append(say("recommend.stale_settings", names=", ".join(names)))
    return told


def _where(name: str) -> str:
    return "[tags] threshold" if name == "threshold" else f"[recommend] {name}"


def say_unknown_users(found: Recommender, rules: Sequence[Rule]) -> None:
    """Warn of rules for users who are not there: they may come, or be misspelt."""
    for rule in rules:
        if rule.user is not None and rule.user not in found.people.position:
            hint = did_you_mean(rule.user, found.people.ids[:NEAR])
            tell("recommend.rule_unknown_user", rule=rule.label, name=rule.user, hint=hint)


def standing_rules(workspace: Workspace) -> tuple[Rule, ...]:
    """Rules of the file that ``[recommend] steer`` names."""
    named = workspace.settings.recommend.steer
    return () if named is None else read_rules(workspace.root / named)


def asked_rules(boosts: Sequence[str], blocks: Sequence[str]) -> tuple[Rule, ...]:
    """Rules of the command line."""
    return (*(parse_boost(one) for one in boosts), *(Rule(one, block=True) for one in blocks))


def listed_ids(text: str | None) -> list[str] | None:
    """Ids with commas between them; in double quotes a comma is part of an id, as in CSV."""
    if text is None:
        return None
    parts = text.split('"')
    parts[::2] = [one.replace("，", ",").replace("\n", ",") for one in parts[::2]]
    rows = csv.reader(['"'.join(parts)], skipinitialspace=True)
    return [one.strip() for row in rows for one in row if one.strip()]
