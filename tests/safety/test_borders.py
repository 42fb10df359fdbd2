"""The safety channel by itself, each of its conditions at both sides of its border, each watch alone."""

from __future__ import annotations

from typing import Any

import pytest

from mesofirmware import battery, clock, safety
from mesofirmware.guarded import Guarded
from mesofirmware.selftest import SelfTest
from mesoprotocol import limits, messages, tick, wire
from mesosim.lab.enumeration.workloads import PRIME
from tests.safety.still import HELD, HOME, LOOK_US, PERMIT, Alone
from tests.safety.watch import DOSE, RUN, SMALL

BOUNDS = {
    "dose": (DOSE, [12_260, 10_031, 2_451, 222, 4_060, 16_000_000, 0]),
    "small": (SMALL, [2_452, 2_006, 2_451, 222, 4_060, 8_000_000, 0]),
    "smallest": (DOSE._replace(volume_nl=1_000, zone=6), [334, 0, 2_451, 222, 2_060, 6_100_000, 0]),
    "prime": (PRIME, [12_260, 0, 2_451, 222, 4_060, 16_000_000, 1]),
    "perfusion": (
        messages.PrepareSeries(b"", 0, 100_000, 1_500, wire.MODE_PERFUSION, 1, 6, 0, 0, 0, 5_000),
        [12_260, 10_031, 612, 222, 2_060, 46_000_000, 0],
    ),
    "run": (RUN, [41, 0, 0, 0, 2_060, 525_000, 0]),
    "dry run": (messages.PrepareDry(b"", 0, 40, 500, 600, 60), [41, 0, 0, 0, 4_060, 525_000, 1]),
    "home": (messages.PrepareHome(b"", 0), [160, -140_160, 0, 160, 60, 31_000_000, 1]),
    "slow run": (RUN._replace(rate_per_min=277), [41, 0, 0, 0, 2_060, 874_818, 0]),
}
"""Request; most, least, counts a second, slack, deepest, time out, away. 8.9725 nl a count of a bore of 4.78 mm."""


@pytest.mark.requirement("SR-05", "SR-10", "SR-16")
@pytest.mark.parametrize("name", BOUNDS)
def test_its_bounds(name: str) -> None:
    request, bounds = BOUNDS[name]
    alone = Alone(request)
    for at in range(len(bounds)):
        alone.safety.bounds.put(at, 9)  # what a dose before has left
    assert alone.armed().safety.bounds.values == bounds


def looked(alone: Alone, times: int = 1) -> None:
    for _ in range(times):
        assert alone.step(LOOK_US) == LOOK_US


# --- In a dose ------------------------------------------------------------------------------------------

BORDERS: dict[str, tuple[dict[str, int], dict[str, int], int, str, int]] = {
    "pressure": ({"pa": 150_000}, {"pa": 150_001}, 2, "PRESSURE", 150_001),
    "vacuum": ({"pa": -95_000}, {"pa": -95_001}, 2, "SENSOR", -95_001),
    "depth": ({"um": 4_060}, {"um": 4_061}, 1, "DEPTH", 4_061),
    "permit, one line": ({"levels": HELD - 1}, {"levels": (HELD - 1) | PERMIT}, 2, "PERMIT", 0),
    "permit, other line": ({"levels": HELD | PERMIT}, {"levels": (HELD - 2) | PERMIT}, 2, "PERMIT", 0),
    "permit, skin": ({"levels": HELD | PERMIT | HOME}, {"levels": (HELD - 4) | PERMIT}, 2, "PERMIT", 0),
    "permit, emergency stop": ({"levels": HELD + 8}, {"levels": (HELD + 8) | PERMIT}, 2, "PERMIT", 0),
}
"""Readings in order, readings just out of it, how many looks in a row find that, the alarm and its value."""


