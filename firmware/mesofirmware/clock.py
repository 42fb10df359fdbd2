"""Long time out of the wrapping tick: a u64 of microseconds as a pair, and milliseconds for limits.

`update` must be called at least once in 8.9 minutes; the loop never sleeps longer than `FOREVER`.
"""

from mesoprotocol import tick

FOREVER = 1 << 28
"""Microseconds: what a step returns that waits for nothing."""


class Clock:
    """`pair` is [high, low]: high * 2^30 + low microseconds, low being the tick. `ms` is milliseconds in 30
    bits.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self.pair = [0, now]
        self.ms = 0
        self._rest_us = 0

    def update(self, now: int) -> None:
        """Take the present tick."""
        former = self.now
        passed = (now - former) & tick.MASK
        if passed >= tick.HALF:
            raise ValueError("time went backwards")
        if now < former:
            self.pair[0] += 1
        self.now = now
        self.pair[1] = now
        passed += self._rest_us
        if passed >= 1000:
            self.ms = tick.add(self.ms, passed // 1000)
            passed %= 1000
        self._rest_us = passed
