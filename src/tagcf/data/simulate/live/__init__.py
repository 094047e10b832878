"""A simulated live platform with a known truth: interests, highlights, purchases.

PLACEHOLDER
"""

from tagcf.data.simulate.live.platform import LivePlatform
from tagcf.data.simulate.live.session import LiveSession, Responses
from tagcf.data.simulate.live.world import LiveWorld, simulate_live
from tagcf.data.simulate.live.write import write_live

__all__ = ["LivePlatform", "LiveSession", "LiveWorld", "Responses", "simulate_live", "write_live"]
