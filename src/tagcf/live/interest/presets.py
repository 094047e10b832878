"""Options of `InterestEngine` for a way of showing content, chosen on simulated feeds."""

from __future__ import annotations

from typing import TypedDict

from tagcf.live.interest.evidence import Weight

MINUTE, DAY = 60.0, 86_400.0


class Preset(TypedDict):
    """Options that go together; see `InterestEngine`."""

    half_lives: tuple[float, ...]
    mix: tuple[float, ...]
    evidence: dict[str, Weight]


# Content comes one after the other and nobody asked for it: minutes count most, what was shown and
# not opened counts against, and a leave tells how long somebody stayed, where no dwells are sent.
FOR_A_FEED = Preset(
    half_lives=(5 * MINUTE, 7 * DAY, 90 * DAY),
    mix=(0.85, 0.09, 0.06),
    evidence={"impression": Weight(-1.0), "leave": Weight(0.0, most=6.0, skipped=-1.0)},
)
