"""What may be prepared: each limit from both sides, and what must be so besides."""

from __future__ import annotations

import pytest

from mesofirmware import ledger, rules
from mesoprotocol import limits, messages, wire
from tests.firmware.fram import Fram
from tests.safety.watch import DOSE, RUN

READY = wire.INPUT_SYRINGE | wire.INPUT_NEEDLE_HOME


@pytest.mark.requirement("SR-01")
@pytest.mark.parametrize(("room_nl", "status"), [(20_400, wire.S_OK), (20_399, wire.S_TREATMENT_LIMIT)])
def test_the_total_counts_upper_bounds(room_nl: int, status: int) -> None:
    """A dose of 20,000 nl may be 2 % more: 20,400 nl must fit, counted from the upper bound of what went before."""
    book = ledger.Ledger(Fram(bytearray(32768)), b"boot")
    book.start_treatment(5)
    book.write_intent()
    book.outcome[ledger.O_DELIVERED] = 1_000
    book.counted_nl = limits.TREATMENT_MAX_NL - room_nl - 5_000
    book.outcome[ledger.O_UPPER] = 5_000
    book.write_outcome(1)
    request = [0, 2, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 1, 0]
    assert rules.dose(request, READY, book, True, 0, 0) == status


def book(treatment: int = 5) -> ledger.Ledger:
    made = ledger.Ledger(Fram(bytearray(32768)), b"boot")
    made.start_treatment(treatment)
    return made


WHOLE_RUN = RUN._replace(strokes=20, duration_s=1_800, needles=12, area_cm2=1_500)
"""Behind its limits come what is mounted, and here nothing is: INTERLOCK."""


@pytest.mark.requirement("SR-01", "SR-02")
@pytest.mark.parametrize(
    ("field", "within", "beyond"),
    [
        ("depth_um", 400, 399),
        ("depth_um", 2_000, 4_001),
        ("rate_per_min", 60, 59),
        ("rate_per_min", 1_800, 1_801),
        ("strokes", 27_000, 27_001),
        ("needles", 12, 11),
        ("needles", 20, 21),
        ("area_cm2", 1, 0),
        ("area_cm2", 1_500, 1_501),
        ("duration_s", 1_800, 1_801),
    ],
)
def test_each_limit_of_a_run_from_both_sides(field: str, within: int, beyond: int) -> None:
    """Also those that no message bears, since a field's range refuses them before."""
    request = WHOLE_RUN._replace(rate_per_min=1_800) if field == "strokes" else WHOLE_RUN
    for value, status in ((within, wire.S_INTERLOCK), (beyond, wire.S_RANGE)):
        args = list(request._replace(**{field: value}))
        assert rules.run(args, 0, book(), None) == status  # type: ignore[arg-type]


@pytest.mark.requirement("SR-02")
def test_nothing_is_prepared_without_a_treatment() -> None:
    new = ledger.Ledger(Fram(bytearray(32768)), b"boot")
    assert rules.run(list(RUN), READY, new, None) == wire.S_NO_TREATMENT  # type: ignore[arg-type]
    assert rules.dose(list(DOSE), READY, new, True, 0, 0) == wire.S_NO_TREATMENT


PRIME = messages.Prepare(b"", 0, 100_000, 0, wire.MODE_PRIME, 1, 0, 0)
SERIES = messages.PrepareSeries(b"", 0, 100_000, 1_500, wire.MODE_PERFUSION, 1, 6, 0, 0, 0, 5_000)


@pytest.mark.requirement("SR-02", "SR-21")
@pytest.mark.parametrize(
    ("changes", "inputs", "primed_nl", "status"),
    [
        ({}, READY, 0, wire.S_OK),
        ({"depth_um": 1}, READY, 0, wire.S_RANGE),
        ({"zone": 6}, READY, 0, wire.S_RANGE),
        ({}, READY, 400_000, wire.S_OK),
        ({}, READY, 400_001, wire.S_PRIME_LIMIT),
        ({}, READY | wire.INPUT_CONTACT, 0, wire.S_SKIN_CONTACT),
    ],
)
def test_a_prime_is_into_the_air_and_limited(changes: dict[str, int], inputs: int, primed_nl: int, status: int) -> None:
    assert rules.dose(list(PRIME._replace(**changes)), inputs, book(), False, primed_nl, 0) == status


@pytest.mark.requirement("SR-21")
@pytest.mark.parametrize(("primed", "status"), [(True, wire.S_OK), (False, wire.S_NOT_PRIMED)])
def test_a_series_is_primed_as_a_dose_is(primed: bool, status: int) -> None:
    assert rules.series(list(SERIES), READY, book(), primed, 0) == status


@pytest.mark.requirement("SR-11", "SR-18")
@pytest.mark.parametrize(
    "inputs",
    [
        READY & ~wire.INPUT_SYRINGE,
        READY & ~wire.INPUT_NEEDLE_HOME,
        READY | wire.INPUT_ESTOP,
        READY | wire.INPUT_DRIVE_FAULT,
    ],
)
def test_each_interlock_alone_refuses(inputs: int) -> None:
    assert rules.interlock(READY, wire.INPUT_SYRINGE) == wire.S_OK
    assert rules.interlock(inputs, wire.INPUT_SYRINGE) == wire.S_INTERLOCK
    assert rules.dose(list(DOSE), inputs, book(), True, 0, 0) == wire.S_INTERLOCK
