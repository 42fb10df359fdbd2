"""What is refused with what, on both sides of each border; and what the treatment's total counts."""

from __future__ import annotations

import pytest

from mesofirmware import cartridge, ledger, rules
from mesoprotocol import limits, wire
from tests.firmware.fram import Fram

READY = wire.INPUT_SYRINGE | wire.INPUT_NEEDLE_HOME
MOUNTED = wire.INPUT_CARTRIDGE | wire.INPUT_NEEDLE_HOME
PROFILE = limits.PROFILES[0]
CHEEK, PERIORBITAL, SCALP, BODY = 6, 3, 10, 11
OK, RANGE, ZONE = wire.S_OK, wire.S_RANGE, wire.S_ZONE_LIMIT
EMPTY, TOTAL, PRIMED = wire.S_SYRINGE_EMPTY, wire.S_TREATMENT_LIMIT, wire.S_NOT_PRIMED


def book(treatment: int = 5, counted_nl: int = 0) -> ledger.Ledger:
    found = ledger.Ledger(Fram(bytearray(32768)), b"boot")
    found.start_treatment(treatment)
    found.counted_nl = counted_nl
    return found


def interlocks(ready: int, present: int) -> list[tuple[int, int]]:
    """Inputs, and what they mean."""
    others = (wire.INPUT_TRIGGER_A, wire.INPUT_TRIGGER_B, wire.INPUT_PERMIT_PLUNGER)
    refused = [ready & ~present, ready & ~wire.INPUT_NEEDLE_HOME, present ^ wire.INPUT_SYRINGE ^ wire.INPUT_CARTRIDGE]
    refused += [ready | wire.INPUT_ESTOP, ready | wire.INPUT_DRIVE_FAULT, 0]
    return [(ready | other, OK) for other in (0, *others)] + [(each, wire.S_INTERLOCK) for each in refused]


# --- A dose -----------------------------------------------------------------------------------------------


def dose(
    volume: int = 20_000,
    depth: int = 1_000,
    mode: int = wire.MODE_SINGLE,
    zone: int = CHEEK,
    profile: int = 1,
    inputs: int = READY,
    at: ledger.Ledger | None = None,
    primed: bool = True,
    primed_nl: int = 0,
    swept: int = 0,
) -> int:
    return rules.dose([0, 2, volume, depth, mode, profile, zone, 1], inputs, at or book(), primed, primed_nl, swept)


SWEPT, LEFT_NL = 160_000, PROFILE[limits.PROFILE_CAPACITY_NL] - 897_280
"""Steps, and what is left then: each is 5,608 pl."""


@pytest.mark.requirement("SR-01")
@pytest.mark.parametrize(("room_nl", "status"), [(20_400, OK), (20_399, TOTAL)])
def test_the_total_counts_upper_bounds(room_nl: int, status: int) -> None:
    """A dose of 20,000 nl may be 2 % more: 20,400 nl must fit, counted from the upper bound of what went before."""
    found = book()
    found.write_intent()
    found.outcome[ledger.O_DELIVERED] = 1_000
    found.counted_nl = limits.TREATMENT_MAX_NL - room_nl - 5_000
    found.outcome[ledger.O_UPPER] = 5_000
    found.write_outcome(1)
    assert dose(at=found) == status


