"""What happens in live rooms, counted per room and second as events stream in."""

from tagcf.live.rooms.seconds.stream import COUNTED, WATCHING, RoomSeconds, Seconds, join_seconds

__all__ = ["COUNTED", "WATCHING", "RoomSeconds", "Seconds", "join_seconds"]