@pytest.mark.requirement("SR-05", "SR-10", "SR-19", "SR-28")
@pytest.mark.parametrize("name", BORDERS)
def test_a_border_in_a_dose(name: str) -> None:
    within, beyond, looks, alarm, value = BORDERS[name]
    alone = Alone(DOSE).begun()
    before = {key: getattr(alone.board, key) for key in within}
    vars(alone.board).update(within)
    looked(alone, 20)
    alone.in_order()
    for _ in range(3):  # one look less in a row is in order, however often
        vars(alone.board).update(beyond)
        looked(alone, looks - 1)
        alone.in_order()
        vars(alone.board).update(before)
        looked(alone)
    vars(alone.board).update(beyond)
    looked(alone, looks)
    alone.stopped(alarm, value)
    looked(alone, 5)
    assert alone.told == [(alarm, value)]
    assert ("stop",) not in alone.asked()


@pytest.mark.requirement("SR-05", "SR-10")
def test_away_from_skin_the_circuit_demands_no_contact() -> None:
    alone = Alone(PRIME)
    alone.board.levels = HELD - wire.INPUT_CONTACT
    alone.begun()
    alone.board.levels |= PERMIT
    looked(alone, 3)
    alone.in_order()
    alone.board.levels |= wire.INPUT_CONTACT
    looked(alone, 2)
    alone.stopped("PERMIT", 0)


@pytest.mark.requirement("SR-05", "SR-16")
def test_the_carriage_may_go_as_far_as_the_most() -> None:
    alone = Alone(DOSE).begun()
    left = 12_260
    while left:
        alone.board.counts += min(100, left)
        left -= min(100, left)
        looked(alone)
    alone.in_order()
    alone.board.counts += 1
    looked(alone)
    alone.stopped("OVER_DELIVERY", 1)


@pytest.mark.requirement("SR-05", "SR-16")
def test_the_carriage_may_be_ahead_by_the_slack() -> None:
    """222 counts at once, and 2,451 a second: 122.55 more in a look of 50 ms, of which nothing is lost."""
    alone = Alone(DOSE).begun()
    alone.board.counts += 222
    looked(alone)
    for _ in range(3):
        alone.board.counts += 122
        looked(alone)
    alone.in_order()
    alone.board.counts += 125  # 0.55 + 4 x 122.55 have grown since the slack was taken, and 366 of them were taken
    looked(alone)
    alone.stopped("OVER_DELIVERY", 1)


@pytest.mark.requirement("SR-05", "SR-16")
def test_credit_grows_with_time_but_not_beyond_the_slack_or_what_a_late_look_may_have() -> None:
    alone = Alone(DOSE).begun()
    looked(alone, 10)
    alone.board.counts += 222
    looked(alone)
    alone.in_order()
    # a look that comes after 80 ms has 196 counts' credit
    alone.board.counts += 196
    assert alone.step(80_000) == LOOK_US
    alone.in_order()
    # the carriage that goes back earns none
    alone.board.counts -= 50
    alone.step(30_000)
    alone.board.counts += 74
    alone.step(30_000)
    alone.in_order()
    alone.board.counts += 147
    alone.step(30_000)
    alone.stopped("OVER_DELIVERY", 1)


def test_each_count_is_charged() -> None:
    alone = Alone(DOSE)
    alone.armed()
    alone.safety.bounds.put(safety._RATE, 0)
    alone.safety.power()
    for _ in range(222):
        alone.board.counts += 1
        looked(alone)
    alone.in_order()
    alone.board.counts += 1
    looked(alone)
    alone.stopped("OVER_DELIVERY", 1)


def test_of_a_look_far_too_late_no_more_than_400_ms_count() -> None:
    """A slack of 5,000 counts tells how much credit a late look is given."""
    alone = Alone(DOSE).begun()
    alone.safety.bounds.put(safety._MOST, 1 << 20)
    looked(alone)
    alone.safety.bounds.put(safety._SLACK, 5_000)
    alone.safety.bounds.put(safety._RATE, 10_000)
    alone.safety._credit = 0
    alone.board.counts += 4_000
    alone.step(900_000)
    alone.in_order()
    alone.board.counts += 4_001
    alone.step(900_000)
    alone.stopped("OVER_DELIVERY", 1)


