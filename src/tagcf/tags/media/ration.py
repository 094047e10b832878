"""How much work the pictures of one file may make: a usual clip is seen whole, a huge one in part.

Work is counted in pixels, because decoding and looking take time in proportion to them. A file
that would take more than its ration is decoded in stretches, spread evenly over its length: each
begins at a keyframe, where decoding can begin, and within it every frame is seen, so that cuts and
movement are measured there as they are in a clip. What the head of a file claims is not trusted
for the bound: what is spent is counted packet by packet.
"""

from __future__ import annotations

from dataclasses import dataclass

WORK = 6e9  # pixels; seconds of one core that this takes are in `benchmarks.media`
STRETCHES = 20
_FRAME = 200_000  # pixels that a frame of no size would cost: it is compared and measured, too
_BYTE = 20  # pixels that unpacking a byte costs: at a high bit rate that is most of the work


@dataclass(slots=True)
class Ration:
    """Work that the pictures of a file may make, handed out over its length."""

    most: float = WORK
    length: float = 0.0  # seconds that it must do for
    stretches: int = STRETCHES
    spent: float = 0.0
    begun: int = 1  # stretches so far
    resting: bool = False  # between two stretches

    @property
    def shared_out(self) -> bool:
        """Whether some of the file was passed over."""
        return self.resting or self.begun > 1

    def takes(self, second: float, work: float, *, keyframe: bool) -> bool:
        """Whether a packet is to be decoded; if so, its work is spent.

        Work may run ahead of the time by one stretch; then all is passed over up to a keyframe
        at which time has caught up. In total it is at most `most`.
        """
        share = min(max(second, 0.0) / self.length, 1.0) if self.length > 0 else 1.0
        due = self.most * share
        if self.resting and not (keyframe and self.spent <= due):
            return False
        if self.spent + work > min(due + self.most / self.stretches, self.most):
            self.resting = True
            return False
        self.begun += self.resting
        self.resting = False
        self.spent += work
        return True


def work_of(pixels: int, size: int) -> float:
    """Work of a packet of `size` bytes that becomes a frame of so many pixels."""
    return pixels + _FRAME + _BYTE * size
