"""Names as a person reads them: tags, outcomes, rungs, methods, verdicts, reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from tagcf.text import catalogue, language, say, visible
from tagcf.types import Effect, Estimand, Method, Rung, Verdict
from tagcf.views.picture import Shape, Tone

TONES: dict[Verdict, Tone] = {
    "raises": "raises",
    "lowers": "lowers",
    "no clear effect": "unclear",
    "cannot tell": "unknown",
}
SHAPES: dict[Tone, Shape] = {
    "raises": "up",
    "lowers": "down",
    "unclear": "ring",
    "unknown": "cross",
    "naive": "diamond",
    "adjusted": "circle",
    "level": "circle",
}
RUNGS: tuple[Rung, ...] = get_args(Rung)


@dataclass(frozen=True, slots=True)
class TagName:
    """A tag in the language of the page, and its name in the other one where that differs."""

    name: str
    other: str


def tag_name(zh: str, en: str) -> TagName:
    """Order the two names of a tag for the language in force."""
    zh, en = visible(zh), visible(en)
    name, other = (zh, en) if language() == "zh" else (en, zh)
    return TagName(name or other, other if other != name and name else "")


def effect_name(effect: Effect) -> TagName:
    """Name the tag of an effect."""
    return tag_name(effect.tag_zh, effect.tag_en)


def outcome_label(name: str) -> str:
    """Name an outcome: common ones are translated, others stand as configured."""
    key = f"report.outcome_{name}"
    return say(key) if key in catalogue() else name


def _slug(name: str) -> str:
    return name.replace(" ", "_").replace("-", "_")


def rung_label(rung: Rung) -> str:
    """Name a rung of identification."""
    return say(f"report.rung_{_slug(rung)}")


def rung_meaning(rung: Rung) -> str:
    """Say in one sentence what a rung rests on."""
    return say(f"report.rung_{_slug(rung)}_means")


def method_label(method: Method) -> str:
    """Name a method."""
    return say(f"report.method_{method}")


def method_meaning(method: Method) -> str:
    """Say in one sentence what a method does."""
    return say(f"report.method_{method}_means")


def estimand_meaning(estimand: Estimand) -> str:
    """Say in one sentence what is estimated."""
    return say(f"report.estimand_{estimand}")


def verdict_label(verdict: Verdict) -> str:
    """Name a verdict."""
    return say(f"report.verdict_{_slug(verdict)}")


def join(parts: list[str]) -> str:
    """Join words as an enumeration of the language in force."""
    return say("report.comma").join(parts)
