"""What the device refuses and ends by itself: requests go round the driver, faults round the firmware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesofirmware import clock
from mesoinjector import (
    Delivered,
    DeviceError,
    Injector,
    LimitExceeded,
    NotDelivered,
    Refused,
    Unknown,
    VersionMismatch,
)
from mesoinjector.connection import STOP_BYTES
from mesoinjector.journal import Journal
from mesoinjector.simulated import SimulatedLink
from mesoprotocol import limits, messages, wire
from mesosim.runtime import InProcess
from tests.bench_of_one import Bench, after_flow, after_strokes, world

CHEEK, BODY = 6, 11
LOG_AT = 28_672
"""Of the memory; before it lie ledger and keys."""
DOSE = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}
BIG = {"volume_ml": 0.1, "depth_mm": 1.0, "zone": "cheek"}


def prepare(injector: Injector, dose_id: bytes = b"abcdefgh", **changes: int) -> Any:
    """PREPARE as another program could send it: none of the driver's checks, no journal."""
    n = injector.status().next_n
    request = messages.Prepare(dose_id, n, 20_000, 1_000, wire.MODE_SINGLE, 1, CHEEK, 1)
    return injector._pump.request(request._replace(**changes))


def prepare_run(injector: Injector, **changes: int) -> Any:
    n = injector.status().next_n
    request = messages.PrepareRun(b"abcdefgh", n, 100, 1_000, 900, CHEEK, 16, 40, 60)
    return injector._pump.request(request._replace(**changes))


@pytest.mark.requirement("SR-01", "SR-02")
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"volume_nl": 19_999}, "RANGE"),
        ({"volume_nl": 100_001}, "ZONE_LIMIT"),
        ({"volume_nl": 200_001, "zone": BODY}, "RANGE"),
        ({"depth_um": 2_001}, "ZONE_LIMIT"),
        ({"depth_um": 499}, "RANGE"),
        ({"zone": 99}, "ZONE_LIMIT"),
        ({"profile": 9}, "RANGE"),
    ],
)
def test_a_dose_outside_its_limits_is_refused(here: Bench, changes: dict[str, int], name: str) -> None:
    injector = here.ready()
    with pytest.raises(LimitExceeded) as refused:
        prepare(injector, **changes)
    assert refused.value.name == name
    assert injector.status().state == wire.STATE_IDLE


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"depth_um": 2_001}, "ZONE_LIMIT"),
        ({"strokes": 10_000, "duration_s": 1_800}, "COVERAGE"),
        ({"duration_s": 6}, "RUN_TIME"),
    ],
)
def test_a_run_outside_its_limits_is_refused(here: Bench, changes: dict[str, int], name: str) -> None:
    injector = here.connect()
    injector.begin_treatment()
    with pytest.raises(LimitExceeded) as refused:
        prepare_run(injector, **changes)
    assert refused.value.name == name


