"""Axes: what was fed is made, no step more or less, and counted; the plunger's and the drive's by their permits."""

from __future__ import annotations

import pytest

from mesofirmware.boards import port
from mesoprotocol import wire
from mesosim.lab.board_conformance import Rig
from mesosim.lab.board_conformance.handling import (
    FED_US,
    TURN,
    fed,
    hold,
    move,
    permitted,
    power,
    raise_permit,
    words,
)

TICKS_PER_US = 25


def ready(rig: Rig, name: str) -> port.Axis:
    """An axis that may move."""
    hold(rig)
    if name == "plunger":
        raise_permit(rig)
    axis: port.Axis = getattr(rig.board, name)
    return axis


@pytest.mark.parametrize("name", ["drive", "depth", "plunger"])
@pytest.mark.parametrize(("steps", "cycles"), [(1, 1), (37, 1), (20, 5)])
def test_steps_are_made_and_counted(rig: Rig, name: str, steps: int, cycles: int) -> None:
    axis = ready(rig, name)
    start = axis.position()
    assert axis.room() == 2 and not axis.busy()
    move(rig, axis, steps, cycles=cycles)
    assert (axis.position() - start, axis.busy(), axis.room()) == (steps * cycles, False, 2)
    fed(rig, FED_US)
    assert axis.position() - start == steps * cycles


@pytest.mark.parametrize("name", ["depth", "plunger"])
def test_backward_is_counted_down(rig: Rig, name: str) -> None:
    axis = ready(rig, name)
    start = axis.position()
    move(rig, axis, 30)
    move(rig, axis, 12, backward=True)
    assert axis.position() - start == 18


@pytest.mark.parametrize("name", ["drive", "depth", "plunger"])
def test_two_batches_and_no_third(rig: Rig, name: str) -> None:
    axis = ready(rig, name)
    start = axis.position()
    one, two, three = words(40), words(25), words(99)
    axis.feed(one, 2, 1, False)
    axis.feed(two, 2, 1, False)
    assert axis.busy() and axis.room() == 0
    with pytest.raises(Exception):  # noqa: B017 - the port names no type
        axis.feed(three, 2, 1, False)
    fed(rig, 100_000)
    assert (axis.position() - start, axis.busy(), axis.room()) == (65, False, 2)


@pytest.mark.parametrize("name", ["drive", "depth", "plunger"])
def test_stop_stops_at_the_position_that_it_says(rig: Rig, name: str) -> None:
    axis = ready(rig, name)
    start = axis.position()
    long, behind = words(400), words(50)
    axis.feed(long, 2, 1, False)
    axis.feed(behind, 2, 1, False)
    fed(rig, 100_000)
    at = axis.stop()
    assert 95 <= at - start <= 101 and not axis.busy() and axis.room() == 2
    fed(rig, 600_000)
    assert axis.position() == at
    move(rig, axis, 10)
    assert axis.position() - at == 10


def test_the_interval_is_before_each_step(rig: Rig) -> None:
    axis = ready(rig, "plunger")
    start = axis.position()
    slow = words(3, interval=TICKS_PER_US * 40_000)
    axis.feed(slow, 2, 1, False)
    seen = []
    for _ in range(4):
        fed(rig, 20_000)
        seen.append(axis.position() - start)
        fed(rig, 20_000)
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("let_go", ["release", "permit"])
def test_a_held_batch_waits_for_release_or_for_the_permit_to_fall(rig: Rig, let_go: str) -> None:
    hold(rig)
    raise_permit(rig)
    drive = rig.board.drive
    start = drive.position()
    batch = words(40)
    drive.feed(batch, 2, 1, True)
    fed(rig, 200_000)
    assert drive.position() == start and drive.busy()
    if let_go == "release":
        drive.release()
    else:
        rig.set_input(wire.INPUT_TRIGGER_A, False)  # nobody calls anything
    fed(rig, 100_000)
    assert drive.position() - start == 40 and not drive.busy()


def revolutions(rig: Rig, count: int) -> None:
    """Feed so many revolutions of 320 ms."""
    hold(rig)
    batch = words(TURN, interval=TICKS_PER_US * 100)
    rig.board.drive.feed(batch, 2, count, False)


def test_park_ends_at_the_end_of_the_revolution(rig: Rig) -> None:
    revolutions(rig, 5)
    start = rig.board.drive.position() // TURN * TURN
    fed(rig, 400_000)
    rig.board.drive.park()
    fed(rig, 700_000)
    assert rig.board.drive.position() - start == 2 * TURN and not rig.board.drive.busy()


@pytest.mark.parametrize("cause", ["estop", "deadman"])
def test_stop_in_hardware_ends_the_drive_at_the_end_of_its_revolution(rig: Rig, cause: str) -> None:
    """Motor power goes 150 ms later: with little of the revolution left the index still comes."""
    revolutions(rig, 5)
    fed(rig, 500_000)
    before = rig.board.drive.position()
    if cause == "estop":
        rig.set_input(wire.INPUT_ESTOP, True)
        fed(rig, 1_000_000)
    else:
        rig.run(1_500_000)
    after = rig.board.drive.position()
    assert after % TURN == 0 and 0 < after - before <= TURN + 250_000 // 100
    assert not rig.board.drive.busy()


def test_the_index_is_captured_once_a_revolution(rig: Rig) -> None:
    count = rig.board.index_count()
    revolutions(rig, 3)
    fed(rig, 1_200_000)
    board = rig.board
    assert (board.index_count() - count) & 0x3FFFFFFF == 3
    assert abs(board.index_position() - 3 * TURN) <= 32
    assert 200_000 <= (board.now() - board.index_tick()) & 0x3FFFFFFF <= 400_000
    assert board.inputs() & wire.INPUT_NEEDLE_HOME


