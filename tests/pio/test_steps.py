"""Step generators in emulation, clock by clock: where steps come, and what keeps them from coming."""

from itertools import pairwise

import pytest

from mesofirmware.boards import rp2_programs
from tests.pio import cases
from tests.pio.cases import PERMIT_DRIVE, PERMIT_PLUNGER
from tests.pio.emulation import emulated
from tests.pio.player import OUT

TURN = ((3, 40, 1), (2, 30, 1))
WAY_OUT = ((2, 35, 1),)
EARLY, HELD_EARLY = 7, 10
"""Ticks by which the first step after a rest comes early."""


def test_steps_come_at_the_ends_of_their_intervals():
    run = emulated(cases.stepper())
    assert run.rises() == cases.ends(cases.SEGMENTS, -EARLY)


def test_the_drives_do_too_within_and_between_batches():
    run = emulated(cases.drive([(TURN, True, False), (TURN, True, False)], clocks=400))
    assert run.rises() == cases.ends(TURN + TURN, -EARLY)


def test_pulses_are_of_one_width():
    for case in (cases.stepper(), cases.drive([(TURN, True, False)])):
        run = emulated(case)
        assert [down - up for up, down in zip(run.rises(), run.falls(), strict=True)] == [
            rp2_programs.PULSE_TICKS
        ] * len(run.rises())


def test_direction_is_there_before_each_pulse_and_stays_through_it():
    run = emulated(cases.stepper())
    ways = [way for steps, _, way in cases.SEGMENTS for _ in range(steps)]
    for clock, way in zip(run.rises(), ways, strict=True):
        assert {pins >> OUT & 1 for pins in run.pins[clock - 10 : clock + rp2_programs.PULSE_TICKS]} == {way}


@pytest.mark.parametrize(
    ("case", "least"),
    [
        (cases.stepper([(9, rp2_programs.STEPPER_TICKS, 1)]), rp2_programs.STEPPER_TICKS),
        (cases.drive([([(9, rp2_programs.DRIVE_TICKS, 1)], True, False)]), rp2_programs.DRIVE_TICKS),
    ],
)
def test_the_shortest_interval_is_exact_too(case: cases.Case, least: int):
    rises = emulated(case).rises()
    assert [later - earlier for earlier, later in pairwise(rises)] == [least] * 8


@pytest.mark.requirement("SR-28")
@pytest.mark.parametrize("at", range(cases.ends(cases.SEGMENTS, 0)[-1] + 3))
def test_without_permit_at_any_clock_the_next_pulse_does_not_come(at: int):
    undisturbed = cases.ends(cases.SEGMENTS, -EARLY)
    # back again 60 ticks later: longer than any interval, and of no use
    run = emulated(cases.stepper(levels=((0, 1), (at, 0), (at + 60, 1)), clocks=400))
    made = run.rises()
    assert made == [clock for clock in undisturbed if clock <= at]
    if len(made) < len(undisturbed):
        assert run.pc == 6
        left = len(undisturbed) - len(made)
        of_later_segments = next(rest for rest in (3, 2, 0) if rest < left)
        assert run.x + 1 == left - of_later_segments


@pytest.mark.requirement("SR-28")
@pytest.mark.parametrize("at", range(cases.ends(TURN, 0)[-1] + 60))
def test_a_revolution_that_has_begun_is_finished_and_the_next_does_not_begin(at: int):
    run = emulated(cases.drive([(TURN, True, False), (TURN, True, False)], ((0, PERMIT_DRIVE), (at, 0)), 420))
    undisturbed = cases.ends(TURN + TURN, -EARLY)
    whole = [undisturbed[:first] for first in (0, 5, 10)]
    # looked at in the clock before the first pulse
    begun = sum(undisturbed[first] <= at for first in (0, 5))
    assert run.rises() == whole[begun]
    assert (run.pc == 11) == (begun < 2)


@pytest.mark.requirement("SR-28")
def test_a_drive_that_has_halted_does_not_start_by_itself():
    levels = ((0, PERMIT_DRIVE), (60, 0), (300, PERMIT_DRIVE))
    assert len(emulated(cases.drive([(TURN, True, False), (TURN, True, False)], levels, 800)).rises()) == 5


@pytest.mark.requirement("SR-28", "SR-29")
@pytest.mark.parametrize("at", range(0, 280, 3))
def test_a_held_way_out_waits_and_starts_when_the_plungers_permit_falls(at: int):
    levels = ((0, PERMIT_DRIVE | PERMIT_PLUNGER), (at, PERMIT_DRIVE))
    run = emulated(cases.drive([(TURN, True, False), (WAY_OUT, False, True)], levels, 600))
    way_in = cases.ends(TURN, -EARLY)
    assert run.rises()[:5] == way_in
    first = run.rises()[5]
    # 11 ticks after the last step it is at the wait
    assert first == max(at, way_in[-1] + 11) + WAY_OUT[0][1] - HELD_EARLY
    assert run.rises()[6] == first + WAY_OUT[0][1]


@pytest.mark.requirement("SR-28")
def test_neither_emergency_stop_nor_dead_man_keeps_the_way_out_from_being_made():
    levels = ((0, PERMIT_DRIVE | PERMIT_PLUNGER), (250, 0))
    run = emulated(cases.drive([(TURN, True, False), (WAY_OUT, False, True)], levels, 600))
    assert len(run.rises()) == 7


def test_a_way_out_that_nobody_lets_go_waits():
    run = emulated(cases.drive([(TURN, True, False), (WAY_OUT, False, True)], clocks=2000))
    assert len(run.rises()) == 5
    assert run.pc == 3
