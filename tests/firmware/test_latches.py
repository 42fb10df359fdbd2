"""What each latch does: which refuse with what, which CLEAR takes, which outlive a restart."""

from __future__ import annotations

import pytest

from mesofirmware.latches import Latches
from mesoprotocol import wire

OWN_STATUS = {
    wire.LATCH_SAFE_APPLICATION: wire.S_SAFE_APPLICATION,
    wire.LATCH_SETTINGS_DAMAGED: wire.S_SETTINGS_DAMAGED,
    wire.LATCH_LOG_DAMAGED: wire.S_LOG_DAMAGED,
}
FOUND_AT_BOOT = (wire.LATCH_INTERRUPTED, wire.LATCH_LEDGER_CORRUPT, *OWN_STATUS)
"""CLEAR does not take them: something else must happen, and the next boot looks for itself."""
NEVER_KEPT = (*FOUND_AT_BOOT, wire.LATCH_SELF_TEST)
EACH = sorted({value for name, value in vars(wire).items() if name.startswith("LATCH_")})


def raised(*bits: int) -> Latches:
    box = Latches()
    for bit in bits:
        box.up(bit)
    return box


def test_nothing_stands_at_first() -> None:
    box = Latches()
    assert (box.bits, box.count, box.stop_count, box.status(), box.lasting()) == (0, 0, 0, wire.S_OK, 0)


@pytest.mark.parametrize("bit", EACH)
def test_each_latch(bit: int) -> None:
    box = raised(bit)
    assert (box.bits, box.count) == (bit, 1)
    assert box.status() == OWN_STATUS.get(bit, wire.S_LATCHED)
    assert box.lasting() == (0 if bit in NEVER_KEPT else bit)
    box.clear(0xFFFF & ~bit)
    assert box.bits == bit
    box.clear(bit)
    assert box.bits == (bit if bit in FOUND_AT_BOOT else 0)
    assert (box.count, box.stop_count) == (1, 0)


def test_all_at_once() -> None:
    box = raised(*EACH)
    assert box.count == len(EACH) and box.bits == sum(EACH)
    statuses = []
    for bit in (*OWN_STATUS, 0):
        statuses.append(box.status())
        box.bits &= ~bit
    assert statuses == [*OWN_STATUS.values(), wire.S_LATCHED]
    assert raised(*EACH).lasting() == sum(EACH) - sum(NEVER_KEPT)


def test_a_latch_that_is_raised_again_counts_again() -> None:
    """So that CLEAR names what was seen."""
    box = raised(wire.LATCH_ESTOP, wire.LATCH_ESTOP)
    assert (box.bits, box.count) == (wire.LATCH_ESTOP, 2)


def test_counts_come_round() -> None:
    box = Latches()
    for n in range(1, 0x10002):
        box.stop()
        assert box.stop_count == box.count == n & 0xFFFF
    assert box.bits == wire.LATCH_STOPPED
