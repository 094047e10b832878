"""Texts that stand for a tag where its names and keywords don't, and texts that say nothing.

They stand in ``examples.toml``. A text's nearest examples in the embedding space tell its tags, as
in k nearest neighbours; near to texts that say nothing, it has none.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Examples:
    """The content of ``examples.toml``."""

    nothing: tuple[str, ...]  # say nothing that a tag could be given for
    texts: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]  # slugs of each text


@cache
def shipped_examples() -> Examples:
    """Return the examples that ship with TagCF."""
    content = resources.files("tagcf.tags").joinpath("examples.toml").read_bytes()
    read: dict[str, Any] = tomllib.loads(content.decode("utf-8"))
    told: dict[str, list[str]] = read["examples"]
    return Examples(
        tuple(read["nothing"]), tuple(told), tuple(tuple(tags) for tags in told.values())
    )


def members(examples: Examples, slugs: list[str]) -> list[tuple[int, NDArray[np.intp]]]:
    """Return the tags that have two examples or more: position among `slugs`, and which."""
    own = {
        slug: np.array([k for k, tags in enumerate(examples.tags) if slug in tags])
        for slug in {one for tags in examples.tags for one in tags}
    }
    return [(k, own[slug]) for k, slug in enumerate(slugs) if len(own.get(slug, ())) > 1]


def likeness(cosines: Vectors, members: list[tuple[int, NDArray[np.intp]]]) -> Vectors:
    """How near texts are to each tag's examples.

    Parameters
    ----------
    cosines
        (n, E) to all examples.

    Returns
    -------
    (n, M) mean of the two greatest of a tag, in standard deviations over all examples of the text.
    """
    scores = cosines - cosines.mean(axis=1, keepdims=True)
    scores /= scores.std(axis=1, keepdims=True)
    found = np.empty((len(scores), len(members)), dtype=np.float32)
    for k, (_, own) in enumerate(members):
        found[:, k] = np.partition(scores[:, own], -2, axis=1)[:, -2:].mean(axis=1)
    return found


def nearest(cosines: Vectors, count: int = 3) -> Vectors:
    """(n,) mean of the `count` greatest cosines of each row."""
    best: Vectors = np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1)
    return best
