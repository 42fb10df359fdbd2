"""What the control path finds by itself, from the press of the trigger to rest: each reason, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesofirmware import signals
from mesoprotocol import limits, messages, wire
from mesosim.lab.enumeration.workloads import PRESS_US, PRIME
from tests.safety.watch import DOSE, IN_DOSE_US, RUN, SMALL, Watch

SERIES = messages.PrepareSeries(b"", 0, 60_000, 1_500, wire.MODE_REPEAT, 1, 6, 0, 20_000, 20, 0)
FAULT_BIT = wire.INPUT_DRIVE_FAULT.bit_length() - 1
HOME_BIT = wire.INPUT_NEEDLE_HOME.bit_length() - 1
PERMIT_BIT = wire.INPUT_PERMIT_PLUNGER.bit_length() - 1
DISPENSED_US = PRESS_US + 140_000 + 5_000_000
"""After COMMIT: the last of DOSE's 100 ul leaves the syringe at 20 ul/s."""

Act = Callable[[Watch], None]


def meddle(call: str, kind: str, first: int = 0, count: int = 0, value: int | None = None) -> Act:
    return lambda host: host.world.meddle().add(call, kind, first, count, value)


def control(name: str, value: Any) -> Act:
    return lambda host: host.world.control(name, value)


def symbol(name: str, value: float) -> Act:
    return control("set", (name, round(value * 1000)))


def move(host: Watch, bit: int, on: bool) -> None:
    """A hand of the test's own; the firmware looks at once."""
    host.world.targets.move(host.world._t, bit, on)
    host.world._wake()


# --- Armed ----------------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-13", "SR-28")
def test_a_press_that_comes_at_once_waits_for_the_tries_of_permit_and_power() -> None:
    host = Watch().opened()
    host.world.control("present", 0)
    host.rest(1_000_000)
    pressed: list[int] = []

    def press() -> None:
        move(host, wire.INPUT_TRIGGER_A, True)
        move(host, wire.INPUT_TRIGGER_B, True)
        pressed.append(host.account()["plunger_steps"])
        host.rest(40_000)
        pressed.append(host.account()["plunger_steps"])

    dose = host.try_dose(PRIME, 0, press)
    assert pressed == [dose.before["plunger_steps"]] * 2
    assert dose.outcome.reason == wire.REASON_COMPLETE


@pytest.mark.requirement("SR-11", "SR-18")
@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (control("syringe", 0), wire.REASON_SYRINGE),
        (meddle("inputs", "flipped_bit", value=FAULT_BIT), wire.REASON_DRIVE_FAULT),
        (meddle("inputs", "flipped_bit", value=HOME_BIT), wire.REASON_DRIVE_FAULT),
    ],
    ids=["syringe", "drive", "needle home"],
)
def test_what_is_missing_at_the_press_moves_nothing(act: Act, reason: int) -> None:
    host = Watch().primed()
    dose = host.try_dose(SMALL, 300_000, lambda: act(host))
    assert dose.outcome.reason == reason
    assert (dose.outcome.upper_nl, dose.outcome.duration_ms) == (0, 0)
    assert host.account()["plunger_steps"] == dose.before["plunger_steps"]
    assert host.account()["punctures"] == dose.before["punctures"]


@pytest.mark.requirement("SR-15")
@pytest.mark.parametrize("at", [0, 12, 21], ids=["id", "volume", "steps"])
def test_a_request_that_was_altered_while_armed_is_not_begun(at: int) -> None:
    """Not the values read from it, but the bytes of request and plan that are bound to its CRC."""
    host = Watch().primed()

    def alter() -> None:
        host.app._transaction.plan._bound[at] ^= 1

    dose = host.try_dose(DOSE, 300_000, alter)
    assert dose.outcome.reason == wire.REASON_SELF_TEST
    assert host.account()["plunger_steps"] == dose.before["plunger_steps"]