@pytest.mark.requirement("SR-10", "SR-14")
def test_time_out_of_the_handpiece() -> None:
    alone = Alone(DOSE).begun()
    alone.board.levels |= HOME
    looked(alone, 400)
    alone.board.levels = HELD
    looked(alone, 320)
    alone.in_order()
    alone.step(30_001)
    alone.stopped("IN_SKIN", 16_030)


@pytest.mark.requirement("SR-35")
def test_a_flat_cell_is_looked_at_each_eighth_time_and_is_so_twice() -> None:
    alone = Alone(DOSE).begun()
    alone.board.mv = limits.BATTERY_CUTOFF_MV
    looked(alone, 32)
    alone.board.mv -= 1
    looked(alone, 7)
    alone.board.mv += 1
    looked(alone, 1)
    alone.board.mv -= 1
    looked(alone, 8)
    alone.board.mv += 1
    looked(alone, 8)
    alone.board.mv -= 1
    looked(alone, 15)
    alone.in_order()
    looked(alone)
    alone.stopped("BATTERY", 2_899)


@pytest.mark.requirement("SR-13")
def test_an_altered_bound_is_found_at_the_next_look() -> None:
    alone = Alone(DOSE).begun()
    alone.safety.bounds.values[safety._AWAY] ^= 2
    looked(alone)
    alone.stopped("SELF_TEST", wire.CHECK_MEMORY)


@pytest.mark.requirement("SR-10", "SR-28")
def test_looks_and_the_dead_mans_food_in_time() -> None:
    """A wake less than 30 ms after a look is no look; the dead-man is fed when 62.5 ms have passed."""
    alone = Alone(DOSE).begun()
    alone.board.um = 9_999
    assert alone.step(29_999) == LOOK_US - 29_999
    alone.in_order()
    alone.step(1)
    alone.stopped("DEPTH", 9_999)
    alone.step(32_499)
    assert ("deadman",) not in alone.asked()
    alone.step(1)
    assert alone.asked() == [("deadman",)]


# --- In a run -------------------------------------------------------------------------------------------


def stroke(alone: Alone, n: int = 1, us: int = 100_000) -> None:
    for _ in range(n):
        alone.board.strokes += 1
        assert alone.step(us) == 125_000


@pytest.mark.requirement("SR-10", "SR-31")
def test_the_border_of_depth_in_a_run() -> None:
    alone = Alone(RUN).begun()
    alone.board.deepest_um = 2_060
    stroke(alone, 5)
    alone.in_order()
    alone.board.deepest_um += 1
    alone.step(10_000)  # is looked at when the index was seen
    alone.in_order()
    stroke(alone)
    alone.stopped("DEPTH", 2_061)


@pytest.mark.requirement("SR-10", "SR-31")
def test_it_counts_the_strokes_itself() -> None:
    alone = Alone(RUN).begun()
    stroke(alone, 41)
    alone.in_order()
    stroke(alone)
    alone.stopped("STROKES", 42)


@pytest.mark.requirement("SR-10", "SR-28")
@pytest.mark.parametrize("line", [wire.INPUT_TRIGGER_A, wire.INPUT_TRIGGER_B])
def test_it_lets_no_third_stroke_pass_without_trigger(line: int) -> None:
    alone = Alone(RUN).begun()
    for _ in range(3):
        alone.board.levels = HELD - line
        stroke(alone, 2)
        alone.board.levels = HELD
        stroke(alone)
    alone.in_order()
    alone.board.levels = HELD - line
    stroke(alone, 3)
    alone.stopped("STROKES", 12)


@pytest.mark.requirement("SR-10", "SR-14")
def test_a_drive_that_is_fed_on_loses_its_power() -> None:
    """The stroke that was begun is finished; whatever the second one shows, it is the last."""
    alone = Alone(RUN).begun()
    stroke(alone, 3)
    alone.board.deepest_um = 2_061
    stroke(alone)
    alone.stopped("DEPTH", 2_061)
    stroke(alone)
    assert alone.asked() == [("deadman",)]
    stroke(alone)
    assert alone.asked() == [("deadman",), ("enable", False)]
    assert alone.told == [("DEPTH", 2_061)]


