"""A platform with known tag effects, written as a normal workspace plus its truth."""

from tagcf.data.simulate.platform import Platform
from tagcf.data.simulate.world import World, simulate

__all__ = ["Platform", "World", "simulate"]
