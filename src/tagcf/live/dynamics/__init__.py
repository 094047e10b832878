"""Interests in motion.

::

    evidence       what each kind of event says about what its user wants now
    content        which content events are about
    steps          events and content as beliefs read them
    fitting        evidence learned from labelled streams
    switches       beliefs in what users want now, and when it moves on
    social         what friends are into, fading
    next_interest  what comes next, and what may come to be loved
    transfer       what users will like in a scene that is new to them
    phase          searching, settled, about to leave
    context        hour, day, scene and device, as outcome models read them
    sentences      all of it in words
"""

from tagcf.live.dynamics.evidence import Evidence, default_evidence
from tagcf.live.dynamics.next_interest import NextInterest, NextTag
from tagcf.live.dynamics.phase import PHASES, PhaseReader
from tagcf.live.dynamics.switches import SwitchDetector, Switches, detect_switches

__all__ = [
    "PHASES",
    "Evidence",
    "NextInterest",
    "NextTag",
    "PhaseReader",
    "SwitchDetector",
    "Switches",
    "default_evidence",
    "detect_switches",
]