@pytest.mark.requirement("SR-10", "SR-14")
def test_time_without_index_in_a_run() -> None:
    """From the last index, or from when the needle was home; 525 ms at 600 a minute."""
    alone = Alone(RUN).begun()
    stroke(alone, us=500_000)
    alone.board.levels |= HOME
    alone.step(500_000)
    alone.board.levels = HELD
    alone.step(525_000)
    alone.in_order()
    alone.step(1)
    alone.stopped("IN_SKIN", 525)


@pytest.mark.requirement("SR-10", "SR-14")
def test_an_index_in_a_run_is_the_needle_at_home() -> None:
    alone = Alone(RUN).begun()
    alone.step(525_000)
    alone.in_order()
    stroke(alone, us=100_000)
    alone.step(525_000)
    alone.in_order()
    alone.step(1_000)
    alone.stopped("IN_SKIN", 526)


@pytest.mark.requirement("SR-10", "SR-05")
@pytest.mark.parametrize("sign", [1, -1])
def test_each_eighth_stroke_the_plunger_stands_in_a_run(sign: int) -> None:
    alone = Alone(RUN).begun()
    alone.board.counts += 160 * sign
    stroke(alone, 15)
    alone.in_order()
    alone.board.counts += sign
    alone.in_order()
    stroke(alone)
    alone.stopped("OVER_DELIVERY", 161)


@pytest.mark.requirement("SR-35")
def test_a_flat_cell_in_a_run() -> None:
    alone = Alone(RUN).begun()
    alone.board.mv = limits.BATTERY_CUTOFF_MV - 1
    stroke(alone, 15)
    alone.in_order()
    stroke(alone)
    alone.stopped("BATTERY", 2_899)


@pytest.mark.requirement("SR-13")
def test_an_altered_bound_is_found_at_the_next_stroke() -> None:
    alone = Alone(RUN).begun()
    alone.safety.bounds.values[safety._LEAST] ^= 1
    stroke(alone)
    alone.stopped("SELF_TEST", wire.CHECK_MEMORY)


def test_the_dead_man_in_a_run() -> None:
    alone = Alone(RUN).begun()
    alone.step(62_499)
    assert alone.asked() == []
    alone.step(1)
    assert alone.asked() == [("deadman",)]
    alone.step(62_499)
    assert alone.asked() == []


# --- What is asked for, and when --------------------------------------------------------------------------


@pytest.mark.requirement("SR-13", "SR-14", "SR-28")
def test_how_a_dose_is_armed() -> None:
    """Pulses without permit, power under load, nothing else; each for its time."""
    alone = Alone(DOSE)
    alone.asked()
    alone.safety.arm(list(DOSE), wire.PREPARE)
    assert alone.step(5_000) == 0
    assert alone.asked() == []
    assert alone.step(5_000) == 3_000
    assert alone.asked() == [("feed", [7, 12_500], 1, False)]
    assert alone.step(2_999) == 1
    assert alone.asked() == []
    assert alone.step(1) == 50_000
    assert alone.asked() == [("stop",), ("enable", True)]
    assert alone.step(49_999) == 1
    assert not alone.safety.ready()
    assert alone.step(1) == clock.FOREVER
    assert alone.asked() == [("enable", False)]
    assert alone.safety.ready()
    assert alone.step(1_000) == clock.FOREVER
    alone.safety.power()
    assert alone.asked() == [("deadman",), ("enable", True)]
    alone.safety.permit()
    assert alone.asked() == [("permit", True, False)]
    assert alone.step(0) == LOOK_US
    assert not alone.safety.ready()


def test_how_a_run_is_armed() -> None:
    alone = Alone(RUN)
    alone.asked()
    alone.safety.arm(list(RUN), wire.PREPARE_RUN)
    assert (alone.step(), alone.step()) == (0, 50_000)
    assert alone.step(50_000) == clock.FOREVER
    assert alone.asked() == [("enable", True), ("enable", False)]
    assert alone.safety.ready()


