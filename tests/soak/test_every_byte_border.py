"""One dose exchange with each kind of fault before every byte, both ways, heartbeats and telemetry included."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

from tests.schedules.byte_borders import KINDS, ByteFault, borders, exchange
from tests.soak.parts import Soaked, Wrong, soak

WEIGHT = 3
A_PART = 200


@functools.cache
def faults() -> list[ByteFault]:
    """All of them, in order."""
    first, later = borders()
    return [ByteFault(*border, kind) for border, kind in itertools.product(first + later, KINDS)]


def some(part: str) -> int:
    """Play the faults of a part; how many there were."""
    at = int(part)
    wrong = []
    for fault in faults()[at : at + A_PART]:
        try:
            exchange(fault)
        except AssertionError as error:
            wrong.append(str(error))
    if wrong:
        raise Wrong("; ".join(wrong))
    return len(faults()[at : at + A_PART])


def test_every_byte_border(until: float, judge: Callable[[Soaked], None]) -> None:
    soaked = soak("byte_borders", map(str, range(0, len(faults()), A_PART)), some, until)
    print(f"{sum(soaked.results.values())} of {len(faults())} faults played")
    judge(soaked)
