"""Ten thousand times a device is opened and closed: no thread stays, and no descriptor."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from mesosim.runtime import Paced
from tests.soak.parts import Soaked, soak
from tests.system.test_line import openings

WEIGHT = 1
OPENINGS, A_PART = 10_000, 500


def some(part: str) -> int:
    """So many of one device's; how many descriptors this process has."""
    device = Paced(int(part), "cpython")
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = openings(device.path, Path(folder), A_PART)
    finally:
        device.close()
    assert len(found) == 1, sorted(found)
    threads, descriptors = found.pop()
    assert threads == 0
    return descriptors


def test_openings(until: float, judge: Callable[[Soaked], None]) -> None:
    soaked = soak("openings", map(str, range(1, OPENINGS // A_PART + 1)), some, until)
    print(f"{len(soaked.results) * A_PART:,} of {OPENINGS:,} openings, {len(soaked.failed)} parts failed")
    judge(soaked)