PRIME = {"mode": wire.MODE_PRIME, "depth": 0, "zone": 0}
TEST = {"mode": wire.MODE_TEST, "volume": 10_000}
DOSES: list[tuple[dict[str, int], int]] = [
    ({}, OK),
    ({"volume": limits.DOSE_MIN_NL - 1}, RANGE),
    ({"volume": limits.DOSE_MAX_NL, "zone": BODY}, OK),
    ({"volume": limits.DOSE_MAX_NL + 1, "zone": BODY}, RANGE),
    ({"volume": 100_000}, OK),
    ({"volume": 100_001}, ZONE),
    ({"volume": 20_001, "zone": PERIORBITAL}, ZONE),
    (TEST, OK),
    ({**TEST, "volume": limits.TEST_MIN_NL - 1}, RANGE),
    ({**TEST, "volume": limits.TEST_MAX_NL}, OK),
    ({**TEST, "volume": limits.TEST_MAX_NL + 1}, RANGE),
    ({**TEST, "primed": 0}, PRIMED),
    ({"mode": wire.MODE_RETROGRADE}, OK),
    *(({"mode": mode}, RANGE) for mode in (0, wire.MODE_FRACTIONAL, wire.MODE_REPEAT, wire.MODE_PERFUSION, 99)),
    ({"depth": limits.METERED_DEPTH_MIN_UM}, OK),
    ({"depth": limits.METERED_DEPTH_MIN_UM - 1}, RANGE),
    ({"depth": limits.METERED_DEPTH_MAX_UM, "zone": SCALP}, OK),
    ({"depth": limits.METERED_DEPTH_MAX_UM + 1, "zone": SCALP}, RANGE),
    ({"depth": 2_000}, OK),
    ({"depth": 2_001}, ZONE),
    ({"zone": 0}, ZONE),
    ({"zone": 12}, ZONE),
    ({"profile": 0}, RANGE),
    ({"profile": 2}, RANGE),
    ({"primed": 0}, PRIMED),
    (PRIME, OK),
    ({**PRIME, "primed": 0}, OK),
    ({**PRIME, "depth": 1}, RANGE),
    ({**PRIME, "zone": 1}, RANGE),
    ({**PRIME, "volume": limits.PRIME_MAX_NL}, OK),
    ({**PRIME, "primed_nl": limits.PRIME_MAX_NL - 20_000}, OK),
    ({**PRIME, "primed_nl": limits.PRIME_MAX_NL - 19_999}, wire.S_PRIME_LIMIT),
    ({**PRIME, "inputs": READY | wire.INPUT_CONTACT}, wire.S_SKIN_CONTACT),
    ({"inputs": READY | wire.INPUT_CONTACT}, OK),
    ({"swept": SWEPT, "zone": BODY, "volume": LEFT_NL}, OK),
    ({"swept": SWEPT, "zone": BODY, "volume": LEFT_NL + 1}, EMPTY),
    ({**PRIME, "swept": SWEPT, "volume": LEFT_NL}, OK),
    ({**PRIME, "swept": SWEPT, "volume": LEFT_NL + 1}, EMPTY),
]


@pytest.mark.requirement("SR-01", "SR-02", "SR-21")
@pytest.mark.parametrize(("changed", "status"), DOSES)
def test_a_dose(changed: dict[str, int], status: int) -> None:
    assert dose(**changed) == status  # type: ignore[arg-type]


@pytest.mark.requirement("SR-02")
def test_without_a_treatment_nothing_leaves_the_syringe() -> None:
    assert dose(at=book(0)) == series(at=book(0)) == run(at=book(0)) == wire.S_NO_TREATMENT


@pytest.mark.requirement("SR-11", "SR-18")
@pytest.mark.parametrize(("inputs", "status"), interlocks(READY, wire.INPUT_SYRINGE))
def test_what_must_be_so_for_a_dose(inputs: int, status: int) -> None:
    assert dose(inputs=inputs) == series(inputs=inputs) == status