@pytest.mark.requirement("SR-13", "SR-28")
@pytest.mark.parametrize("made", [1, -1])
def test_a_pulse_that_was_made_without_permit(made: int) -> None:
    alone = Alone(DOSE)
    alone.safety.arm(list(DOSE), wire.PREPARE)
    alone.step()
    alone.step()
    alone.board.plunger.steps += made
    alone.asked()
    assert alone.step(3_000) == clock.FOREVER
    alone.stopped("PERMIT", made)
    assert alone.safety.ready()


@pytest.mark.requirement("SR-35")
@pytest.mark.parametrize(("mv", "reason"), [(3_250, wire.REASON_COMPLETE), (3_249, wire.REASON_BATTERY)])
def test_the_border_of_the_cell_under_load(mv: int, reason: int) -> None:
    alone = Alone(DOSE)
    alone.board.mv = mv
    alone.armed()
    assert (alone.safety.reason, alone.told) == (reason, [("BATTERY", mv)] if reason else [])


@pytest.mark.requirement("SR-10", "SR-14")
def test_no_power_but_for_what_was_armed_once() -> None:
    alone = Alone(DOSE)
    alone.asked()
    alone.safety.power()
    alone.safety.permit()
    assert alone.asked() == []
    alone.begun()
    alone.safety.power()
    assert alone.asked() == []
    alone.safety.rest()
    assert alone.asked() == [("permit", False, False), ("enable", False)]
    assert alone.step(LOOK_US) == clock.FOREVER
    alone.safety.power()
    alone.safety.permit()
    assert alone.asked() == []


@pytest.mark.requirement("SR-10", "SR-14")
def test_no_permit_before_a_dose_in_a_run_or_after_a_stop() -> None:
    for alone in (Alone(DOSE).armed(), Alone(RUN).begun()):
        alone.safety.permit()
        assert alone.asked() == []
    alone = Alone(DOSE).begun()
    alone.board.um = 9_999
    looked(alone)
    alone.stopped("DEPTH", 9_999)
    alone.safety.permit()
    assert alone.asked() == []


@pytest.mark.requirement("SR-10", "SR-27")
@pytest.mark.parametrize("request_", [DOSE, RUN], ids=["dose", "run"])
def test_stop_ends_whatever_is_tried_or_moves(request_: Any) -> None:
    alone = Alone(request_)
    alone.asked()
    alone.safety.halt()  # nothing is armed
    assert (alone.asked(), alone.safety.reason) == ([], wire.REASON_COMPLETE)
    stops = [("permit", False, False), ("stop",)]
    for tried in range(4):
        alone.safety.arm(list(request_), messages.REQUESTS[type(request_)][0])
        for _ in range(tried):
            alone.step()
        alone.asked()
        alone.safety.halt()
        assert (alone.asked(), alone.safety.reason) == (stops, wire.REASON_STOP)
        assert alone.step(3_000) == clock.FOREVER
        assert alone.safety.ready()
        alone.safety.power()
        alone.safety.permit()
        assert alone.asked() == []
        alone.safety.rest()
    alone.begun()
    alone.safety.halt()
    assert alone.asked() == stops + [("park",)] * (request_ is RUN)
    alone.step(LOOK_US)
    alone.safety.permit()
    assert [call for call in alone.asked() if call != ("deadman",)] == []
    assert alone.told == []


@pytest.mark.requirement("SR-10", "SR-28")
def test_a_permit_that_is_up_without_being_given() -> None:
    alone = Alone(DOSE).begun()
    alone.board.levels = HELD | PERMIT
    alone.safety.permit()  # once more, for the next stroke
    assert alone.asked() == [("permit", True, False)]
    alone.safety.forbid()
    alone.asked()
    alone.safety.permit()
    alone.stopped("PERMIT", 0)
    prime = Alone(PRIME).begun()
    prime.safety.permit()
    assert prime.asked() == [("permit", True, True)]


def test_rest_ends_pulses_that_are_being_tried() -> None:
    alone = Alone(DOSE)
    alone.safety.arm(list(DOSE), wire.PREPARE)
    alone.step()
    alone.step()
    alone.asked()
    alone.safety.rest()
    assert alone.asked() == [("stop",), ("permit", False, False), ("enable", False)]
    assert alone.step(3_000) == clock.FOREVER
    assert alone.asked() == []


