"""Refusals by table; one id, one dose: repeats, conflicts, queries, and the ledger."""

from __future__ import annotations

import pytest

from mesoprotocol import limits, messages, wire
from mesosim.lab.conformance.host import Host

RUNS = [
    ({"depth_um": limits.FRACTIONAL_DEPTH_MIN_UM - 1}, "RANGE"),
    ({"depth_um": limits.FRACTIONAL_DEPTH_MAX_UM + 1}, "RANGE"),
    ({"zone": 1, "depth_um": 800}, "ZONE_LIMIT"),
    ({"zone": 99}, "ZONE_LIMIT"),
    ({"rate_per_min": limits.RATE_MIN_PER_MIN - 1}, "RANGE"),
    ({"rate_per_min": limits.RATE_MAX_PER_MIN + 1}, "RANGE"),
    ({"strokes": limits.STROKES_MAX + 1, "area_cm2": 1_500, "duration_s": 1_800}, "RANGE"),
    ({"needles": limits.NEEDLES_MIN - 1}, "RANGE"),
    ({"needles": limits.NEEDLES_MAX + 1}, "RANGE"),
    ({"area_cm2": 0}, "RANGE"),
    ({"area_cm2": limits.AREA_MAX_CM2 + 1}, "RANGE"),
    ({"strokes": 2_000, "duration_s": 300}, "COVERAGE"),
    ({"duration_s": 1}, "RUN_TIME"),
    ({"duration_s": limits.RUN_MAX_S + 1}, "RANGE"),
]
PRIMES = [
    ({"volume_nl": limits.PRIME_MAX_NL + 1}, "RANGE"),
    ({"profile": 99}, "RANGE"),
    ({"depth_um": 500}, "RANGE"),
    ({"zone": 6}, "RANGE"),
]
DOSES = [
    ({"volume_nl": limits.DOSE_MIN_NL - 1}, "RANGE"),
    ({"volume_nl": limits.DOSE_MAX_NL + 1, "zone": 11}, "RANGE"),
    ({"volume_nl": 100_001}, "ZONE_LIMIT"),
    ({"depth_um": limits.METERED_DEPTH_MIN_UM - 1}, "RANGE"),
    ({"depth_um": 2_001}, "ZONE_LIMIT"),
]


@pytest.mark.requirement("SR-01", "SR-02")
@pytest.mark.parametrize(("changes", "name"), RUNS, ids=str)
def test_a_run_outside_its_limits_is_refused(host: Host, changes: dict[str, int], name: str) -> None:
    """By the device, whatever the host has checked."""
    assert host.refusal(host.run(host.dose_id()), **changes) == name
    assert host.state == wire.STATE_IDLE


@pytest.mark.requirement("SR-01", "SR-02")
@pytest.mark.parametrize(("changes", "name"), PRIMES, ids=str)
def test_a_prime_outside_its_limits_is_refused(host: Host, changes: dict[str, int], name: str) -> None:
    """As a run is."""
    assert host.refusal(host.prime(host.dose_id()), **changes) == name
    assert host.state == wire.STATE_IDLE


@pytest.mark.requirement("SR-01", "SR-02")
@pytest.mark.parametrize(("changes", "name"), DOSES, ids=str)
def test_a_dose_outside_its_limits_is_refused(host: Host, changes: dict[str, int], name: str) -> None:
    """As a run is, primed or not."""
    assert host.refusal(host.dose(host.dose_id()), **changes) == name
    assert host.state == wire.STATE_IDLE


@pytest.mark.requirement("SR-26")
def test_a_host_that_has_not_seen_every_dose_is_refused(host: Host) -> None:
    """The number must be the ledger's next."""
    n = host.injector.status().next_n
    assert host.refusal(host.run(host.dose_id()), n=n + 1) == "STALE_VIEW"
    assert host.refusal(host.run(host.dose_id()), n=n - 1) == "STALE_VIEW"


@pytest.mark.requirement("SR-25")
def test_prepare_and_commit_repeated_are_one_dose(host: Host) -> None:
    """Before it is armed, while it is, and after it has ended: one entry in the ledger, and no second motion."""
    dose_id, n = host.dose_id(), host.injector.status().next_n
    request = host.run(dose_id)
    plan = host.ask(request)
    assert host.ask(request) == plan
    commit = host.commit(dose_id, plan.plan_crc)
    assert host.ask(commit).dose_state == wire.DOSE_ARMED
    assert host.ask(commit).dose_state == wire.DOSE_ARMED
    host.injector.stop()
    ended = host.outcome(dose_id, n)
    host.injector.clear()
    assert host.refusal(request) == "KNOWN_ID"
    assert host.refusal(commit) == "EXPIRED"
    host.injector.wait(1.0)
    assert host.state == wire.STATE_IDLE
    assert host.injector.status().next_n == n + 1
    assert host.outcome(dose_id, n) == ended


@pytest.mark.requirement("SR-25")
def test_the_same_frame_sent_twice_is_carried_out_once(host: Host) -> None:
    """Its answer comes again from the device's memory."""
    connection = host.injector._pump.connection
    before = host.injector.alarms().self_tests
    seq, data = connection.request(messages.SelfTest())
    answers: list[object] = []

    def answered() -> bool:
        answers.extend(each for each in [connection.answer(seq)] if each is not None)
        return len(answers) == times

    times = 1
    host.raw(data)
    assert host.until(answered, 1.0)
    times = 2
    host.raw(data)
    assert host.until(answered, 1.0)
    assert answers[0] == answers[1]
    assert host.injector.alarms().self_tests == before + 1


@pytest.mark.requirement("SR-25")
def test_an_id_is_one_dose_only(host: Host) -> None:
    """Other values under it are a conflict; another plan, another boot or a late COMMIT arms nothing."""
    dose_id = host.dose_id()
    request = host.run(dose_id)
    plan = host.ask(request)
    assert host.refusal(request._replace(strokes=31)) == "ID_CONFLICT"
    good = host.commit(dose_id, plan.plan_crc)
    assert host.refusal(good._replace(plan_crc=b"none")) == "PLAN_MISMATCH"
    assert host.refusal(good._replace(boot_id=b"none")) == "PLAN_MISMATCH"
    assert host.refusal(host.commit(dose_id, plan.plan_crc, late_ms=-100)) == "EXPIRED"
    assert host.refusal(good._replace(dose_id=host.dose_id())) == "EXPIRED"
    assert host.state == wire.STATE_PREPARED


@pytest.mark.requirement("SR-26")
def test_a_dose_that_never_was_is_not_found(host: Host) -> None:
    """Only when that is certain: its number was not given to another."""
    n = host.injector.status().next_n
    assert host.ask(messages.Query(host.dose_id(), n)).dose_state == wire.DOSE_NOT_FOUND


@pytest.mark.requirement("SR-26", "SR-34")
def test_the_ledger_holds_what_query_and_the_event_say(host: Host) -> None:
    """Three ways to one outcome."""
    dose_id, n = host.dose_id(), host.injector.status().next_n
    host.arm(dose_id)
    host.injector.stop()
    asked = host.outcome(dose_id, n)
    read = host.injector.ledger(n)
    assert host.until(lambda: bool(host.outcomes), 2.0)
    told = host.outcomes[-1]
    assert asked._replace(state=0) == read._replace(state=0)
    assert all(getattr(told, field) == getattr(read, field) for field in told._fields if field in read._fields)
    assert (read.dose_id, read.n, read.asked_strokes) == (dose_id, n, 30)
