"""Thousands of schedules of faults against one device: each dose moves at most once, and what is said of it is true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesoinjector import Injector, pump
from mesosim.lab.schedules import cover
from mesosim.lab.schedules.play import Wrong, play
from mesosim.lab.schedules.primed import copied, prime
from tests.schedules.drive import play_cells, run_machine
from tests.schedules.planted import Hasty, Impatient
from tests.schedules.tally import PROPERTY, Tally
from tests.summary import TOLD

PARTS = 10
LEAST = 2_000
"""Schedules in all."""
EACH = 5
"""Hits of each message x fault."""
EXAMPLES = 30
"""Of the state machine, in one part."""
REPLAYS, REPLAYS_EACH = 100, 25
PLANTED = "schedules: planted faults of a host"


def spread(n: int, seed: int) -> list[Any]:
    """The n-th schedule of a row in which every message and every fault comes soon."""
    cells = cover.cells()
    return cover.of_cell(*cells[n * 67 % len(cells)], f"{seed} {n}")


@pytest.mark.requirement("SR-25", "SR-26")
@pytest.mark.parametrize("part", range(PARTS))
def test_a_dose_is_given_once(part: int, run_seed: int, record_property: Callable[[str, object], None]) -> None:
    tally = Tally()
    print(f"seed {run_seed}, part {part}")
    play_cells(tally, cover.cells()[part::PARTS], EACH, run_seed)
    run_machine(tally, EXAMPLES, run_seed * PARTS + part)
    record_property(PROPERTY, tally.plain())
    assert tally.schedules >= LEAST / PARTS
    assert tally.in_dose >= 0.3 * tally.cells.total()


@pytest.mark.parametrize(
    ("planted", "found"), [(Impatient, "the plunger moved more than once"), (Hasty, "the plunger moved:")]
)
def test_a_planted_fault_is_found(
    planted: type[Injector],
    found: str,
    run_seed: int,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    copied(1)  # primed by a sound host
    monkeypatch.setattr(pump, "TRIES", 1)
    for n in range(LEAST):
        try:
            play(copied(1), spread(n, run_seed), planted)
        except Wrong as wrong:
            if found in str(wrong):
                record_property(TOLD, [PLANTED, f"{planted.__name__}, planted, is found by schedule {n + 1}"])
                print(f"seed {run_seed}: {wrong}")
                return
    raise AssertionError(f"{LEAST} schedules have not found {planted.__name__}")


@pytest.mark.parametrize("part", range(REPLAYS // REPLAYS_EACH))
def test_micropython_does_the_same(part: int, run_seed: int) -> None:
    for n in range(part * REPLAYS_EACH, (part + 1) * REPLAYS_EACH):
        schedule = spread(n, run_seed)
        device, twin = prime("micropython", 1), copied(1, traced=True)
        try:
            _, there = play(device, schedule)
            _, here = play(twin, schedule)
            assert there == here, schedule
            assert device.control("trace") == twin.control("trace"), schedule
        finally:
            device.close()
    print(f"seed {run_seed}: {REPLAYS_EACH} schedules with equal traces and results")
