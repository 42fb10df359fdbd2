"""One dose exchange with each kind of fault before every byte, both ways, heartbeats and telemetry included.

`SOAK_BORDERS=STEP` takes every STEP-th fault only.
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ProcessPoolExecutor

from tests.schedules.byte_borders import KINDS, ByteFault, borders, exchange


def one(fault: ByteFault) -> str:
    """What was wrong with a fault."""
    try:
        exchange(fault)
    except AssertionError as error:
        return str(error)
    return ""


def test_every_byte_border() -> None:
    first, later = borders()
    faults = [ByteFault(*border, kind) for border, kind in itertools.product(first + later, KINDS)]
    faults = faults[:: int(os.environ.get("SOAK_BORDERS", "1"))]
    failed = 0
    with ProcessPoolExecutor() as pool:
        for i, wrong in enumerate(pool.map(one, faults, chunksize=50), 1):
            if wrong:
                failed += 1
                print(wrong, flush=True)
            if i % 2000 == 0:
                print(f"{i} of {len(faults)} faults, {failed} failed", flush=True)
    print(f"{len(first + later)} borders, {len(faults)} faults")
    assert not failed