@pytest.mark.requirement("SR-01", "SR-04")
def test_a_dose_that_would_exceed_the_treatments_total_is_not_started(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TREATMENT_MAX_NL", 110_000)
    bench = make_bench()
    injector = bench.ready()
    assert isinstance(injector.dose(**DOSE), Delivered)
    before = bench.plant()["plunger_steps"]
    counted = injector.status().counted_nl
    assert counted < 50_000
    assert counted + 80_000 > 110_000
    with pytest.raises(LimitExceeded, match="TREATMENT_LIMIT"):
        prepare(injector, volume_nl=80_000)
    assert bench.plant()["plunger_steps"] == before


@pytest.mark.requirement("SR-08", "SR-35")
def test_a_dose_that_the_syringes_rest_does_not_cover_is_refused(here: Bench) -> None:
    injector = here.ready()
    for _ in range(4):
        assert isinstance(injector.dose(0.2, 1.0, "body"), Delivered)
    before = here.plant()["plunger_steps"]
    with pytest.raises(LimitExceeded, match="SYRINGE_EMPTY"):
        prepare(injector, volume_nl=200_000, zone=BODY)
    assert here.plant()["plunger_steps"] == before


@pytest.mark.requirement("SR-21")
def test_a_dose_without_priming_is_refused(here: Bench) -> None:
    injector = here.connect()
    injector.begin_treatment()
    with pytest.raises(DeviceError, match="NOT_PRIMED"):
        prepare(injector)


@pytest.mark.requirement("SR-25")
def test_an_id_never_moves_the_plunger_again(bench: Bench) -> None:
    injector = bench.ready()
    plan = prepare(injector)
    assert prepare(injector) == plan  # the same request once more: the same answer
    with pytest.raises(Refused, match="ID_CONFLICT"):
        prepare(injector, volume_nl=30_000)
    tick = injector._pump.connection.device_tick(injector.link.now_us())
    commit = messages.Commit(b"abcdefgh", plan.plan_crc, injector.hello.boot_id, (tick + 2_000_000) & 0x3FFFFFFF)
    n = injector.status().next_n
    injector._pump.request(commit)
    injector._pump.request(commit)  # twice: it is armed once
    end = injector.link.now_us() + 10_000_000
    while injector.link.now_us() < end:
        injector._pump.send(injector._pump.connection.heartbeat(b"abcdefgh"))
        injector._pump.until(injector.link.now_us() + 100_000, lambda: False)
    assert injector.ledger(n).dose_state == wire.DOSE_DONE
    once = bench.plant()["plunger_steps"]

    again = {"n": n}
    with pytest.raises(Refused, match="KNOWN_ID"):
        prepare(injector, **again)
    with pytest.raises(Refused, match="ID_CONFLICT"):
        prepare(injector, volume_nl=30_000, **again)
    with pytest.raises(Refused, match="EXPIRED"):
        injector._pump.request(commit)
    for number in (n + 2, n + 1000):
        with pytest.raises(DeviceError, match="STALE_VIEW"):
            prepare(injector, b"another!", n=number)
    bench.device.control("reset")
    later = bench.connect()
    with pytest.raises(Refused, match="KNOWN_ID"):
        prepare(later, **again)
    bench.rest()
    assert bench.plant()["plunger_steps"] == once


@pytest.mark.requirement("SR-16")
def test_a_commit_of_another_plan_is_refused(bench: Bench) -> None:
    injector = bench.ready()
    plan = prepare(injector)
    tick = injector._pump.connection.device_tick(injector.link.now_us())
    not_after = (tick + 2_000_000) & 0x3FFFFFFF
    other = bytes((plan.plan_crc[0] ^ 1,)) + plan.plan_crc[1:]
    for crc, boot in ((other, injector.hello.boot_id), (plan.plan_crc, b"boot")):
        with pytest.raises(Refused, match="PLAN_MISMATCH"):
            injector._pump.request(messages.Commit(b"abcdefgh", crc, boot, not_after))


@pytest.mark.requirement("SR-27")
def test_stop_needs_no_session_and_may_come_often(bench: Bench) -> None:
    t = 0
    for _ in range(3):
        t, answer = bench.device.run(t + 1_000_000, STOP_BYTES)
        assert answer
    injector = bench.connect()
    assert injector.hello.stop_count == 3
    assert injector.hello.latches == wire.LATCH_STOPPED
    injector.begin_treatment()
    with pytest.raises(Refused, match="LATCHED"):
        injector.prime(0.1)


@pytest.mark.requirement("SR-27")
@pytest.mark.parametrize("state", [wire.STATE_PREPARED, wire.STATE_ARMED, wire.STATE_RUNNING])
def test_stop_ends_what_is_in_hand(bench: Bench, state: int) -> None:
    injector = bench.ready()
    sent: list[int] = []

    def stop(event: Any) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == state and not sent:
            sent.append(state)
            injector.link.write(STOP_BYTES)

    injector.listen(stop)
    try:
        result = injector.dose(**DOSE)
    except Refused:
        assert state == wire.STATE_PREPARED
    else:
        assert isinstance(result, NotDelivered)
    assert injector.status().latches == wire.LATCH_STOPPED
    assert bench.rest()["needle_home"]


@pytest.mark.requirement("SR-27")
def test_stop_ends_a_held_run(bench: Bench) -> None:
    injector = bench.connect()
    injector.begin_treatment()
    bench.device.control("release_after_us", 2_000_000)
    sent: list[int] = []

    def stop(event: Any) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_HELD and not sent:
            sent.append(1)
            injector.link.write(STOP_BYTES * 2)

    injector.listen(stop)
    result = injector.fractional(strokes=100, depth_mm=0.5, zone="cheek", area_cm2=100)
    assert sent and isinstance(result, Delivered) and result.reason == "stop" and not result.complete
    assert injector.status().stop_count == 2
    assert bench.rest()["needle_home"]


@pytest.mark.requirement("SR-18")
def test_syringe_taken_out_in_mid_dose(bench: Bench) -> None:
    injector = bench.ready()
    injector.listen(after_flow(10_000, lambda: bench.device.control("syringe", 0)))
    result = injector.dose(**BIG)
    assert isinstance(result, Delivered)
    assert result.reason == "syringe"
    assert not result.complete
    assert bench.plant()["needle_home"]
    bench.rest(1_000_000)  # the hand lifts off
    injector.clear()
    for mode in ({}, {"mode": wire.MODE_PRIME, "depth_um": 0, "zone": 0}):
        with pytest.raises(DeviceError, match="INTERLOCK"):
            prepare(injector, **mode)


@pytest.mark.requirement("SR-07")
def test_a_blocked_needle_is_found_within_ten_microlitres(bench: Bench) -> None:
    injector = bench.ready()
    swept: list[int] = []
    injector.listen(lambda event: swept.append(event.plunger_nl) if isinstance(event, messages.Telemetry) else None)
    bench.device.control("blocked", 1)
    assert injector.dose(**BIG).reason == "occlusion"
    assert max(swept) - swept[0] < 10_000


@pytest.mark.requirement("SR-30")
def test_an_armed_dose_ends_when_the_host_falls_silent(bench: Bench) -> None:
    injector = bench.ready()
    steps = bench.plant()["plunger_steps"]
    bench.device.control("present", 0)

    def cut(event: Any) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_ARMED:
            bench.link(injector).cut()

    injector.listen(cut)
    assert isinstance(injector.dose(**DOSE), Unknown)
    t = bench.plant()["t_us"]
    bench.rest(600_000)  # 400 ms of silence, and the way of the last heartbeat
    again = bench.connect()
    (resolved,) = again.resolved
    assert isinstance(resolved, NotDelivered)
    assert resolved.reason == "link_lost"
    assert again.status().latches == wire.LATCH_LINK_LOST
    assert bench.plant()["t_us"] - t < 1_000_000
    assert bench.plant()["plunger_steps"] == steps


# --- Without the firmware: it hangs from here on ----------------------------------------------------------


def hang(bench: Bench) -> None:
    world(bench).app.step = lambda now: clock.FOREVER


@pytest.mark.requirement("SR-28", "SR-29")
@pytest.mark.parametrize("lost", [wire.INPUT_TRIGGER_A, wire.INPUT_TRIGGER_B, wire.INPUT_CONTACT, wire.INPUT_ESTOP])
def test_the_plunger_stops_and_the_needle_leaves_with_no_firmware(here: Bench, lost: int) -> None:
    injector = here.ready()

    def lose() -> None:
        hang(here)
        thing = world(here).plant
        thing.set_input(world(here)._t, lost, lost == wire.INPUT_ESTOP)
        stopped.append(here.plant()["plunger_steps"])

    stopped: list[int] = []
    injector.listen(after_flow(10_000, lose))
    assert isinstance(injector.dose(**BIG), Unknown)
    rested = here.plant()
    assert rested["plunger_steps"] == stopped[0]
    assert rested["needle_home"]
    assert not rested["moving"]


@pytest.mark.requirement("SR-28", "SR-29")
def test_the_dead_man_stops_the_plunger_of_a_hung_firmware(here: Bench) -> None:
    injector = here.ready()
    at: list[int] = []

    def hung() -> None:
        hang(here)
        at.append(here.plant()["plunger_steps"])

    injector.listen(after_flow(10_000, hung))
    assert isinstance(injector.dose(**BIG), Unknown)
    rested = here.plant()
    # 250 ms at 20 ul/s: 892 steps
    assert 0 < rested["plunger_steps"] - at[0] <= 892
    assert rested["needle_home"]
    assert not rested["moving"]


@pytest.mark.requirement("SR-29")
def test_the_emergency_stop_parks_the_drive_with_no_firmware(here: Bench) -> None:
    injector = here.connect()
    injector.begin_treatment()

    def press() -> None:
        hang(here)
        world(here).plant.set_input(world(here)._t, wire.INPUT_ESTOP, True)

    injector.listen(after_strokes(24, press))
    assert isinstance(injector.fractional(strokes=300, depth_mm=1.0, zone="cheek", area_cm2=40), Unknown)
    rested = here.plant()
    assert rested["needle_home"]
    assert not rested["moving"]
    assert rested["punctures"] < 40


# --- What is damaged ---------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-20", "SR-34")
def test_a_damaged_ledger_locks_therapy_and_is_not_reset(here: Bench) -> None:
    injector = here.ready()
    for _ in range(2):
        assert isinstance(injector.dose(**DOSE), Delivered)
    memory = world(here)._fram
    memory[128 + 2 * 104 + 60] ^= 1  # within the OUTCOME of dose 2, which is not the last
    damaged = bytes(memory[128:LOG_AT])
    for _ in range(2):
        here.device.control("reset")
        here.rest(1_000_000)
        again = here.connect()
        assert again.hello.latches & wire.LATCH_LEDGER_CORRUPT
        again.clear()
        with pytest.raises(Refused, match="LATCHED"):
            again.begin_treatment()
        with pytest.raises(Refused, match="LATCHED"):
            again.prime(0.1)
    assert bytes(memory[128:LOG_AT]) == damaged


@pytest.mark.requirement("SR-23")
def test_a_device_with_other_limits_is_not_used(here: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(limits, "ZONES", (*limits.ZONES[:-1], (11, "body", 4_000, 2_000, 200_001)))
        device = InProcess(1)
    with pytest.raises(VersionMismatch, match="enforces other limits"):
        Injector(SimulatedLink("sim", device, 1), Journal(here.journal))
