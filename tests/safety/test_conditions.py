"""Each condition of the safety channel alone stops a dose or run, which ends as planned without it.

Where the control path has a look of its own at the same thing, that one is blinded first: the alarm is the channel's.
The plant says what moved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesofirmware import safety
from mesoprotocol import limits, messages, wire
from mesosim.lab.enumeration.host import Unexpected
from tests.safety.still import Alone
from tests.safety.watch import DOSE, IN_DOSE_US, RUN, SMALL, Watch

SIGNAL_US = 200_000
OVERHEAD_NL = 250
BEFORE_NL = 2_000
"""What may leave the needle from compliance after the plunger stood, of a dose that was stopped."""


def symbol(name: str, value: float) -> Callable[[Watch], None]:
    return lambda host: host.world.control("set", (name, round(value * 1000)))


def meddle(call: str, kind: str, count: int, value: int) -> Callable[[Watch], None]:
    return lambda host: host.world.meddle().add(call, kind, 0, count, value)


def altered(host: Watch) -> None:
    host.app._safety.bounds.values[2] += 1


def steps_that_nobody_asked_for(host: Watch) -> None:
    """The last batches have 2,048 steps more: the control path sees carriage and steps agree, and all made."""
    host.world.meddle().add("plunger.feed", "flipped_bit", 0, 1, 12)


def no_end_of_the_way_in(host: Watch) -> None:
    """The control path never sees that the needle is in, and has lost its own time limit."""
    host.app._transaction.metered._limit_us = 1 << 28
    host.world.meddle().add("drive.room", "stuck", 0, 0, 0)


def no_index(host: Watch) -> None:
    """The drive turns on, no index comes, and the control path has lost its own time limit."""
    host.app._transaction.fractional._limit_us = 1 << 28
    host.world.control("index_dead", 1)
    host.world.meddle().add("inputs", "flipped_bit", 0, 0, 6)


IN_A_DOSE = {
    "too fast": (DOSE, IN_DOSE_US, meddle("plunger.feed", "flipped_bit", 0, 30 + 12), "OVER_DELIVERY"),
    "too far": (SMALL, 1_700_000, steps_that_nobody_asked_for, "OVER_DELIVERY"),
    "pressure high": (DOSE, 500_000, symbol("sensor.pressure.offset_pa", 200_000), "PRESSURE"),
    "pressure impossible": (DOSE, 500_000, symbol("sensor.pressure.offset_pa", -200_000), "SENSOR"),
    "deeper than the zone": (DOSE._replace(depth_um=4_000), IN_DOSE_US, symbol("depth.offset_um", 200), "DEPTH"),
    "battery flat": (DOSE, IN_DOSE_US, symbol("battery.charge_permille", 0), "BATTERY"),
    "memory altered": (DOSE, IN_DOSE_US, altered, "SELF_TEST"),
    "permit up before": (DOSE, 700_000, meddle("inputs", "flipped_bit", 0, 8), "PERMIT"),
}
"""Request, when after COMMIT, what happens, and the alarm."""

BORDERS = {
    "pressure below the maximum": (500_000, symbol("sensor.pressure.offset_pa", 90_000)),
    "pressure above the vacuum": (500_000, symbol("sensor.pressure.offset_pa", -80_000)),
    "deeper, but not than the zone": (IN_DOSE_US, symbol("depth.offset_um", 200)),
    "battery low": (IN_DOSE_US, symbol("battery.charge_permille", 20)),
    "one wrong look at the pressure": (IN_DOSE_US, meddle("pressure_pa", "spike", 1, 300_000)),
}


@pytest.mark.requirement("SR-04", "SR-05", "SR-06", "SR-10", "SR-13", "SR-16", "SR-19", "SR-35")
@pytest.mark.parametrize("name", IN_A_DOSE)
def test_each_condition_alone_stops_a_dose(name: str) -> None:
    request, after_us, happens, alarm = IN_A_DOSE[name]
    host = Watch().primed()
    dose = host.try_dose(request, after_us, lambda: happens(host))
    told = host.told[0]
    assert told.name == alarm
    assert messages.ALARM_NAMES[wire.ALARM_OF_REASON[dose.outcome.reason]] == alarm
    # motion has stopped before it is told, and for good
    assert host.account()["plunger_steps"] == told.account["plunger_steps"]
    assert host.account()["needle_home"]
    if name in ("memory altered", "deeper than the zone"):
        assert told.t_us - host.began_us <= SIGNAL_US
    assert host.do(messages.Status()).latches
    assert host.ask(request._replace(dose_id=b"another!", n=host.next_n)).status == wire.S_LATCHED
    tip_nl = host.account()["tip_nl"] - dose.before["tip_nl"]
    assert tip_nl <= request.volume_nl + max(request.volume_nl // 10, limits.OVER_NL) + BEFORE_NL


@pytest.mark.requirement("SR-05")
@pytest.mark.parametrize("name", BORDERS)
def test_what_is_within_its_border_does_not(name: str) -> None:
    after_us, happens = BORDERS[name]
    host = Watch().primed()
    dose = host.try_dose(DOSE, after_us, lambda: happens(host))
    assert (dose.outcome.reason, host.told) == (wire.REASON_COMPLETE, [])


@pytest.mark.requirement("SR-05", "SR-16")
def test_a_runaway_is_told_within_100_ms_of_two_microlitres() -> None:
    host = Watch().primed()
    host.try_dose(DOSE, IN_DOSE_US, lambda: IN_A_DOSE["too fast"][2](host))
    told = host.told[0]
    profile = limits.PROFILES[0]
    ran_us = told.t_us - host.began_us
    pushed_nl = (
        (told.account["plunger_steps"] - host.doses[-1].before["plunger_steps"])
        * profile[limits.PROFILE_PL_PER_STEP]
        // 1000
    )
    # what a dose in order has pushed by then, from 890 ms after COMMIT on
    due_nl = (IN_DOSE_US - 890_000 + ran_us) * profile[limits.PROFILE_FLOW_NL_PER_S] // 1_000_000
    assert pushed_nl - due_nl <= limits.OVER_NL + 100 * 28


@pytest.mark.requirement("SR-10", "SR-14")
def test_the_needle_is_not_left_in_skin_by_a_control_path_that_waits() -> None:
    host = Watch().primed()
    host.try_dose(SMALL, 850_000, lambda: no_end_of_the_way_in(host))
    assert host.told[0].name == "IN_SKIN"
    assert 7_000 <= host.told[0].event.value <= 9_000
    assert host.account()["needle_home"]


IN_A_RUN = {
    "deeper than the zone": (RUN._replace(depth_um=2_000), symbol("depth.offset_um", 400), "DEPTH"),
    "the carriage moves": (RUN, symbol("encoder.slip_counts", 300), "OVER_DELIVERY"),
    "battery flat": (RUN, symbol("battery.charge_permille", 0), "BATTERY"),
    "memory altered": (RUN, altered, "SELF_TEST"),
}


@pytest.mark.requirement("SR-10", "SR-19", "SR-31")
@pytest.mark.parametrize("name", IN_A_RUN)
def test_each_condition_alone_stops_a_run(name: str) -> None:
    request, happens, alarm = IN_A_RUN[name]
    host = Watch().opened()
    dose = host.try_dose(request, IN_DOSE_US, lambda: happens(host))
    assert host.told[0].name == alarm
    assert dose.outcome.reason != wire.REASON_COMPLETE
    assert dose.outcome.strokes < request.strokes
    assert host.account()["needle_home"]


@pytest.mark.requirement("SR-10", "SR-14")
def test_a_drive_without_index_is_parked_although_the_control_path_waits() -> None:
    host = Watch().opened()
    with pytest.raises(Unexpected, match="no end"):
        host.try_dose(RUN, IN_DOSE_US, lambda: no_index(host))
    assert [told.name for told in host.told] == ["IN_SKIN"]
    assert 500 <= host.told[0].event.value <= 700
    assert not host.account()["moving"]
    assert host.account()["needle_home"]


@pytest.mark.requirement("SR-14")
@pytest.mark.parametrize(
    ("request_", "reason"), [(DOSE, wire.REASON_TIME), (RUN, wire.REASON_DRIVE_FAULT)], ids=["dose", "run"]
)
def test_a_depth_stop_that_does_not_arrive_has_its_deadline(request_: Any, reason: int) -> None:
    host = Watch().primed()
    host.world.meddle().add("depth.busy", "stuck", 0, 0, 1)
    dose = host.try_dose(request_)
    assert dose.outcome.reason == reason
    assert dose.outcome.duration_ms <= 7_000
    assert host.account()["punctures"] == dose.before["punctures"]
    assert host.account()["plunger_steps"] == dose.before["plunger_steps"]


@pytest.mark.parametrize("request_", [DOSE, RUN], ids=["dose", "run"])
def test_nothing_is_told_of_what_is_in_order(request_: messages.Prepare | messages.PrepareRun) -> None:
    host = Watch().primed()
    assert host.try_dose(request_).outcome.reason == wire.REASON_COMPLETE
    assert host.told == []
    assert host.alarms().overruns == 0


@pytest.mark.requirement("SR-05")
def test_a_carriage_that_lags_is_an_under_delivery() -> None:
    """With the channel's own bound set higher than the dose: the control path finds nothing wrong."""
    host = Watch().primed()
    dose = host.try_dose(SMALL, IN_DOSE_US, lambda: host.app._safety.bounds.put(safety._LEAST, 2_400))
    assert (host.told[0].name, dose.outcome.reason) == ("UNDER_DELIVERY", wire.REASON_UNDER_DELIVERY)
    assert 100 <= host.told[0].event.value <= 250


