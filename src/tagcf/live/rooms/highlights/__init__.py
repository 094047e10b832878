"""Highlights: times at which many people in a room do more of many things than is usual there."""

from tagcf.live.rooms.highlights.find import Burst, Bursts, find_bursts
from tagcf.live.rooms.highlights.name import Highlight, name_bursts
from tagcf.live.rooms.highlights.watch import Alarm, HighlightWatch

__all__ = ["Alarm", "Burst", "Bursts", "Highlight", "HighlightWatch", "find_bursts", "name_bursts"]