@pytest.mark.requirement("SR-08")
@pytest.mark.parametrize(
    ("asked_nl", "swept", "nears"),
    [
        (LEFT_NL // 2, SWEPT, False),
        (LEFT_NL // 2 + 1, SWEPT, True),
        (20_000, 950_001_000 // 5_608, False),
        (20_000, 950_001_000 // 5_608 + 1, True),
    ],
)
def test_the_syringe_nears_its_end(asked_nl: int, swept: int, nears: bool) -> None:
    """Less than 5 %, or than two such doses, is left."""
    assert rules.nears_empty(asked_nl, PROFILE, swept) == nears


# --- A series ---------------------------------------------------------------------------------------------


def series(
    volume: int = 200_000,
    depth: int = 1_000,
    mode: int = wire.MODE_REPEAT,
    zone: int = CHEEK,
    profile: int = 1,
    stroke: int = 20_000,
    rate: int = 20,
    flow: int = 0,
    inputs: int = READY,
    at: ledger.Ledger | None = None,
    primed: bool = True,
    swept: int = 0,
) -> int:
    args = [0, 2, volume, depth, mode, profile, zone, 1, stroke, rate, flow]
    return rules.series(args, inputs, at or book(), primed, swept)


PERFUSION = {"mode": wire.MODE_PERFUSION, "volume": 40_000, "stroke": 0, "rate": 0, "flow": 10_000}
FASTEST = 60_000_000 // (20_000 * 1000 // 20_000 * 1000 + 3 * 755 * 200 + 100_000)
"""Strokes of 20 ul a minute: each is 1 s of flow, three time constants, and the way in and out."""
STROKE_OF_3_S = {"stroke": (3_000 - 453 - 100) * 20}
"""2,447 ms of flow at 20 nl/ms: with what the line above adds, one stroke takes 3 s to the microsecond."""
FASTEST_FLOW = ((60_000 - 22_500 + 1) * 1000 - 1) // 755
"""Below the profile's 60 kPa by what an occlusion of 4.5 ul at 200 nl/kPa stores; the rest is the needle's."""
SERIES: list[tuple[dict[str, int], int]] = [
    ({}, OK),
    ({"profile": 0}, RANGE),
    ({"profile": 2}, RANGE),
    ({"stroke": limits.STROKE_MIN_NL}, OK),
    ({"stroke": limits.STROKE_MIN_NL - 1}, RANGE),
    ({"volume": 20_000}, OK),
    ({"volume": 19_999}, RANGE),
    ({"rate": limits.REPEAT_RATE_MIN_PER_MIN}, OK),
    ({"rate": limits.REPEAT_RATE_MIN_PER_MIN - 1}, RANGE),
    ({"flow": 1}, RANGE),
    ({"rate": FASTEST}, OK),
    ({"rate": FASTEST + 1}, wire.S_FLOW),
    ({"rate": 20, "zone": BODY, **STROKE_OF_3_S}, OK),
    ({"rate": 21, "zone": BODY, **STROKE_OF_3_S}, wire.S_FLOW),
    ({"rate": FASTEST + 1, "depth": 2_001}, ZONE),
    ({"depth": 2_001}, ZONE),
    ({"depth": limits.METERED_DEPTH_MIN_UM - 1}, RANGE),
    ({"zone": PERIORBITAL, "stroke": 20_000}, OK),
    ({"zone": PERIORBITAL, "stroke": 20_001}, ZONE),
    ({"primed": 0}, PRIMED),
    ({"primed": 0, "depth": 2_001}, ZONE),
    ({"swept": SWEPT, "volume": LEFT_NL}, OK),
    ({"swept": SWEPT, "volume": LEFT_NL + 1}, EMPTY),
    (PERFUSION, OK),
    ({**PERFUSION, "stroke": 1}, RANGE),
    ({**PERFUSION, "rate": 1}, RANGE),
    ({**PERFUSION, "flow": limits.FLOW_MIN_NL_PER_S}, OK),
    ({**PERFUSION, "flow": limits.FLOW_MIN_NL_PER_S - 1}, RANGE),
    ({**PERFUSION, "flow": FASTEST_FLOW}, OK),
    ({**PERFUSION, "flow": FASTEST_FLOW + 1}, wire.S_FLOW),
    ({**PERFUSION, "flow": FASTEST_FLOW + 1, "depth": 2_001}, ZONE),
    ({**PERFUSION, "volume": limits.DOSE_MIN_NL}, OK),
    ({**PERFUSION, "volume": limits.DOSE_MIN_NL - 1}, RANGE),
    ({**PERFUSION, "volume": 100_000}, OK),
    ({**PERFUSION, "volume": 100_001}, ZONE),
    ({**PERFUSION, "primed": 0}, PRIMED),
    ({**PERFUSION, "swept": SWEPT, "zone": BODY, "volume": LEFT_NL + 1}, EMPTY),
]


@pytest.mark.requirement("SR-01", "SR-02", "SR-21")
@pytest.mark.parametrize(("changed", "status"), SERIES)
def test_a_series(changed: dict[str, int], status: int) -> None:
    assert series(**changed) == status  # type: ignore[arg-type]


@pytest.mark.requirement("SR-01")
@pytest.mark.parametrize(("room_nl", "status"), [(204_000, OK), (203_999, TOTAL)])
def test_a_series_counts_whole(room_nl: int, status: int) -> None:
    assert series(at=book(counted_nl=limits.TREATMENT_MAX_NL - room_nl)) == status


# --- A run ------------------------------------------------------------------------------------------------

MAY = wire.S_NO_CHIP
"""All is well but that the cartridge, which is asked last, has no chip."""


class NoChip:
    """As the port tells it: nothing answers on the wire."""

    def identity(self, serial: bytearray) -> bool:
        return False


class Board:
    chip = NoChip()


def run(
    strokes: int = 300,
    depth: int = 1_000,
    rate: int = 600,
    zone: int = CHEEK,
    needles: int = 12,
    area: int = 100,
    duration: int = 60,
    inputs: int = MOUNTED,
    at: ledger.Ledger | None = None,
) -> int:
    at = at or book()
    mounted = cartridge.Cartridge(Board(), Fram(bytearray(32768)), at)  # type: ignore[arg-type]
    return rules.run([0, 2, strokes, depth, rate, zone, needles, area, duration], inputs, at, mounted)


MANY = {"area": 1_500, "duration": limits.RUN_MAX_S, "rate": 900}
RUNS: list[tuple[dict[str, int], int]] = [
    ({}, MAY),
    ({"depth": limits.FRACTIONAL_DEPTH_MIN_UM}, MAY),
    ({"depth": limits.FRACTIONAL_DEPTH_MIN_UM - 1}, RANGE),
    ({"depth": limits.FRACTIONAL_DEPTH_MAX_UM}, ZONE),
    ({"depth": limits.FRACTIONAL_DEPTH_MAX_UM + 1}, RANGE),
    ({"depth": 2_000}, MAY),
    ({"depth": 2_001}, ZONE),
    ({"depth": 500, "zone": PERIORBITAL}, MAY),
    ({"depth": 501, "zone": PERIORBITAL}, ZONE),
    ({"zone": 0}, ZONE),
    ({"zone": 12}, ZONE),
    ({"rate": limits.RATE_MIN_PER_MIN, "strokes": 60}, MAY),
    ({"rate": limits.RATE_MIN_PER_MIN - 1, "strokes": 59}, RANGE),
    ({"rate": limits.RATE_MAX_PER_MIN}, MAY),
    ({"rate": limits.RATE_MAX_PER_MIN + 1}, RANGE),
    ({**MANY, "strokes": limits.STROKES_MAX}, MAY),
    ({**MANY, "strokes": limits.STROKES_MAX + 1, "rate": 1_800}, RANGE),
    ({"needles": limits.NEEDLES_MIN - 1}, RANGE),
    ({"needles": limits.NEEDLES_MAX}, MAY),
    ({"needles": limits.NEEDLES_MAX + 1}, RANGE),
    ({"area": limits.AREA_MIN_CM2, "strokes": 34}, MAY),
    ({"area": limits.AREA_MIN_CM2, "strokes": 35}, wire.S_COVERAGE),
    ({"area": limits.AREA_MIN_CM2 - 1}, RANGE),
    ({"area": limits.AREA_MAX_CM2}, MAY),
    ({"area": limits.AREA_MAX_CM2 + 1}, RANGE),
    # 20,000 punctures of 0.049 mm2: a fifth of 49 cm2
    ({"area": 49, "strokes": 1_250, "needles": 16, "rate": 1_800}, MAY),
    ({"area": 49, "strokes": 1_251, "needles": 16, "rate": 1_800}, wire.S_COVERAGE),
    ({"duration": limits.RUN_MAX_S}, MAY),
    ({"duration": limits.RUN_MAX_S + 1}, RANGE),
    ({"strokes": 600}, MAY),
    ({"strokes": 601}, wire.S_RUN_TIME),
]


@pytest.mark.requirement("SR-02")
@pytest.mark.parametrize(("changed", "status"), RUNS)
def test_a_run(changed: dict[str, int], status: int) -> None:
    assert run(**changed) == status  # type: ignore[arg-type]


@pytest.mark.requirement("SR-11", "SR-18")
@pytest.mark.parametrize(("inputs", "status"), interlocks(MOUNTED, wire.INPUT_CARTRIDGE))
def test_what_must_be_so_for_a_run(inputs: int, status: int) -> None:
    assert run(inputs=inputs) == (MAY if status == OK else status)


# --- Dry strokes, and what may go on ----------------------------------------------------------------------


HOME = wire.INPUT_NEEDLE_HOME


def dry(strokes: int = 600, duration: int = 60, rate: int = 600, inputs: int = HOME) -> int:
    args = [0] * len(wire.PREPARE_DRY_FIELDS)
    args[wire.PREPARE_DRY_STROKES] = strokes
    args[wire.PREPARE_DRY_DURATION_S] = duration
    args[wire.PREPARE_DRY_RATE_PER_MIN] = rate
    return rules.service(args, inputs, wire.PREPARE_DRY)


def way_home(inputs: int = HOME) -> int:
    return rules.service([b"", 2], inputs, wire.PREPARE_HOME)


def test_service_wants_nothing_mounted_and_no_skin() -> None:
    assert dry() == way_home() == OK
    assert dry(601) == dry(duration=59) == dry(rate=599) == wire.S_RUN_TIME
    assert dry(inputs=HOME | wire.INPUT_CONTACT) == way_home(HOME | wire.INPUT_CONTACT) == wire.S_SKIN_CONTACT
    for more in (wire.INPUT_SYRINGE, wire.INPUT_CARTRIDGE, wire.INPUT_ESTOP, wire.INPUT_DRIVE_FAULT):
        assert dry(inputs=HOME | more) == way_home(HOME | more) == wire.S_INTERLOCK
    assert dry(inputs=0) == way_home(0) == wire.S_INTERLOCK


PRESSED = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B
ON_SKIN = PRESSED | wire.INPUT_CONTACT
GOES_ON = {
    wire.MODE_SINGLE: ON_SKIN | wire.INPUT_SYRINGE,
    wire.MODE_TEST: ON_SKIN | wire.INPUT_SYRINGE,
    wire.MODE_REPEAT: ON_SKIN | wire.INPUT_SYRINGE,
    wire.MODE_PERFUSION: ON_SKIN | wire.INPUT_SYRINGE,
    wire.MODE_RETROGRADE: ON_SKIN | wire.INPUT_SYRINGE,
    wire.MODE_FRACTIONAL: ON_SKIN | wire.INPUT_CARTRIDGE,
    wire.MODE_PRIME: PRESSED | wire.INPUT_SYRINGE,
    wire.MODE_DRY: PRESSED,
    wire.MODE_HOME: PRESSED,
}
"""What is held and mounted in each mode."""
AGAINST = [
    (wire.INPUT_ESTOP, wire.REASON_ESTOP),
    (wire.INPUT_DRIVE_FAULT, wire.REASON_DRIVE_FAULT),
    (wire.INPUT_SYRINGE | wire.INPUT_CARTRIDGE, wire.REASON_SYRINGE),
    (wire.INPUT_TRIGGER_A, wire.REASON_TRIGGER),
    (wire.INPUT_TRIGGER_B, wire.REASON_TRIGGER),
    (PRESSED, wire.REASON_TRIGGER),
    (wire.INPUT_CONTACT, wire.REASON_CONTACT),
]
"""Inputs that are otherwise than they must be, and the reason they give; the first that is so counts."""


@pytest.mark.requirement("SR-11", "SR-27")
@pytest.mark.parametrize("mode", GOES_ON)
def test_what_ends_a_mode(mode: int) -> None:
    good = GOES_ON[mode]
    for harmless in (0, wire.INPUT_NEEDLE_HOME, wire.INPUT_PERMIT_PLUNGER, wire.INPUT_DEPTH_HOME):
        assert rules.against(good | harmless, mode) == wire.REASON_COMPLETE
    for at, (turned, reason) in enumerate(AGAINST):
        assert rules.against(good ^ turned, mode) == reason
        for more, _ in AGAINST[at + 1 :]:
            assert rules.against(good ^ (turned | more), mode) == reason


@pytest.mark.parametrize("mode", GOES_ON)
def test_which_modes_are_away_from_the_skin(mode: int) -> None:
    assert rules.is_away(mode) == (mode in (wire.MODE_PRIME, wire.MODE_DRY, wire.MODE_HOME))


@pytest.mark.requirement("SR-03")
def test_a_point_waits() -> None:
    waiting = book()
    waiting.points.dosed(1)
    assert dose(at=waiting) == series(at=waiting) == series(at=waiting, **PERFUSION) == wire.S_POINT_WAIT  # type: ignore[arg-type]
    assert dose(at=waiting, depth=2_001) == ZONE
    assert dose(at=waiting, mode=wire.MODE_PRIME, depth=0, zone=0) == OK
    waiting.points.forget()
    assert dose(at=waiting) == OK
