"""Very many schedules of faults, from seeds; every failing one is named. `SOAK_SCHEDULES=N` says how many."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor

from tests.schedules import cover
from tests.schedules.drive import play_cells, run_machine
from tests.schedules.tally import Tally

DEFAULT = "100000"
FIRST_SEED = 1_000_000
PARTS = 10
MACHINE = 30
"""Examples of the state machine for each seed; with the cells of a part, about twice as many schedules."""


def one(seed: int) -> tuple[int, list[object], str]:
    """A seed, what was played, and what was wrong."""
    tally = Tally()
    try:
        play_cells(tally, cover.cells()[seed % PARTS :: PARTS], 1, seed)
        run_machine(tally, MACHINE, seed)
    except AssertionError as error:
        return seed, tally.plain(), str(error)
    return seed, tally.plain(), ""


def test_schedules() -> None:
    wanted = int(os.environ.get("SOAK_SCHEDULES", DEFAULT))
    total = Tally()
    failed = []
    seeds = range(FIRST_SEED, FIRST_SEED + wanted // (MACHINE + len(cover.cells()) // PARTS) + 1)
    with ProcessPoolExecutor() as pool:
        for i, (seed, plain, wrong) in enumerate(pool.map(one, seeds), 1):
            total.add(Tally.of(plain))
            if wrong:
                failed.append(seed)
                print(f"seed {seed}: {wrong}", flush=True)
            if i % 20 == 0:
                print(f"{total.schedules} schedules, {len(failed)} seeds failed", flush=True)
    print(f"seeds {seeds.start}:{seeds.stop}", *total.lines(), sep="\n")
    assert not failed
    assert total.schedules >= wanted