def test_the_carrier_is_read_at_bottom_dead_centre(rig: Rig) -> None:
    """Out of the nose there, behind it at home; by how much is the depth stop's matter."""
    home = rig.board.needle_um()
    power(rig)
    rig.board.depth.home()
    fed(rig, 3_000_000)
    assert rig.board.depth.position() == 0 and not rig.board.depth.busy()
    move(rig, rig.board.depth, 100)
    revolutions(rig, 1)
    fed(rig, 160_000)
    out = rig.board.needle_um()
    fed(rig, 300_000)
    assert home <= 0 and rig.board.needle_um() <= 0
    assert 700 <= out <= 1300 and 800 <= rig.board.protrusion_um() <= 1200


def test_home_needs_motor_power(rig: Rig) -> None:
    power(rig)
    rig.board.depth.home()
    fed(rig, 3_000_000)
    move(rig, rig.board.depth, 50)
    rig.board.enable(False)
    fed(rig, 200_000)
    rig.board.depth.home()
    fed(rig, 3_000_000)
    assert rig.board.depth.position() == 50
    rig.board.enable(True)
    fed(rig, FED_US)
    rig.board.depth.home()
    fed(rig, 3_000_000)
    assert rig.board.depth.position() == 0


def test_no_motor_power_while_the_emergency_stop_is_pressed(rig: Rig) -> None:
    power(rig)
    rig.board.depth.home()
    fed(rig, 3_000_000)
    move(rig, rig.board.depth, 50)
    rig.board.enable(False)
    rig.set_input(wire.INPUT_ESTOP, True)
    fed(rig, 200_000)
    rig.board.enable(True)
    fed(rig, FED_US)
    rig.board.depth.home()
    fed(rig, 3_000_000)
    assert rig.board.depth.position() == 50
    rig.board.enable(False)
    rig.set_input(wire.INPUT_ESTOP, False)
    fed(rig, FED_US)
    rig.board.enable(True)
    fed(rig, FED_US)
    rig.board.depth.home()
    fed(rig, 3_000_000)
    assert rig.board.depth.position() == 0


def test_the_encoder_follows_the_plunger(rig: Rig) -> None:
    """320 steps of 0.3125 um are 200 counts of 0.5 um; the nut's play is taken out first."""
    axis = ready(rig, "plunger")
    move(rig, axis, 400)
    before = rig.board.encoder()
    move(rig, axis, 320)
    assert abs(rig.board.encoder() - before - 200) <= 4


# --- The permit -------------------------------------------------------------------------------------------

CAUSES = ("TRIGGER_A", "TRIGGER_B", "CONTACT", "ESTOP", "deadman", "firmware")


def take_away(rig: Rig, cause: str) -> None:
    """One of what the permit stands on."""
    if cause == "deadman":
        rig.run(400_000)
    elif cause == "firmware":
        rig.board.permit(False, False)
    else:
        rig.set_input(getattr(wire, f"INPUT_{cause}"), cause == "ESTOP")


def give_back(rig: Rig, cause: str) -> None:
    """As it was."""
    if cause not in ("deadman", "firmware"):
        rig.set_input(getattr(wire, f"INPUT_{cause}"), cause != "ESTOP")
    fed(rig, 200_000)


@pytest.mark.parametrize("cause", CAUSES)
def test_the_permit_falls_for_good(rig: Rig, cause: str) -> None:
    hold(rig)
    assert not permitted(rig)  # a hand alone raises nothing
    raise_permit(rig)
    assert permitted(rig)
    take_away(rig, cause)
    rig.run(1_000)
    assert not permitted(rig)
    give_back(rig, cause)
    assert not permitted(rig)  # it rises by `permit` alone
    rig.board.enable(True)
    raise_permit(rig)
    assert permitted(rig)


@pytest.mark.parametrize("cause", CAUSES[:4])
def test_it_is_not_raised_while_something_is_missing(rig: Rig, cause: str) -> None:
    hold(rig)
    take_away(rig, cause)
    fed(rig, 10_000)
    raise_permit(rig)
    assert not permitted(rig)
    give_back(rig, cause)
    assert not permitted(rig)


@pytest.mark.parametrize("cause", CAUSES)
def test_without_it_the_plunger_makes_no_step(rig: Rig, cause: str) -> None:
    plunger = ready(rig, "plunger")
    batch = words(2000)
    plunger.feed(batch, 2, 1, False)
    fed(rig, 100_000)
    take_away(rig, cause)
    rig.run(1_000)
    at = plunger.position()
    give_back(rig, cause)
    fed(rig, 300_000)
    assert plunger.position() == at


def test_away_wants_the_nose_off_skin(rig: Rig) -> None:
    hold(rig)
    raise_permit(rig, away=True)
    assert not permitted(rig)
    rig.set_input(wire.INPUT_CONTACT, False)
    fed(rig, 10_000)
    assert not permitted(rig)
    raise_permit(rig, away=True)
    assert permitted(rig)
    rig.set_input(wire.INPUT_CONTACT, True)
    fed(rig, 10_000)
    assert not permitted(rig)


def test_a_restart_drops_it(rig: Rig) -> None:
    plunger = ready(rig, "plunger")
    batch = words(2000)
    plunger.feed(batch, 2, 1, False)
    fed(rig, 100_000)
    rig.restart()
    at = rig.board.plunger.position()
    assert not permitted(rig)
    fed(rig, 300_000)
    assert not permitted(rig) and rig.board.plunger.position() == at and not rig.board.plunger.busy()