def test_each_dose_is_watched_anew() -> None:
    """What one dose has used up of looks, credit, counts and time is not the next one's."""
    alone = Alone(DOSE).begun()
    alone.board.pa = 150_001
    alone.board.levels = (HELD - 1) | PERMIT
    looked(alone)
    alone.board.pa = -95_001
    alone.board.mv = 2_899
    looked(alone)
    alone.safety.rest()
    alone.board.mv = 3_800
    alone.board.pa = 0
    alone.board.levels = HELD
    alone.told.clear()
    alone.board.counts += 5_000
    alone.now = tick.add(alone.now, 20_000_000)
    alone.begun()
    assert alone.safety.reason == wire.REASON_COMPLETE
    alone.board.pa = 150_001
    alone.board.levels = (HELD - 1) | PERMIT
    alone.board.counts += 222
    looked(alone)
    alone.board.pa = -95_001
    alone.board.levels = HELD
    looked(alone)
    alone.in_order()


@pytest.mark.requirement("SR-05")
def test_what_is_missing_at_the_end() -> None:
    alone = Alone(DOSE).begun()
    assert alone.safety.missing() == 10_031
    alone.board.counts += 10_030
    assert alone.safety.missing() == 1
    for _ in range(2):
        alone.board.counts += 1
        assert alone.safety.missing() == 0


def test_the_first_reason_stands_and_is_told_once() -> None:
    alone = Alone(DOSE).begun()
    alone.board.um = 9_999
    alone.board.pa = 200_000
    looked(alone, 3)
    alone.stopped("DEPTH", 9_999)


def test_a_loop_overrun_ends_when_the_next_is_armed() -> None:
    alone = Alone(DOSE)
    alone.alarms.late(6_000)
    alone.armed()
    assert alone.alarms.standing == 0


@pytest.mark.parametrize("request_", [DOSE._replace(profile=9), DOSE._replace(zone=99), RUN._replace(zone=99)])
def test_what_no_table_has_is_not_armed(request_: Any) -> None:
    with pytest.raises(ValueError, match=r"(9|99) was prepared and is in no table"):
        Alone(request_).armed()


# --- Its parts ------------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-13")
@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("copy", ["values", "_inverse"])
def test_one_altered_bit_of_a_guarded_variable(at: int, copy: str) -> None:
    guarded = Guarded(3)
    assert (guarded.values, guarded.whole()) == ([0, 0, 0], True)
    for i in range(3):
        guarded.put(i, 1000 * i - 7)
    assert (guarded.values, guarded.whole()) == ([-7, 993, 1993], True)
    getattr(guarded, copy)[at] ^= 1 << 29
    assert not guarded.whole()
    guarded.put(at, 5)
    assert (guarded.values[at], guarded.whole()) == (5, True)


CHECKS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "pressure": ({"pa": 150_000}, {"pa": 150_001}, wire.CHECK_PRESSURE),
    "vacuum": ({"pa": -95_000}, {"pa": -95_001}, wire.CHECK_PRESSURE),
    "carrier": ({"levels": HOME}, {"levels": HOME, "um": 1}, wire.CHECK_CARRIER),
    "carrier out": ({"um": 1_500}, {"um": 1_500, "levels": HOME}, wire.CHECK_CARRIER),
    "permit": ({"levels": HOME}, {"levels": HOME | PERMIT}, wire.CHECK_PERMIT),
    "program": ({}, {"program": False}, wire.CHECK_PROGRAM),
    "battery low": ({"mv": 2_000}, {"mv": 1_999}, wire.CHECK_BATTERY),
    "battery high": ({"mv": 6_000}, {"mv": 6_001}, wire.CHECK_BATTERY),
    "two": ({}, {"mv": 6_001, "program": False}, wire.CHECK_BATTERY | wire.CHECK_PROGRAM),
}


