"""Scenes, the tags that belong to them, and how tags are related. T tags, S scenes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from tagcf.data.simulate.live.platform import LivePlatform
from tagcf.data.simulate.sector import read_sector, sector_tags
from tagcf.types import Codes, Floats, Mask, Tag

FACTORS = 5  # dimensions of what tags and tastes have in common across scenes
SCENE_FACTORS = 2  # further dimensions that matter within one scene only
TYPES = 4  # of users: the signs of their first two shared factors


@dataclass(frozen=True, slots=True)
class Scene:
    """A kind of room. `peak` is a share of the opening hours, `sells` a chance per segment."""

    name: str
    zh: str
    en: str
    peak: float
    sells: float
    goods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topics:
    """Tags, their scenes, and which leads to which."""

    tags: tuple[Tag, ...]
    scenes: tuple[Scene, ...]
    scene_of: Codes  # (T,) -1: shared by all scenes, and nobody's current interest
    factors: Floats  # (T, FACTORS) of length one
    scene_factors: Floats  # (T, SCENE_FACTORS) of length one
    logic: Mask  # (T, T) from a tag to those that it leads to
    habits: Floats  # (TYPES, T, T) log weight of the next tag, by type of user
    popularity: Floats  # (T,) log weight

    @property
    def core(self) -> Codes:
        """Tags that can be somebody's current interest."""
        return np.flatnonzero(self.scene_of >= 0).astype(np.int32)


@cache
def words(name: str) -> dict[str, Any]:
    """Read ``talk.toml`` or ``scenes.toml``."""
    text = resources.files(__package__).joinpath(f"{name}.toml").read_text("utf-8")
    read: dict[str, Any] = tomllib.loads(text)
    return read


def draw_topics(settings: LivePlatform, rng: np.random.Generator) -> Topics:
    """Draw what tags have in common, the tag-logic graph, and habits of moving on."""
    tags = sector_tags(read_sector(settings.sector), settings.tags)
    position = {tag.slug: t for t, tag in enumerate(tags)}
    table = words("scenes")[settings.sector]
    scenes: list[Scene] = []
    scene_of = np.full(len(tags), -1, np.int32)
    for name, zh, en, peak, sells, slugs in table["scenes"]:
        here = [position[slug] for slug in slugs if slug in position]
        if here:
            scene_of[here] = len(scenes)
            goods = tuple(table["goods"][name])
            scenes.append(Scene(name, zh, en, float(peak), float(sells), goods))
    factors = _unit(rng.normal(size=(len(tags), FACTORS)))
    logic = _draw_logic(scene_of, factors, rng)
    core = np.flatnonzero(scene_of >= 0)
    habits = np.zeros((TYPES, len(tags), len(tags)))
    for own in habits:
        for tag in core:
            others = core[core != tag]
            own[tag, rng.choice(others, min(2, len(others)), replace=False)] = 1.0
    return Topics(
        tags=tags,
        scenes=tuple(scenes),
        scene_of=scene_of,
        factors=factors,
        scene_factors=_unit(rng.normal(size=(len(tags), SCENE_FACTORS))),
        logic=logic,
        habits=habits,
        popularity=0.4 * rng.normal(size=len(tags)),
    )


def _draw_logic(scene_of: Codes, factors: Floats, rng: np.random.Generator) -> Mask:
    """Each tag leads to one of its scene and to the one most like it of another scene."""
    n = len(scene_of)
    logic = np.zeros((n, n), np.bool_)
    alike = factors @ factors.T
    core = np.flatnonzero(scene_of >= 0)
    for tag in core:
        same = core[(scene_of[core] == scene_of[tag]) & (core != tag)]
        other = core[scene_of[core] != scene_of[tag]]
        if len(same):
            logic[tag, rng.choice(same)] = True
        if len(other):
            logic[tag, other[alike[tag, other].argmax()]] = True
    return logic


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
