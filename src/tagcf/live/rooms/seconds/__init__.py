"""What happens in live rooms, counted per room and second as events stream in."""

from tagcf.live.rooms.seconds.stream import COUNTED, RoomSeconds, Seconds, join_seconds

__all__ = ["COUNTED", "RoomSeconds", "Seconds", "join_seconds"]