@pytest.mark.requirement("SR-16")
def test_bounds_in_counts_follow_from_the_bore() -> None:
    """By another formula than the schema's volume a count: they agree within a thousandth."""
    host = Watch().primed()
    host.try_dose(DOSE)
    per_count = limits.PROFILES[0][limits.PROFILE_PL_PER_COUNT]
    bounds = host.app._safety.bounds.values
    assert bounds[safety._MOST] == pytest.approx(110_000_000 / per_count, rel=1e-3)
    assert bounds[safety._LEAST] == pytest.approx(90_000_000 / per_count, rel=1e-3)
    assert bounds[safety._SLACK] == pytest.approx(2_000_000 / per_count, rel=5e-3)
    assert bounds[safety._RATE] == pytest.approx(1.1 * 20_000_000 / per_count, rel=2e-3)


# --- When a dose is armed -------------------------------------------------------------------------------


@pytest.mark.requirement("SR-13", "SR-28")
def test_pulses_without_permit_refuse_a_dose_before_there_is_power() -> None:
    host = Watch().primed()
    # the count of pulses that were made is read before and after; the third reading is the one after
    host.world.meddle().add("plunger.position", "spike", 2, 1, 4)
    dose = host.try_dose(DOSE)
    assert (host.told[0].name, dose.outcome.reason) == ("PERMIT", wire.REASON_PERMIT)
    assert host.account()["plunger_steps"] == dose.before["plunger_steps"]