# --- In a dose ------------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-14", "SR-28")
@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (meddle("inputs", "flipped_bit", value=FAULT_BIT), wire.REASON_DRIVE_FAULT),
        (meddle("inputs", "flipped_bit", value=PERMIT_BIT), wire.REASON_PERMIT),
    ],
    ids=["drive", "permit"],
)
def test_an_input_that_says_so_ends_a_dose(act: Act, reason: int) -> None:
    host = Watch().primed()
    dose = host.try_dose(DOSE, IN_DOSE_US, lambda: act(host))
    assert dose.outcome.reason == reason
    assert host.told[0].t_us - host.began_us <= 200_000
    assert host.account()["plunger_steps"] == host.told[0].account["plunger_steps"]
    assert host.account()["needle_home"]


@pytest.mark.requirement("SR-05", "SR-14")
def test_steps_that_were_fed_and_not_made_are_found() -> None:
    """The last batch: none comes after it whose beginning shows that it is missing."""
    host = Watch().primed()
    lost = meddle("plunger.feed", "dropped")
    dose = host.try_dose(DOSE, DISPENSED_US - 350_000, lambda: lost(host))
    assert dose.outcome.reason == wire.REASON_ENCODER
    assert dose.outcome.lower_nl <= host.account()["tip_nl"] - dose.before["tip_nl"] <= dose.outcome.upper_nl
    assert dose.outcome.upper_nl < DOSE.volume_nl


@pytest.mark.requirement("SR-05", "SR-14")
def test_counts_that_part_after_the_last_step_are_found() -> None:
    host = Watch().primed()
    dose = host.try_dose(DOSE, DISPENSED_US + 300_000, lambda: symbol("encoder.slip_counts", 200)(host))
    assert dose.outcome.reason == wire.REASON_ENCODER
    assert not dose.outcome.flags & wire.FLAG_EXACT
    assert dose.outcome.lower_nl == 0
    assert dose.outcome.upper_nl >= host.account()["tip_nl"] - dose.before["tip_nl"]


@pytest.mark.requirement("SR-06", "SR-07")
@pytest.mark.parametrize(
    ("before_us", "reason", "drips"),
    [(150_000, wire.REASON_OCCLUSION, False), (10_000, wire.REASON_COMPLETE, True)],
    ids=["occlusion", "drip"],
)
def test_pressure_that_does_not_fall_in_the_end(before_us: int, reason: int, drips: bool) -> None:
    """Blocked too late for what is stored to show while it dispenses; the needle waits five seconds for it."""
    host = Watch().primed()
    dose = host.try_dose(DOSE, DISPENSED_US - before_us, lambda: host.world.control("blocked", 1))
    assert dose.outcome.reason == reason
    assert bool(dose.outcome.flags & wire.FLAG_DRIP) == drips
    assert dose.outcome.duration_ms >= 5_000 + limits.SETTLE_MAX_MS
    assert dose.outcome.lower_nl <= host.account()["tip_nl"] - dose.before["tip_nl"] <= dose.outcome.upper_nl


@pytest.mark.requirement("SR-07")
def test_what_is_stored_when_the_needle_leaves_may_drip_though_it_has_gone_at_rest() -> None:
    host = Watch().primed()

    def block() -> None:
        host.world.control("blocked", 1)
        host._act, host._act_us = free, host.t_us + limits.SETTLE_MAX_MS * 1000 + 160_000

    def free() -> None:
        assert host.account()["needle_home"]
        host.world.control("blocked", 0)

    dose = host.try_dose(DOSE, DISPENSED_US - 10_000, block)
    assert dose.outcome.reason == wire.REASON_COMPLETE
    assert dose.outcome.flags & wire.FLAG_DRIP
    assert dose.outcome.duration_ms < 5_000 + 2 * limits.SETTLE_MAX_MS - 2_000, "it has come to rest"
    assert dose.outcome.lower_nl <= host.account()["tip_nl"] - dose.before["tip_nl"] <= dose.outcome.upper_nl


