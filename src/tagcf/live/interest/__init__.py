"""Interests that follow every event: decayed strengths of tags, edits, explanations, snapshots."""

from tagcf.live.interest.engine import InterestEngine
from tagcf.live.interest.evidence import EVIDENCE, Weight
from tagcf.live.interest.layout import reshard
from tagcf.live.interest.presets import FOR_A_FEED
from tagcf.live.interest.reading.answers import (
    Edit,
    InterestReason,
    TagEvent,
    TagInterest,
    Updated,
)
from tagcf.live.interest.shards import ShardedEngine
from tagcf.live.interest.snapshot import newest

__all__ = [
    "EVIDENCE",
    "FOR_A_FEED",
    "Edit",
    "InterestEngine",
    "InterestReason",
    "ShardedEngine",
    "TagEvent",
    "TagInterest",
    "Updated",
    "Weight",
    "newest",
    "reshard",
]
