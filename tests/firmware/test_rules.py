"""The treatment's total counts upper bounds: what may have been given, not what probably was."""

import pytest

from mesofirmware import clock, ledger, rules
from mesoprotocol import limits, wire
from tests.firmware.fram import Fram

READY = wire.INPUT_SYRINGE | wire.INPUT_NEEDLE_HOME


@pytest.mark.requirement("SR-01")
@pytest.mark.parametrize(("room_nl", "status"), [(20_400, wire.S_OK), (20_399, wire.S_TREATMENT_LIMIT)])
def test_the_total_counts_upper_bounds(room_nl: int, status: int) -> None:
    """A dose of 20,000 nl may be 2 % more: 20,400 nl must fit, counted from the upper bound of what went before."""
    book = ledger.Ledger(Fram(bytearray(32768)), b"boot", clock.Clock(0))
    book.start_treatment(5)
    book.write_intent()
    book.outcome[ledger.O_DELIVERED] = 1_000
    book.counted_nl = limits.TREATMENT_MAX_NL - room_nl - 5_000
    book.outcome[ledger.O_UPPER] = 5_000
    book.write_outcome(1)
    request = [0, 2, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 1, 0]
    assert rules.dose(request, READY, book, True, 0, 0) == status
