"""Hints for a host while the room is on air, each with the numbers behind it.

::

    channels   what is counted each second, by whom, over which window
    windows    counts of a window against the room's own rate, for all rooms at once
    chance     how often an hour such a count would come by chance
    lines      what viewers ask and complain of, each person once
    stream     events in, hints out
"""

from tagcf.live.hosts.guide.channels import KINDS, Hint, HintKind
from tagcf.live.hosts.guide.stream import Guidance, Guide

__all__ = ["KINDS", "Guidance", "Guide", "Hint", "HintKind"]
