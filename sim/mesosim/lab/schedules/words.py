"""A schedule as plain data: faults of frames, and what the host does. Its `repr` can be pasted into a test."""

from __future__ import annotations

from typing import NamedTuple

from mesosim.lab.frames import Fault


class Do(NamedTuple):
    """What the host, or whoever holds the handpiece, does. `value`: nl, strokes, ms or a number; see `play`."""

    what: str
    value: int = 0


Schedule = list[Fault | Do]
