"""What tests do with a rig more than once: time with a fed dead-man, a hand at the trigger, steps on an axis."""

from __future__ import annotations

from array import array

from mesofirmware.boards import port
from mesoprotocol import wire
from mesosim.lab.board_conformance import Rig

FED_US = 50_000
"""How often the dead-man is fed: five times in its 250 ms."""
TICKS_PER_MS = 25_000
TURN = 3200
"""Steps of a revolution of the drive."""
HELD = (wire.INPUT_TRIGGER_A, wire.INPUT_TRIGGER_B, wire.INPUT_CONTACT)


def fed(rig: Rig, us: int) -> None:
    """Time passes, and somebody feeds the dead-man."""
    while us > 0:
        rig.board.feed_deadman()
        rig.run(min(us, FED_US))
        us -= FED_US
    rig.board.feed_deadman()


def power(rig: Rig) -> None:
    """Motor power, which wants the dead-man fed."""
    fed(rig, FED_US)
    rig.board.enable(True)
    fed(rig, FED_US)


def hold(rig: Rig) -> None:
    """Motor power, and a hand: both trigger lines and skin contact."""
    power(rig)
    for bit in HELD:
        rig.set_input(bit, True)
    fed(rig, FED_US)


def permitted(rig: Rig) -> bool:
    """Whether the plunger's permit is up."""
    return bool(rig.board.inputs() & wire.INPUT_PERMIT_PLUNGER)


def raise_permit(rig: Rig, away: bool = False) -> None:
    """Ask for the plunger's permit, and give the latch its time."""
    rig.board.permit(True, away)
    fed(rig, 1_000)


def words(steps: int, interval: int = TICKS_PER_MS, backward: bool = False) -> array[int]:
    """One segment: so many steps, 1 ms apart."""
    return array("I", [int(not backward) | (steps - 1) << 1, interval])


def move(rig: Rig, axis: port.Axis, steps: int, backward: bool = False, cycles: int = 1) -> None:
    """Feed a batch of 1 ms a step, and wait until it has ended."""
    axis.feed(words(steps, backward=backward), 2, cycles, False)
    fed(rig, (steps * cycles + 20) * 1_000)
