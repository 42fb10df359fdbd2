"""Thousands of schedules of faults against one device: each dose moves at most once, and what is said of it is true."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, Verbosity, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from tests.schedules import cover
from tests.schedules.machine import Schedules
from tests.schedules.play import play
from tests.schedules.primed import copied
from tests.schedules.tally import PROPERTY, Tally

PARTS = 10
LEAST = 2_000
"""Schedules in all."""
EACH = 5
"""Hits of each message x fault."""
EXAMPLES = LEAST // PARTS - len(cover.cells()) * EACH // PARTS + 5
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
