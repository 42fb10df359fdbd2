"""Very many schedules of faults, from seeds; every failing one is named."""

from __future__ import annotations

from collections.abc import Callable

from mesosim.lab.schedules import cover
from tests.schedules.drive import play_cells, run_machine
from tests.schedules.tally import Tally
from tests.soak.parts import Soaked, soak

WEIGHT = 6
SCHEDULES = 100_000
FIRST_SEED = 1_000_000
CELL_PARTS = 10
MACHINE = 30
"""Examples of the state machine for each seed; with the cells of a part, about twice as many schedules."""


def one(part: str) -> list[object]:
    """What a seed has played."""
    seed = int(part)
    tally = Tally()
    play_cells(tally, cover.cells()[seed % CELL_PARTS :: CELL_PARTS], 1, seed)
    run_machine(tally, MACHINE, seed)
    return tally.plain()


def test_schedules(until: float, judge: Callable[[Soaked], None]) -> None:
    count = SCHEDULES // (MACHINE + len(cover.cells()) // CELL_PARTS) + 1
    soaked = soak("schedules", (str(FIRST_SEED + i) for i in range(count)), one, until)
    total = Tally()
    for plain in soaked.results.values():
        total.add(Tally.of(plain))
    if soaked.results:
        print(*total.lines(), sep="\n")
    judge(soaked)
    assert total.schedules >= SCHEDULES
