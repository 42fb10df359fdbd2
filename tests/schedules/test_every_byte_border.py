"""One dose exchange with a fault before each byte of each message, both ways; all later repeats of a message in steps.

The soak goes through all of them.
"""

from __future__ import annotations

import itertools

import pytest

from tests.schedules.byte_borders import KINDS, ByteFault, borders, exchange

PARTS = 30
STEP = 53
"""Of the faults in later frames of a message; prime to the number of kinds."""


@pytest.mark.requirement("SR-25", "SR-26")
@pytest.mark.parametrize("part", range(PARTS))
def test_a_fault_at_each_border(part: int) -> None:
    first, later = borders()
    faults = [*itertools.product(first, KINDS), *itertools.islice(itertools.product(later, KINDS), 0, None, STEP)]
    mine = faults[part::PARTS]
    for border, kind in mine:
        exchange(ByteFault(*border, kind))
    print(f"{len(mine)} faults; {len(first)} borders in first frames, {len(later)} in later ones")
