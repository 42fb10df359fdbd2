"""Thousands of schedules of faults against one device: each dose moves at most once, and what is said of it is true."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, Verbosity, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from mesoinjector import Injector, pump

from tests.schedules import cover
from tests.schedules.machine import Schedules
from tests.schedules.planted import Hasty, Impatient
from tests.schedules.play import Wrong, play
from tests.schedules.primed import copied, prime
from tests.schedules.tally import PROPERTY, Tally

PARTS = 10
LEAST = 2_000
"""Schedules in all."""
EACH = 5
"""Hits of each message x fault."""
EXAMPLES = LEAST // PARTS - len(cover.cells()) * EACH // PARTS + 5
STRIDE = 67
"""From cell to cell, where not all are visited in order: every kind and message comes soon."""
REPLAYS, REPLAYS_EACH = 100, 25
STEPS = 10
"""Rules in one schedule of the state machine."""


@pytest.fixture
def run_seed(request: pytest.FixtureRequest) -> int:
    """What `make test SEED=` gives."""
    given = request.config.getoption("--hypothesis-seed")
    return int(given) if given not in (None, "random") else random.SystemRandom().randrange(1 << 30)


@pytest.mark.requirement("SR-25", "SR-26")
@pytest.mark.parametrize("part", range(PARTS))
def test_a_dose_is_given_once(part: int, run_seed: int, record_property: pytest.RecordProperty) -> None:
    tally = Tally()
    print(f"seed {run_seed}, part {part}")
    for cell in cover.cells()[part::PARTS]:
        n = 0
        while n < EACH or tally.cells[cell] < EACH:
            assert n < 4 * EACH, f"{cell} was hit only {tally.cells[cell]} times in {n} schedules"
            played, _ = play(copied(1), cover.of_cell(*cell, f"{run_seed} {n}"))
            tally.take(played)
            n += 1
    run_machine(tally, EXAMPLES, run_seed * PARTS + part)
    record_property(PROPERTY, tally.plain())
    assert tally.schedules >= LEAST / PARTS
    assert tally.in_dose >= 0.3 * tally.cells.total()


@pytest.mark.parametrize(
    ("planted", "found"), [(Impatient, "the plunger moved more than once"), (Hasty, "the plunger moved:")]
)
def test_a_planted_fault_is_found(
    planted: type[Injector], found: str, run_seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(1)
    monkeypatch.setattr(pump, "TRIES", 1)
    for n in range(LEAST):
        cells = cover.cells()
        try:
            play(copied(1), cover.of_cell(*cells[n * STRIDE % len(cells)], f"{run_seed} {n}"), planted)
        except Wrong as wrong:
            if found in str(wrong):
                print(f"seed {run_seed}: {planted.__name__} is found by schedule {n + 1}: {wrong}")
                return
    raise AssertionError(f"{LEAST} schedules have not found {planted.__name__}")


@pytest.mark.parametrize("part", range(REPLAYS // REPLAYS_EACH))
def test_micropython_does_the_same(part: int, run_seed: int) -> None:
    cells = cover.cells()
    for n in range(part * REPLAYS_EACH, (part + 1) * REPLAYS_EACH):
        schedule = cover.of_cell(*cells[n * STRIDE % len(cells)], f"{run_seed} {n}")
        device = prime("micropython", 1)
        try:
            _, there = play(device, schedule)
            _, here = play(twin := copied(1), schedule)
            assert there == here, schedule
            assert device.control("trace") == twin.control("trace"), schedule
        finally:
            device.close()
    print(f"seed {run_seed}: {REPLAYS_EACH} schedules with equal traces and results")


def run_machine(tally: Tally, examples: int, seed: int) -> None:
    """So many examples of the state machine, counted in `tally`."""
    machine = seeded(seed)(type("Schedules", (Schedules,), {"tally": tally}))
    how = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
    )
    run_state_machine_as_test(machine, settings=how)
