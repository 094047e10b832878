"""Titles of simulated items: some of their tags, as a person would put them into words."""

from __future__ import annotations

import numpy as np

from tagcf.data.simulate.world import World

MENTIONED = 0.75  # chance that a carried tag is put into words at all
LONGEST = 3


def item_titles(world: World) -> list[str]:
    """Return a title for each item; it mentions at most three of the carried tags."""
    rng = np.random.default_rng([world.settings.seed, 1])
    patterns, tags = world.sector.titles, world.tags.tags
    titles: list[str] = []
    for carried in world.mechanism.catalogue.carried:
        here = [t for t in rng.permutation(np.flatnonzero(carried)) if rng.random() < MENTIONED]
        fragments = [tags[t].keywords[rng.integers(len(tags[t].keywords))] for t in here[:LONGEST]]
        choice = patterns[len(fragments)]
        titles.append(choice[rng.integers(len(choice))].format(*fragments))
    return titles
