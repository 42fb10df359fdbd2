"""The strokes of the runs in a scenario, from the records that the device sends as it makes them."""

from __future__ import annotations

import struct
from collections import Counter
from typing import Any

from mesoinjector import Delivered

STEADY = 1
BIN_US = 100
_RECORD = struct.Struct("<IHB")


class Strokes:
    """Counts records; one that comes twice is counted once."""

    def __init__(self) -> None:
        self._seen = 0
        self._intervals: Counter[int] = Counter()
        self._done = 0

    def add(self, first: int, records: bytes) -> None:
        """Records from index `first` on; a run's begin at 0."""
        if first == 0 and self._seen:
            self._done, self._seen = self._done + self._seen, 0
        for i, (interval_us, _, flags) in enumerate(_RECORD.iter_unpack(records)):
            if first + i < self._seen:
                continue
            self._seen = first + i + 1
            if flags & STEADY:
                self._intervals[interval_us // BIN_US * BIN_US] += 1

    def summary(self, asked: list[int], results: list[Delivered]) -> dict[str, Any]:
        """`Outcome.strokes`; worst figures are the device's own, of its results."""
        return {
            "count": self._done + self._seen,
            "asked": sum(asked),
            "worst_interval_us": max((result.worst_interval_us for result in results), default=0),
            "worst_depth_um": max((result.worst_depth_um for result in results), default=0),
            "intervals_us": {str(us): n for us, n in sorted(self._intervals.items())},
        }
