"""The labelled texts of ``benchmarks/labels``: truth by two annotators, and how far they agree.

240 short-video and live-stream texts (Chinese, English, mixed), composed and labelled by one
annotator; labelled again by a second who saw neither the first's labels nor the tagger. Both
annotators are language-model sessions, not people: their agreement says that the task is well
posed, not that people would agree as much. Every text has `first` tags (what it supports) and
`also` tags (no error).

A tag is *right* for a text if one annotator has it in `first` and the other in `first` or `also`.
It is *acceptable* if both have it in either list. Texts with an odd number are for tuning
(``tune``); those with an even one are held and only ever measured (``held``), but for the eleven
in `SEEN`, which the session that wrote the words had on its screen before the split was made::

    python -m benchmarks.labels        # agreement
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

# Shown by a careless `head` and `tail`; counted neither as held nor as tuned on.
SEEN = frozenset(f"t{number:03}" for number in (*range(2, 21, 2), 240))
LABELS = Path(__file__).parent / "labels"
TAGS = frozenset[str]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One text with what each annotator said of it."""

    id: str
    lang: str  # zh | en | mixed
    kind: str  # title caption live danmaku slang esports trap none
    text: str
    first: tuple[tuple[str, ...], tuple[str, ...]]  # of either annotator, most important first
    also: tuple[TAGS, TAGS]

    @property
    def split(self) -> Literal["tune", "held", "seen"]:
        """What the text may be used for."""
        if self.id in SEEN:
            return "seen"
        return "tune" if int(self.id[1:]) % 2 else "held"

    @property
    def right(self) -> TAGS:
        """Tags that one annotator puts first and the other at least allows."""
        one, two = (set(tags) for tags in self.first)
        return frozenset(one & (two | self.also[1]) | two & (one | self.also[0]))

    @property
    def acceptable(self) -> TAGS:
        """Tags that both allow."""
        one, two = (set(first) | also for first, also in zip(self.first, self.also, strict=True))
        return frozenset(one & two)


@cache
def labelled_texts() -> tuple[Labelled, ...]:
    """Return all texts, of every split, in the order of their file."""
    texts = tomllib.loads((LABELS / "texts.toml").read_text("utf-8"))["text"]
    second = tomllib.loads((LABELS / "second.toml").read_text("utf-8"))["label"]
    by_id = {one["id"]: one for one in second}
    return tuple(
        Labelled(
            id=one["id"],
            lang=one["lang"],
            kind=one["kind"],
            text=one["text"],
            first=(tuple(one["first"]), tuple(by_id[one["id"]]["first"])),
            also=(frozenset(one["also"]), frozenset(by_id[one["id"]]["also"])),
        )
        for one in texts
    )


def agreement(texts: Sequence[Labelled]) -> dict[str, float | int]:
    """How far the annotators agree on `first`.

    Krippendorff's alpha takes the tag set of a text as one value, with the distance MASI
    (Passonneau 2006); kappa is Cohen's over every pair of text and tag that anybody used.
    """
    pairs = [(set(one.first[0]), set(one.first[1])) for one in texts]
    named = [pair for pair in pairs if pair[0] and pair[1]]
    return {
        "texts": len(texts),
        "texts_both_tagged": len(named),
        "both_or_neither_tagged": _share(bool(one) == bool(two) for one, two in pairs),
        "first_tag_the_same": _share(
            one.first[0][0] == one.first[1][0] for one in texts if one.first[0] and one.first[1]
        ),
        "first_tag_allowed_by_the_other": _share(
            one.first[k][0] in {*one.first[1 - k], *one.also[1 - k]}
            for one in texts
            for k in (0, 1)
            if one.first[0] and one.first[1]
        ),
        "mean_f1": round(float(np.mean([_f1(one, two) for one, two in named])), 3),
        "cohen_kappa": round(_kappa(pairs), 3),
        "krippendorff_alpha_masi": round(_alpha(pairs, masi_distance), 3),
        "right_tags_per_text": round(float(np.mean([len(one.right) for one in texts])), 2),
    }


def masi_distance(one: set[str], two: set[str]) -> float:
    """1 minus Jaccard times monotonicity (1 equal, 2/3 one within the other, 1/3 overlap)."""
    if one == two:
        return 0.0
    both = one & two
    if not both:
        return 1.0
    monotone = 2 / 3 if both in (one, two) else 1 / 3
    return 1 - len(both) / len(one | two) * monotone


def _alpha(
    pairs: list[tuple[set[str], set[str]]], distance: Callable[[set[str], set[str]], float]
) -> float:
    """Krippendorff's alpha of two annotators who both labelled everything."""
    observed = np.mean([distance(one, two) for one, two in pairs])
    values = [value for pair in pairs for value in pair]
    expected = np.mean(
        [distance(one, two) for k, one in enumerate(values) for two in values[k + 1 :]]
    )
    return float(1 - observed / expected)


def _kappa(pairs: list[tuple[set[str], set[str]]]) -> float:
    tags = sorted(set().union(*(one | two for one, two in pairs)))
    one, two = (np.array([[tag in pair[k] for tag in tags] for pair in pairs]) for k in (0, 1))
    agreed = np.mean(one == two)
    chance = one.mean() * two.mean() + (1 - one.mean()) * (1 - two.mean())
    return float((agreed - chance) / (1 - chance))


def _f1(one: set[str], two: set[str]) -> float:
    return 2 * len(one & two) / (len(one) + len(two))


def _share(values: Iterable[bool]) -> float:
    return round(float(np.mean(list(values))), 3)


if __name__ == "__main__":
    print(json.dumps(agreement(labelled_texts()), indent=1))
