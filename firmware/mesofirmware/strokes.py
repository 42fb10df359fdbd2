"""Stroke records of the present or last fractional run: a ring in RAM, and SR-31's judgement of each stroke.

Records are numbered from 0 and re-readable while in the ring. A record on the wire has 7 bytes: interval_us
u32, depth_um u16, flags u8.
"""

from struct import pack_into

from mesoprotocol import bulk, limits

STEADY, BAD = 1, 2
RECORD = 7
_FLAGS_AT = 6
_WINDOW = 300


class Strokes:
    """`count` strokes so far; worst deviations and counts of bad ones for the OUTCOME."""

    def __init__(self) -> None:
        self._ring = bytearray(limits.STROKE_RING * RECORD)
        self.count = 0
        self.bad = 0
        self.bad_in_a_row = 0
        self._bad_in_window = 0
        self.worst_interval_us = 0
        self.worst_depth_um = 0

    def clear(self) -> None:
        """Begin a new run."""
        self.count = 0
        self.bad = 0
        self.bad_in_a_row = 0
        self._bad_in_window = 0
        self.worst_interval_us = 0
        self.worst_depth_um = 0

    def add(self, interval_us: int, depth_um: int, steady: bool, bad: bool) -> None:
        """Append one stroke's record."""
        ring = self._ring
        count = self.count
        if count >= _WINDOW and ring[(count - _WINDOW) % limits.STROKE_RING * RECORD + _FLAGS_AT] & BAD:
            self._bad_in_window -= 1
        flags = (STEADY if steady else 0) | (BAD if bad else 0)
        at = count % limits.STROKE_RING * RECORD
        if depth_um < 0:
            depth_um = 0
        elif depth_um > 0xFFFF:
            depth_um = 0xFFFF
        pack_into("<IHB", ring, at, interval_us, depth_um, flags)
        self.count = count + 1
        if bad:
            self.bad += 1
            self.bad_in_a_row += 1
            self._bad_in_window += 1
        else:
            self.bad_in_a_row = 0

    def too_many_bad(self) -> bool:
        """SR-31: three in a row, or more than three of the last 300."""
        return self.bad_in_a_row >= limits.BAD_STROKES_IN_A_ROW or self._bad_in_window > limits.BAD_STROKES_PER_300

    def oldest(self) -> int:
        """Index of the oldest record still in the ring."""
        return max(0, self.count - limits.STROKE_RING)

    def copy(self, first: int, n: int, out: bytearray) -> None:
        """Write records first .. first+n-1 into `out`, 7 bytes each. The caller has checked the range."""
        at = first % limits.STROKE_RING
        straight = min(n, limits.STROKE_RING - at)
        bulk.copy(self._ring, at * RECORD, out, 0, straight * RECORD)
        bulk.copy(self._ring, 0, out, straight * RECORD, (n - straight) * RECORD)
