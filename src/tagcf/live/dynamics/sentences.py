"""What is said about interests in motion, in the language in force."""

from __future__ import annotations

from tagcf.live.dynamics.coming import ComingTag
from tagcf.live.dynamics.next_interest import NextTag
from tagcf.text import language, say
from tagcf.types import Tag


def switch_sentence(source: Tag, target: Tag, probability: float) -> str:
    """Say that an interest has moved."""
    percent = round(100 * probability)
    return say(
        "live_dynamics.switched", source=_name(source), target=_name(target), percent=percent
    )


def next_sentence(told: NextTag, tag: Tag) -> str:
    """Say what may come next, and why."""
    because = say(f"live_dynamics.because_{told.because.replace(' ', '_')}")
    percent = round(100 * told.probability)
    return say("live_dynamics.may_want", tag=_name(tag), percent=percent, because=because)


def coming_sentence(told: ComingTag, tag: Tag, days: int = 30) -> str:
    """Say what may come to be loved, and why."""
    because = say(f"live_dynamics.because_{told.because.replace(' ', '_')}")
    percent = round(100 * told.probability)
    return say(
        "live_dynamics.may_love", tag=_name(tag), percent=percent, days=days, because=because
    )


def phase_sentence(phase: str, probability: float) -> str:
    """Say in which phase a session is."""
    return say(f"live_dynamics.{phase}", percent=round(100 * probability))


def _name(tag: Tag) -> str:
    return tag.zh if language() == "zh" else tag.en