@pytest.mark.requirement("SR-35")
def test_a_cell_that_gives_way_under_load_refuses_a_dose() -> None:
    host = Watch().primed()
    symbol("battery.resistance_mohm", 800)(host)
    dose = host.try_dose(DOSE)
    assert (host.told[0].name, dose.outcome.reason) == ("BATTERY", wire.REASON_BATTERY)
    assert host.account()["plunger_steps"] == dose.before["plunger_steps"]


@pytest.mark.requirement("SR-35")
@pytest.mark.parametrize(
    ("permille", "status", "alarm"), [(0, wire.S_BATTERY, 1), (46, wire.S_OK, 1), (80, wire.S_OK, 0)]
)
def test_an_empty_cell_refuses_and_a_low_one_is_said(permille: int, status: int, alarm: int) -> None:
    host = Watch().primed()
    symbol("battery.charge_permille", permille)(host)
    request = DOSE._replace(dose_id=b"another!", n=host.next_n)
    assert host.ask(request).status == status
    assert host.alarms().standing >> wire.ALARM_BATTERY_LOW & 1 == alarm
    assert host.do(messages.Status()).latches == 0
    symbol("battery.charge_permille", 800)(host)
    host.rest(6_000_000)
    host.ask(request._replace(dose_id=b"athird!!"))
    assert host.alarms().standing == 0


