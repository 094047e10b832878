"""Tags of a sound by stated rules, each with the measured value in words."""

from __future__ import annotations

from collections.abc import Mapping

from tagcf.tags.evidence import Evidence, Found
from tagcf.tags.media.rules import found_by, sound_rules
from tagcf.tags.vocabulary import Vocabulary
from tagcf.text import catalogue
from tagcf.types import Reason

Measured = Mapping[str, float | None]  # name → value; None where it could not be measured


def found_in_sound(
    source: str, measured: Measured, vocabulary: Vocabulary, span: tuple[float, float]
) -> tuple[Found, ...]:
    """Tags of a source's rules, with the measured value in words and the seconds it is from."""
    known = {name: value for name, value in measured.items() if value is not None}

    def evidence(name: str) -> Evidence:
        return Evidence(None, *span, fact_of(name, measured))

    return found_by(sound_rules(), source, known, vocabulary, evidence)


def fact_of(measure: str, measured: Measured) -> Reason:
    """Return a measured value as a sentence to be said."""
    key = f"sound.measured_{measure}"
    value = ("value", float(measured[measure] or 0.0))
    other = measured.get(f"{measure}_other")
    if other is not None and f"{key}_other" in catalogue():
        return Reason(f"{key}_other", (value, ("other", float(other))))
    return Reason(key, (value,))