@pytest.mark.requirement("SR-07", "SR-14")
def test_a_relief_has_an_end() -> None:
    """The plunger never reports that it has gone back."""
    host = Watch().primed()

    def block() -> None:
        host.world.control("blocked", 1)
        host.world.meddle().add("plunger.busy", "stuck", 0, 0, 1)

    dose = host.try_dose(DOSE, IN_DOSE_US, block)
    assert dose.outcome.reason == wire.REASON_OCCLUSION
    assert dose.outcome.duration_ms <= 3_000 + 3 * limits.SETTLE_MAX_MS
    assert not host.account()["moving"]
    assert host.account()["needle_home"]


@pytest.mark.requirement("SR-29")
@pytest.mark.parametrize("request_", [DOSE, RUN], ids=["dose", "run"])
def test_a_needle_that_does_not_come_home_after_a_stop_keeps_the_stops_reason(request_: Any) -> None:
    host = Watch().primed()

    def stop() -> None:
        host.world.control("set", ("drive.torque_mnm", 0))
        host.stop()

    dose = host.try_dose(request_, IN_DOSE_US, stop)
    assert dose.outcome.reason == wire.REASON_STOP
    assert not dose.outcome.flags & wire.FLAG_NEEDLE_HOME
    assert host.do(messages.Status()).latches & wire.LATCH_NEEDLE_NOT_HOME


@pytest.mark.requirement("SR-25", "SR-34")
def test_an_end_that_cannot_be_written_refuses_therapy_until_the_next_boot() -> None:
    host = Watch().primed()
    fails = meddle("store.write", "stuck")
    dose = host.try_dose(SMALL, PRESS_US + 140_000 + 1_000_000 + 400_000, lambda: fails(host))
    assert dose.outcome.dose_state == wire.DOSE_FORGOTTEN
    assert "LEDGER_CORRUPT" in [told.name for told in host.told]
    assert host.ask(SMALL._replace(dose_id=b"another!", n=host.next_n)).status != wire.S_OK
    host.world.meddle().clear()
    host.world.control("reset", 1)
    host.rest(1_000_000)
    host.open()
    entry = host.do(messages.Ledger(dose.request.n))
    assert entry.dose_state == wire.DOSE_INTERRUPTED
    assert entry.lower_nl <= host.account()["tip_nl"] - dose.before["tip_nl"] <= entry.upper_nl


# --- Held -----------------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-09", "SR-11")
def test_one_line_alone_does_not_go_on_with_what_is_held() -> None:
    host = Watch().primed()
    host.world.control("release_after_us", 900_000)
    host.world.control("press_again_us", 400_000)
    dose = host.try_dose(RUN, 1_000_000, lambda: host.world.control("one_line", 1))
    assert dose.outcome.reason == wire.REASON_TRIGGER_DISAGREE
    assert dose.outcome.strokes == host.account()["punctures"] - dose.before["punctures"] < RUN.strokes


@pytest.mark.requirement("SR-06", "SR-11")
@pytest.mark.parametrize("pressed_us", [900_000, 1_200_000], ids=["way out", "rest"])
def test_a_trigger_released_after_an_occlusion_holds_nothing(pressed_us: int) -> None:
    """It has ended, though pressure and plunger do not rest yet: its needle does not go in again."""
    host = Watch().primed()
    host.world.control("release_after_us", pressed_us)
    host.world.control("press_again_us", 400_000)
    dose = host.try_dose(SERIES, 1_100_000, lambda: host.world.control("blocked", 1))
    assert (host.told[0].name, dose.outcome.reason) == ("OCCLUSION", wire.REASON_OCCLUSION)
    assert host.told[0].t_us - host.began_us < PRESS_US + pressed_us - 1_100_000
    assert signals.LIGHT_HELD not in host.lights
    assert host.account()["punctures"] == host.told[0].account["punctures"]


# --- In a run -------------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-11")
def test_contact_may_bounce_in_a_run() -> None:
    host = Watch().opened()

    def lift() -> None:
        move(host, wire.INPUT_CONTACT, False)
        host.rest(150_000)
        move(host, wire.INPUT_CONTACT, True)

    dose = host.try_dose(RUN, IN_DOSE_US, lift)
    assert (dose.outcome.reason, dose.outcome.strokes) == (wire.REASON_COMPLETE, RUN.strokes)