@pytest.mark.requirement("SR-15")
@pytest.mark.parametrize("field", [wire.PREPARE_VOLUME_NL, wire.PREPARE_DEPTH_UM, wire.PREPARE_ZONE])
def test_a_plan_that_was_altered_in_memory_is_not_armed(field: int) -> None:
    host = Watch().primed()
    request = DOSE._replace(dose_id=b"another!", n=host.next_n)
    plan = host.do(request)
    assert host.hello
    now = host.do(messages.Sync()).time & 0x3FFFFFFF
    commit = messages.Commit(request.dose_id, plan.plan_crc, host.hello.boot_id, now + 1_000_000)
    args = host.app._transaction.plan.args
    args[field] ^= 1
    assert host.ask(commit).status == wire.S_PLAN_MISMATCH
    args[field] ^= 1
    assert host.ask(commit).status == wire.S_OK


@pytest.mark.requirement("SR-15")
@pytest.mark.parametrize("field", [wire.PREPARE_VOLUME_NL, wire.PREPARE_DEPTH_UM])
@pytest.mark.parametrize("request_", [DOSE, RUN], ids=["dose", "run"])
def test_a_plan_that_was_altered_while_armed_is_not_begun(request_: Any, field: int) -> None:
    host = Watch().primed()

    def alter() -> None:
        host.app._transaction.plan.args[field] ^= 1

    dose = host.try_dose(request_, 0, alter)
    assert (host.told[0].name, dose.outcome.reason) == ("SELF_TEST", wire.REASON_SELF_TEST)
    assert host.account()["plunger_steps"] == dose.before["plunger_steps"]
    assert host.account()["punctures"] == dose.before["punctures"]


@pytest.mark.requirement("SR-18", "SR-21")
def test_a_syringe_that_is_changed_while_armed_is_not_dosed_unprimed() -> None:
    host = Watch().primed()
    before = host.account()

    def changed() -> None:
        host.world.plant.set_input(host.world._t, wire.INPUT_SYRINGE, False)
        host.world.hand._plan(host.t_us + 100_000, wire.INPUT_SYRINGE, True)

    dose = host.try_dose(SMALL, 100_000, changed)
    assert dose.outcome is not None and dose.outcome.reason == wire.REASON_SYRINGE
    assert host.account()["plunger_steps"] == before["plunger_steps"]


@pytest.mark.requirement("SR-29")
@pytest.mark.parametrize("request_", [DOSE, RUN], ids=["dose", "run"])
def test_a_depth_stop_that_stands_elsewhere_lets_no_needle_in(request_: Any) -> None:
    host = Watch().primed()
    host.world.meddle().add("depth.position", "stuck", 0, 0, 7)
    dose = host.try_dose(request_)
    assert dose.outcome.reason == wire.REASON_DRIVE_FAULT
    assert host.account()["punctures"] == dose.before["punctures"]


@pytest.mark.requirement("SR-29")
def test_nothing_is_permitted_and_nothing_has_power_from_the_beginning_on() -> None:
    assert Alone().asked()[-2:] == [("permit", False, False), ("enable", False)]
