"""Stroke records of the present or last fractional run: a ring in RAM, and SR-31's judgement of each stroke.

Records are numbered from 0 and re-readable while in the ring. A record on the wire has 7 bytes: interval_us
u32, depth_um u16, flags u8.
"""

from array import array

from mesoprotocol import limits

STEADY, BAD = 1, 2
RECORD = 7
_WINDOW = 300


class Strokes:
    """`count` strokes so far; worst deviations and counts of bad ones for the OUTCOME."""

    def __init__(self) -> None:
        self._intervals = array("i", [0] * limits.STROKE_RING)
        self._depths = array("H", [0] * limits.STROKE_RING)
        self._flags = bytearray(limits.STROKE_RING)
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
        ring = limits.STROKE_RING
        if self.count >= _WINDOW and self._flags[(self.count - _WINDOW) % ring] & BAD:
            self._bad_in_window -= 1
        at = self.count % ring
        self._intervals[at] = interval_us
        self._depths[at] = max(0, min(depth_um, 0xFFFF))
        self._flags[at] = (STEADY if steady else 0) | (BAD if bad else 0)
        self.count += 1
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
        at = 0
        i = first
        while i < first + n:
            k = i % limits.STROKE_RING
            v = self._intervals[k]
            out[at] = v & 255
            out[at + 1] = (v >> 8) & 255
            out[at + 2] = (v >> 16) & 255
            out[at + 3] = v >> 24
            v = self._depths[k]
            out[at + 4] = v & 255
            out[at + 5] = v >> 8
            out[at + 6] = self._flags[k]
            at += RECORD
            i += 1