@pytest.mark.requirement("SR-11")
def test_a_run_is_held_when_contact_was_away_for_two_strokes() -> None:
    host = Watch().opened()
    host.world.control("lift_after_us", 1_000_000)
    dose = host.try_dose(RUN)
    assert dose.outcome.reason == wire.REASON_HELD_TIMEOUT
    assert 0 < dose.outcome.strokes < RUN.strokes
    # none goes into skin that is not there, and the two that are waited for are counted
    assert dose.outcome.strokes - 3 <= host.account()["punctures"] < dose.outcome.strokes
    assert host.account()["needle_home"]


@pytest.mark.requirement("SR-31")
def test_strokes_that_the_index_has_not_seen_are_missing() -> None:
    """The last one: none comes after it by which it would be found misplaced."""
    host = Watch().opened()
    dose = host.try_dose(RUN, 4_690_000, lambda: host.world.control("index_dead", 1))
    assert dose.outcome.reason == wire.REASON_STROKES
    assert not dose.outcome.flags & wire.FLAG_EXACT
    assert dose.outcome.strokes == host.account()["punctures"] == RUN.strokes


@pytest.mark.requirement("SR-31")
@pytest.mark.parametrize("late_us", [2_000, -2_000])
def test_the_worst_interval_is_told_whichever_way_it_deviates(late_us: int) -> None:
    """The last that counts: after it the drive comes to rest, and no interval makes up for it."""
    worst = []
    for act in (None, meddle("index_tick", "spike", RUN.strokes - 2, 1, late_us)):
        host = Watch().opened()
        if act:
            act(host)
        dose = host.try_dose(RUN)
        assert dose.outcome.reason == wire.REASON_COMPLETE
        worst.append(dose.outcome.worst_interval_us)
    assert worst[0] < 100
    assert worst[1] == pytest.approx(2_000, abs=100)


# --- In homing ------------------------------------------------------------------------------------------

HOME = messages.PrepareHome(b"", 0)


def both(one: Act, other: Act) -> Act:
    return lambda host: [act(host) for act in (one, other)] and None


@pytest.mark.requirement("SR-14")
@pytest.mark.parametrize(
    ("act", "reason", "most_ms"),
    [
        (meddle("depth.busy", "stuck", value=1), wire.REASON_DRIVE_FAULT, 2_000),
        (meddle("inputs", "flipped_bit", value=9), wire.REASON_DRIVE_FAULT, 2_000),
        (meddle("drive.busy", "stuck", value=1), wire.REASON_NEEDLE_NOT_HOME, 4_000),
        (meddle("plunger.position", "stuck"), wire.REASON_ENCODER, 30_000),
        (both(meddle("plunger.position", "stuck"), meddle("plunger.busy", "stuck", value=1)), wire.REASON_TIME, 35_000),
    ],
    ids=["depth stop", "its switch", "drive", "carriage", "batch"],
)
def test_an_axis_whose_homing_does_not_end_has_its_deadline(act: Act, reason: int, most_ms: int) -> None:
    host = Watch().opened()
    host.world.control("syringe", 0)
    host.world.control("cartridge", 0)
    dose = host.try_dose(HOME, 500_000, lambda: act(host))
    assert dose.outcome.reason == reason
    assert dose.outcome.duration_ms <= most_ms
    assert not host.account()["moving"]
    assert host.account()["needle_home"]


@pytest.mark.requirement("SR-02")
def test_a_needle_that_cannot_be_drawn_by_a_step_stays_where_it_is() -> None:
    """5 um from the least depth: less than a step of the depth stop."""
    host = Watch().primed()
    dose = host.try_dose(DOSE._replace(mode=wire.MODE_RETROGRADE, depth_um=505))
    assert dose.outcome.reason == wire.REASON_COMPLETE
    assert dose.outcome.worst_depth_um <= limits.DEPTH_TOLERANCE_UM