@pytest.mark.requirement("SR-12", "SR-13")
@pytest.mark.parametrize("name", CHECKS)
def test_the_borders_of_the_self_test(name: str) -> None:
    within, beyond, bits = CHECKS[name]
    alone = Alone()
    time = clock.Clock(0)
    test = SelfTest(alone.board, time, alone.safety.bounds, alone.alarms)
    assert (test.failed, test.count, test.ran_ms) == (0, 0, 0)
    vars(alone.board).update(within)
    time.update(7_000)
    test.run()
    assert (test.failed, test.count, test.ran_ms, alone.told) == (0, 1, 7, [])
    vars(alone.board).update(beyond)
    time.update(9_000)
    test.run()
    assert (test.failed, test.count, test.ran_ms, alone.told) == (bits, 2, 9, [("SELF_TEST", bits)])
    test.count = 0xFFFF
    time.update(11_000)
    test.run()
    assert test.count == 0xFFFF


@pytest.mark.requirement("SR-13")
def test_the_self_test_looks_at_the_safety_variables() -> None:
    alone = Alone()
    alone.safety.bounds.values[6] ^= 1
    test = SelfTest(alone.board, clock.Clock(0), alone.safety.bounds, alone.alarms)
    test.run()
    assert alone.told == [("SELF_TEST", wire.CHECK_MEMORY)]


@pytest.mark.requirement("SR-35")
@pytest.mark.parametrize(
    ("mv", "good", "low"), [(3_450, True, False), (3_449, True, True), (3_250, True, True), (3_249, False, True)]
)
def test_the_borders_of_a_cell_at_rest(mv: int, good: bool, low: bool) -> None:
    alarms = Alone().alarms
    assert battery.allows(mv, alarms) is good
    assert alarms.standing == (1 << wire.ALARM_BATTERY_LOW if low else 0)
    battery.allows(limits.BATTERY_LOW_MV, alarms)
    assert alarms.standing == 0


# --- In homing, and in a dry run -----------------------------------------------------------------------

HOME_REQUEST = messages.PrepareHome(b"", 0)
AWAY = wire.INPUT_TRIGGER_A | wire.INPUT_TRIGGER_B


def homing() -> Alone:
    alone = Alone(HOME_REQUEST).begun()
    alone.board.levels = AWAY | HOME | PERMIT
    return alone


@pytest.mark.requirement("SR-10", "SR-16")
@pytest.mark.parametrize(
    ("within", "beyond", "name", "value"),
    [
        ({"counts": 1_000 + 160}, {"counts": 1_000 + 161}, "OVER_DELIVERY", 1),
        ({"counts": 1_000 - 140_160}, {"counts": 1_000 - 140_161}, "OVER_DELIVERY", -140_160),
        ({"um": 60}, {"um": 61}, "DEPTH", 61),
    ],
    ids=["forward", "back", "depth"],
)
def test_the_borders_of_homing(within: dict[str, int], beyond: dict[str, int], name: str, value: int) -> None:
    alone = homing()
    vars(alone.board).update(within)
    looked(alone)
    alone.in_order()
    vars(alone.board).update(beyond)
    looked(alone)
    alone.stopped(name, value)


@pytest.mark.requirement("SR-10", "SR-16")
def test_homing_has_a_time_also_with_the_needle_at_home() -> None:
    alone = homing()
    looked(alone, 31_000 // 50)
    assert alone.safety.reason == wire.REASON_COMPLETE
    looked(alone)
    assert alone.safety.reason == wire.REASON_TIME
    assert ("permit", False, False) in alone.asked()


@pytest.mark.requirement("SR-10")
def test_dry_strokes_on_skin_are_stopped() -> None:
    alone = Alone(messages.PrepareDry(b"", 0, 40, 500, 600, 60)).begun()
    alone.board.levels = AWAY
    for _ in range(4):
        alone.board.strokes += 1
        alone.step(100_000)
    assert alone.safety.reason == wire.REASON_COMPLETE
    alone.board.levels = HELD
    for _ in range(2):
        alone.board.strokes += 1
        alone.step(100_000)
    assert alone.safety.reason == wire.REASON_COMPLETE
    alone.board.strokes += 1
    alone.step(100_000)
    assert alone.safety.reason == wire.REASON_STROKES
