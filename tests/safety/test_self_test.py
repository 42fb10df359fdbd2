"""The self-test: each check alone refuses therapy, says which it was, and nothing moves; CLEAR asks for another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mesoprotocol import limits, messages, wire
from tests.safety.watch import DOSE, Watch


def symbol(name: str, value: float) -> Callable[[Watch], None]:
    return lambda host: host.world.control("set", (name, round(value * 1000)))


def meddle(call: str, kind: str, value: int | None = None) -> Callable[[Watch], None]:
    return lambda host: host.world.meddle().add(call, kind, 0, 0, value)


CHECKS = {
    "pressure too high": (symbol("sensor.pressure.offset_pa", 300_000), wire.CHECK_PRESSURE),
    "pressure too low": (symbol("sensor.pressure.offset_pa", -300_000), wire.CHECK_PRESSURE),
    "carrier": (meddle("needle_um", "stuck", 500), wire.CHECK_CARRIER),
    "permit": (meddle("inputs", "flipped_bit", 8), wire.CHECK_PERMIT),
    "program": (meddle("program_intact", "dropped"), wire.CHECK_PROGRAM),
    "battery too low": (meddle("battery_mv", "stuck", 1_999), wire.CHECK_BATTERY),
    "battery too high": (meddle("battery_mv", "stuck", 6_001), wire.CHECK_BATTERY),
}


def healed(host: Watch) -> None:
    host.world.meddle().clear()
    host.world.control("set", ("sensor.pressure.offset_pa", 0))


@pytest.mark.requirement("SR-12", "SR-13", "SR-24")
@pytest.mark.parametrize("name", CHECKS)
def test_each_check_alone_refuses_therapy(name: str) -> None:
    happens, bit = CHECKS[name]
    host = Watch()
    host.world.meddle()
    happens(host)
    host.world.control("reset", 1)
    host.opened()
    before = host.account()
    alarms = host.alarms()
    assert (alarms.failed_checks, alarms.self_tests) == (bit, 1)
    assert alarms.standing == 1 << wire.ALARM_SELF_TEST
    assert host.do(messages.Status()).latches == wire.LATCH_SELF_TEST
    assert host.ask(DOSE._replace(dose_id=b"another!", n=host.next_n)).status == wire.S_LATCHED
    # CLEAR asks for another test, which fails again
    status = host.do(messages.Status())
    host.ask(messages.Clear(status.latches, status.latch_count))
    assert host.do(messages.Status()).latches == wire.LATCH_SELF_TEST
    assert host.alarms().self_tests == 2
    # and once it passes, nothing stands
    healed(host)
    status = host.do(messages.Status())
    host.ask(messages.Clear(status.latches, status.latch_count))
    assert host.do(messages.Status()).latches == 0
    assert (host.alarms().failed_checks, host.alarms().standing) == (0, 0)
    assert {**host.account(), "t_us": 0} == {**before, "t_us": 0}


@pytest.mark.requirement("SR-13")
def test_an_altered_safety_variable_is_found_at_rest() -> None:
    host = Watch().primed()
    host.app._safety.bounds.values[0] ^= 1 << 5
    host.rest(limits.SELF_TEST_MS * 1000)
    assert host.alarms().failed_checks == wire.CHECK_MEMORY
    assert host.told[0].event.value == wire.CHECK_MEMORY


@pytest.mark.requirement("SR-12")
def test_it_is_made_four_times_an_hour_and_never_while_something_is_in_hand() -> None:
    host = Watch().primed()
    host.rest(3_600_000_000)
    assert host.alarms().self_tests == 1 + 4
    made = host.alarms().self_tests
    app = host.app
    host.rest((limits.SELF_TEST_MS - (app._clock.ms - app._selftest.ran_ms) - 1_500) * 1000)
    seen: list[int] = []
    host.try_dose(DOSE, 5_000_000, lambda: seen.append(app._selftest.count))
    assert seen == [made]
    host.rest(2_000_000)
    assert host.alarms().self_tests == made + 1


@pytest.mark.requirement("SR-12", "SR-14")
def test_it_moves_nothing_and_gives_no_power() -> None:
    host = Watch()
    calls: list[str] = []
    host.world.meddle().watch = lambda name, args: calls.append(name if not args else f"{name} {args[0]}")
    host.world.control("reset", 1)
    host.rest(5_000_000)
    assert "program_intact" in calls
    assert not [call for call in calls if call.endswith((".feed", ".home", ".release")) or call == "enable True"]
    assert "permit True" not in calls


@pytest.mark.requirement("SR-12")
def test_it_is_made_when_it_is_asked_for_and_only_with_nothing_in_hand() -> None:
    host = Watch().primed()
    made = host.alarms().self_tests
    reply = host.do(messages.SelfTest())
    assert (reply.failed_checks, reply.self_tests) == (0, made + 1)
    host.world.meddle().add("battery_mv", "stuck", 0, 0, 1_999)
    assert host.do(messages.SelfTest()).failed_checks == wire.CHECK_BATTERY
    assert host.told[0].name == "SELF_TEST"
    assert host.do(messages.Status()).latches == wire.LATCH_SELF_TEST


def test_it_is_refused_while_something_is_in_hand() -> None:
    host = Watch().primed()
    made = host.alarms().self_tests
    assert host.ask(DOSE._replace(dose_id=b"prepared", n=host.next_n)).status == wire.S_OK
    assert host.ask(messages.SelfTest()).status == wire.S_WRONG_STATE
    assert host.alarms().self_tests == made
