"""Interests in motion.

::

    symbols        what each event is, as evidence reads it
    evidence       what each kind of event says about what its user wants now
    content        which content events are about, and what is on air
    steps          events and content as beliefs read them
    fitting        evidence learned from labelled streams
    belief         what each user wants now
    switches       when it moves on
    social         what friends are into, fading
    next_interest  what comes next
    coming         what was hardly touched and may come to be loved within days
    transfer       what users will like in a scene that is new to them
    phase          searching, settled, about to leave
    context        hour, day, scene, device and friends, as outcome models read them
    sentences      all of it in words
"""

from tagcf.live.dynamics.coming import (
    ComingInterests,
    ComingTag,
    InterestHistory,
    Surroundings,
    fit_coming,
)
from tagcf.live.dynamics.evidence import Evidence, default_evidence
from tagcf.live.dynamics.next_interest import NextInterest, NextTag
from tagcf.live.dynamics.phase import PHASES, PhaseReader
from tagcf.live.dynamics.switches import SwitchDetector, Switches, detect_switches

__all__ = [
    "PHASES",
    "ComingInterests",
    "ComingTag",
    "Evidence",
    "InterestHistory",
    "NextInterest",
    "NextTag",
    "PhaseReader",
    "Surroundings",
    "SwitchDetector",
    "Switches",
    "default_evidence",
    "detect_switches",
    "fit_coming",
]
