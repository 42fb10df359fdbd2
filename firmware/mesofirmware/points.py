"""When each point was dosed last: SR-03, the least time from one dose at a point to the next.

The newest doses with a point's number are remembered, the oldest of them is forgotten. Time is the device's: what was
dosed before it started counts from the start, so that a reset shortens no wait.
"""

from array import array

from mesoprotocol import limits, tick

_WAIT_MS = limits.POINT_WAIT_S * 1000


class Points:
    """The points of one treatment. Numbers are 1 to 65,535; 0 is none."""

    def __init__(self) -> None:
        self.now_ms = 0
        """Since the start, in 30 bits; the loop keeps it."""
        self._numbers = array("H", bytes(2 * limits.POINTS))
        self._dosed_ms = array("i", bytes(4 * limits.POINTS))
        self._next = 0

    def dosed(self, point: int) -> None:
        """Something was given at a point until now."""
        if point:
            self._numbers[self._next] = point
            self._dosed_ms[self._next] = self.now_ms
            self._next = (self._next + 1) % limits.POINTS

    def must_wait(self, point: int) -> bool:
        """Whether a point was dosed too short a time ago."""
        for back in range(1, limits.POINTS + 1):
            i = (self._next - back) % limits.POINTS
            if not self._numbers[i] or (self.now_ms - self._dosed_ms[i]) & tick.MASK >= _WAIT_MS:
                return False
            if self._numbers[i] == point:
                return True
        return False

    def forget(self) -> None:
        """Another treatment: its points are others."""
        for i in range(limits.POINTS):
            self._numbers[i] = 0
