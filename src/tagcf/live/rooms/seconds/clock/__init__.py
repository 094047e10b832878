"""What time it is in a stream whose events carry the clocks of many telephones."""

from tagcf.live.rooms.seconds.clock.stream import Admitted, StreamClock

__all__ = ["Admitted", "StreamClock"]
