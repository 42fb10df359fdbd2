"""Alarms: told when found, before the OUTCOME; shown by priority; standing until cleared; all in the schema."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mesofirmware import signals
from mesoprotocol import messages, wire
from mesoprotocol.generate_schema import load
from mesosim.lab.enumeration.workloads import PRIME
from tests.safety.watch import DOSE, IN_DOSE_US, RUN, Watch

SIGNAL_MS = 200


@pytest.mark.requirement("SR-06", "SR-07", "SR-19")
def test_an_occlusion_is_told_when_it_is_found() -> None:
    host = Watch().primed()
    dose = host.try_dose(DOSE, IN_DOSE_US, lambda: host.world.control("blocked", 1))
    told = host.told[0]
    assert (told.name, dose.outcome.reason) == ("OCCLUSION", wire.REASON_OCCLUSION)
    # 6 ul above what flow stores at 20 ul/s, a look, and the signal; the OUTCOME waits for way out, relief and rest
    assert (told.t_us - host.began_us) / 1000 <= 300 + 125 + SIGNAL_MS
    assert host.t_us - told.t_us > 500_000


@pytest.mark.requirement("SR-18", "SR-11")
@pytest.mark.parametrize(("request_", "out"), [(DOSE, "syringe"), (RUN, "cartridge")], ids=["dose", "run"])
def test_what_pops_out_is_an_alarm_and_stands_until_it_is_cleared(request_: messages.Prepare, out: str) -> None:
    host = Watch().primed()
    host.try_dose(request_, IN_DOSE_US, lambda: host.world.control(out, 0))
    assert host.told[0].name == "SYRINGE"
    assert host.told[0].t_us - host.began_us <= SIGNAL_MS * 1000
    host.world.control(out, 1)
    host.rest(5_000_000)
    assert host.do(messages.Status()).latches == wire.LATCH_FAULT
    assert host.alarms().standing == 1 << wire.ALARM_SYRINGE
    assert host.clear() == 0
    assert host.alarms().standing == 0


@pytest.mark.requirement("SR-19")
def test_light_and_sound_follow_the_most_urgent_until_it_is_cleared() -> None:
    host = Watch().primed()
    host.world.control("set", ("battery.charge_permille", 46_000))
    host.try_dose(DOSE, IN_DOSE_US, lambda: host.world.control("syringe", 0))
    host.world.control("syringe", 1)
    host.clear()
    shown = [light for light in host.lights if light >= signals.ALARM_NONE]
    assert shown == [signals.ALARM_LOW, signals.ALARM_MEDIUM, signals.ALARM_LOW]


@pytest.mark.requirement("SR-29", "SR-19")
def test_a_needle_that_is_not_home_is_of_high_priority() -> None:
    host = Watch().primed()
    host.try_dose(DOSE, IN_DOSE_US, lambda: host.world.control("set", ("drive.torque_mnm", 0)))
    assert wire.ALARM_NEEDLE_NOT_HOME in [told.event.alarm for told in host.told]
    found = next(told.event for told in host.told if told.event.alarm == wire.ALARM_NEEDLE_NOT_HOME)
    assert found.priority == wire.PRIORITY_HIGH
    assert found.latches & wire.LATCH_NEEDLE_NOT_HOME
    assert signals.ALARM_HIGH in host.lights


@pytest.mark.requirement("SR-12", "SR-19", "SR-27")
def test_a_loop_that_comes_late_is_counted_and_told() -> None:
    """Once for each dose in which it happens."""
    host = Watch().primed()

    def late() -> None:
        host.world.meddle().add("pressure_pa", "late", 0, 1, 40_000)

    host.try_dose(DOSE, IN_DOSE_US, late)
    assert [told.name for told in host.told] == ["LOOP_OVERRUN"]
    # from when it was due, at most 20 ms after the call that took 40, to when it came
    assert 20_000 <= host.told[0].event.value <= 40_000
    assert (host.alarms().overruns, host.alarms().standing) == (1, 1 << wire.ALARM_LOOP_OVERRUN)
    assert host.do(messages.Status()).latches == 0
    host.try_dose(DOSE)
    assert (host.alarms().overruns, host.alarms().standing) == (1, 0)
    host.try_dose(DOSE, IN_DOSE_US, late)
    assert [told.name for told in host.told] == ["LOOP_OVERRUN", "LOOP_OVERRUN"]
    assert host.alarms().overruns == 2


EMPTY = DOSE._replace(volume_nl=200_000)


def near_empty() -> Watch:
    """Of 1 ml, less what was primed, less than two doses of 0.2 ml are left after the third, none after the fourth."""
    host = Watch().primed()
    told = []
    for _ in range(4):
        host.rest(1_000_000)
        host.try_dose(EMPTY)
        told.append(len(host.told))
    assert (told, host.told[0].name) == ([0, 0, 1, 1], "NEAR_EMPTY")
    assert host.told[0].event.priority == wire.PRIORITY_LOW
    assert host.do(messages.Status()).latches == 0
    assert host.alarms().standing == 1 << wire.ALARM_NEAR_EMPTY
    return host


def taken_out_and_put_back(host: Watch) -> None:
    host.world.control("syringe", 0)
    host.rest(1_000_000)
    host.world.control("syringe", 1)
    host.rest(1_000_000)


def restarted(host: Watch) -> None:
    host.world.control("reset", 1)
    host.rest(1_000_000)
    host.open()


@pytest.mark.requirement("SR-08", "SR-19", "SR-22")
@pytest.mark.parametrize("happens", [taken_out_and_put_back, restarted])
def test_going_on_after_empty_is_said_by_somebody_and_is_flagged_until_then(happens: Callable[[Watch], None]) -> None:
    host = near_empty()
    happens(host)
    # not two primes of 0.1 ml are left
    assert host.try_dose(PRIME).outcome.flags & wire.FLAG_NEAR_EMPTY
    assert host.alarms().standing == 1 << wire.ALARM_NEAR_EMPTY
    assert host.ask(EMPTY._replace(dose_id=b"another!", n=host.next_n)).status == wire.S_SYRINGE_EMPTY
    assert host.do(messages.NewSyringe()).left_nl == 1_000_000
    assert host.alarms().standing == 0
    assert host.ask(EMPTY._replace(dose_id=b"another!", n=host.next_n)).status == wire.S_NOT_PRIMED
    assert not host.try_dose(PRIME).outcome.flags & wire.FLAG_NEAR_EMPTY
    host.rest(1_000_000)
    assert host.try_dose(EMPTY).outcome.reason == wire.REASON_COMPLETE
    assert host.alarms().standing == 0


@pytest.mark.requirement("SR-08", "SR-19", "SR-11")
def test_air_found_at_a_prime_stands_until_it_is_cleared() -> None:
    host = Watch().opened()
    host.world.control("set", ("bubble.volume_nl", 20_000_000))
    dose = host.try_dose(PRIME)
    assert (host.told[0].name, dose.outcome.reason) == ("COMPLIANCE", wire.REASON_COMPLIANCE)
    assert host.ask(PRIME._replace(dose_id=b"another!", n=host.next_n)).status == wire.S_LATCHED
    assert (host.clear(), host.alarms().standing) == (0, 0)


@pytest.mark.requirement("SR-19")
def test_the_table_is_whole() -> None:
    schema = load()
    names = {row["name"] for row in schema["alarm"]}
    latches = {row["name"] for row in schema["latch"]}
    for row in schema["alarm"]:
        assert row["within_ms"] <= SIGNAL_MS
        assert row["action"] in ("stop", "refuse", "tell")
        assert (row["latch"] in latches) == (row["action"] != "tell"), row["name"]
        assert (row["priority"] == "LOW") == (row["action"] == "tell"), row["name"]
        assert row["id"] < 30
    high = {"NEEDLE_NOT_HOME", "OVER_DELIVERY", "DEPTH", "PERMIT", "LEDGER_CORRUPT"}
    assert high <= {row["name"] for row in schema["alarm"] if row["priority"] == "HIGH"}
    # every end of a dose that is a fault is an alarm; the others are somebody's act, or no fault
    acts = {"COMPLETE", "TRIGGER", "CONTACT", "ESTOP", "STOP", "SESSION", "ARM_TIMEOUT", "HELD_TIMEOUT"}
    plain = {"TRIGGER_DISAGREE", "RESET", "TIME", "NO_FLOW", "EXPIRED"}
    assert {row["name"] for row in schema["reason"]} - names == acts | plain


def test_patterns_are_those_of_the_standard() -> None:
    colours = [pattern[0] for pattern in signals.PATTERNS]
    assert colours == [0, 0x00FFFF, 0xFFFF00, 0xFF0000]
    assert [pattern[3] for pattern in signals.PATTERNS] == [0, 1, 3, 10]
    for _, on_ms, off_ms, _, pulse_ms, tone_hz, again_ms in signals.PATTERNS[1:]:
        assert 150 <= tone_hz <= 1000
        assert on_ms == off_ms
        assert pulse_ms < 250
        assert again_ms in (0, 5_000, 7_500)
