"""Plays many schedules and counts them: by construction from cells, and by Hypothesis' state machine."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import HealthCheck, Verbosity, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from mesosim.lab.schedules import cover
from mesosim.lab.schedules.play import play
from mesosim.lab.schedules.primed import copied
from tests.schedules.machine import Schedules
from tests.schedules.tally import Tally

STEPS = 5
"""Rules in one schedule of the state machine."""


def play_cells(tally: Tally, cells: Iterable[tuple[str, str]], each: int, seed: int) -> None:
    """At least so many schedules of each cell, until it was hit so often. Raises `Wrong`."""
    for cell in cells:
        n = 0
        while n < each or tally.cells[cell] < each:
            assert n < 4 * each + 4, f"{cell} was hit only {tally.cells[cell]} times in {n} schedules"
            played, _ = play(copied(1), cover.of_cell(*cell, f"{seed} {n}"))
            tally.take(played)
            n += 1


def run_machine(tally: Tally, examples: int, seed: int) -> None:
    """So many examples of the state machine. Raises `Wrong`, with the shortest schedule that Hypothesis finds."""
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
