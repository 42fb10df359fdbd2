"""Memory and mechanics that fail: what cannot be proven is never said, and the plant stays within the bounds."""

from __future__ import annotations

import contextlib

import pytest

from mesoinjector import Delivered, DeviceError, Injector, MesoError, NotDelivered, UnaccountedDose, Unknown
from mesoprotocol import messages, wire
from mesosim.lab.link import Killed
from tests.bench_of_one import Bench, after_flow, after_strokes, world

DOSE = {"volume_ml": 0.02, "depth_mm": 1.0, "zone": "cheek"}
BIG = {"volume_ml": 0.1, "depth_mm": 1.0, "zone": "cheek"}
SLOTS_AT, SLOT, START, OUTCOME = 128, 104, 36, 44


def spoil(bench: Bench, at: int) -> None:
    """One byte of the device's memory is other than what was written."""
    world(bench)._fram[at] ^= 0x55


def asked(injector: Injector, dose_id: str, n: int) -> int:
    """What the device says became of a dose."""
    reply = injector._pump.request(messages.Query(bytes.fromhex(dose_id), n))
    state: int = reply.dose_state
    return state


@pytest.mark.requirement("SR-20", "SR-34")
@pytest.mark.parametrize("section", [0, OUTCOME])
def test_a_dose_whose_entry_cannot_be_read_is_not_said_to_be_unseen(section: int, here: Bench) -> None:
    injector = here.ready()
    result = injector.dose(**DOSE)
    injector.dose(**DOSE)
    spoil(here, SLOTS_AT + result.n * SLOT + section)
    assert asked(injector, result.dose_id, result.n) == wire.DOSE_FORGOTTEN


@pytest.mark.requirement("SR-34")
@pytest.mark.parametrize(
    "places", [(0, 32), (SLOTS_AT + 2 * SLOT,), (SLOTS_AT + 3 * SLOT,), (SLOTS_AT + 2 * SLOT + OUTCOME,)]
)
def test_corruption_is_said_and_stays(places: tuple[int, ...], here: Bench) -> None:
    """Headers; an entry in the middle; the INTENT of the last entry; an OUTCOME in the middle."""
    injector = here.ready()
    result = injector.dose(**DOSE)
    injector.dose(**DOSE)
    here.rest(1_000_000)
    for at in places:
        spoil(here, at)
    for _ in range(3):
        here.device.control("reset")
        try:
            again = here.connect()
        except UnaccountedDose:
            continue  # the ledger stands below what the journal knows: refused on opening
        assert again.status().latches == wire.LATCH_LEDGER_CORRUPT
        assert asked(again, result.dose_id, result.n) in (wire.DOSE_FORGOTTEN, wire.DOSE_DONE)
        assert again.clear() == wire.LATCH_LEDGER_CORRUPT
        with pytest.raises(DeviceError, match="LATCHED"):
            again.dose(**DOSE)


@pytest.mark.requirement("SR-25", "SR-26")
@pytest.mark.parametrize("lost", range(45))
def test_a_write_that_the_memory_forgets(lost: int, here: Bench) -> None:
    """Each write of one dose in turn is silently lost; then the device restarts."""
    injector = here.ready()
    before = here.plant()["tip_nl"]
    store = world(here).board.store
    write, count = store.write, [0]

    def forgetful(at: int, buf: bytearray, n: int) -> None:
        count[0] += 1
        if count[0] - 1 != lost:
            write(at, buf, n)

    store.write = forgetful
    result: object = None
    with contextlib.suppress(MesoError):
        result = injector.dose(**DOSE)
    rested = here.rest()
    assert rested["needle_home"] and not rested["moving"]
    assert not world(here).plant.permitted and not world(here).plant.powered
    here.device.control("reset")
    again = here.connect()
    final = next(iter(again.resolved), None) or result
    given = here.plant()["tip_nl"] - before
    if final is None or isinstance(final, NotDelivered):
        assert given < 100
    else:
        assert isinstance(final, Delivered | Unknown)
        assert final.lower_nl <= given <= final.upper_nl
    assert count[0] > lost
    # whatever it was, the ledger says so, or says that it cannot
    assert again.status().next_n >= injector._next_n


@pytest.mark.requirement("SR-18", "SR-21")
def test_another_syringe_must_be_primed(here: Bench) -> None:
    injector = here.ready()
    assert isinstance(injector.dose(**DOSE), Delivered)
    here.device.control("syringe", 0)
    here.rest(1_000_000)
    here.device.control("syringe", 1)
    with pytest.raises(DeviceError, match="NOT_PRIMED"):
        injector.dose(**DOSE)


def test_a_drive_that_does_not_turn_dispenses_nothing(here: Bench) -> None:
    injector = here.ready()
    injector.dose(**DOSE)
    before = here.plant()["tip_nl"]
    world(here).plant.carriage.needle_um = lambda steps: -5_000.0
    result = injector.dose(**DOSE)
    assert result.reason == "depth"
    assert abs(here.plant()["tip_nl"] - before) < 500


@pytest.mark.requirement("SR-05")
def test_an_encoder_that_disagrees_ends_the_dose(here: Bench) -> None:
    injector = here.ready()
    before = here.plant()["tip_nl"]
    injector.listen(after_flow(10_000, lambda: here.device.control("encoder_slip", 100)))
    result = injector.dose(**BIG)
    assert result.reason == "encoder"
    assert here.plant()["tip_nl"] - before < 20_000


@pytest.mark.requirement("SR-31")
def test_strokes_that_the_index_did_not_see_are_counted_by_the_odometer(here: Bench) -> None:
    injector = here.connect()
    injector.begin_treatment()
    injector.listen(after_strokes(24, lambda: here.device.control("index_dead", 1)))
    result = injector.fractional(strokes=300, depth_mm=1.0, zone="cheek", area_cm2=40)
    assert isinstance(result, Delivered) and not result.exact
    assert result.strokes == here.plant()["punctures"]


@pytest.mark.requirement("SR-21")
def test_a_prime_that_ends_before_the_flush_does_not_prime(here: Bench) -> None:
    injector = here.connect()
    injector.begin_treatment()
    result = injector.prime(0.014)  # 10.8 ul of slack, then less than the 10 ul of the flush
    assert result.reason == "no_flow"
    here.rest(1_000_000)
    with pytest.raises(DeviceError, match="NOT_PRIMED"):
        injector.dose(**DOSE)


@pytest.mark.requirement("SR-11")
def test_a_latch_outlives_a_restart(here: Bench) -> None:
    injector = here.connect()
    injector.stop()
    here.device.control("reset")
    again = here.connect()
    assert again.status().latches == wire.LATCH_STOPPED
    assert again.clear() == 0
    here.device.control("reset")
    assert here.connect().status().latches == 0


@pytest.mark.requirement("SR-28")
def test_the_dead_man_parks_the_drive_of_a_hung_firmware(here: Bench) -> None:
    """The firmware hangs in the middle of a batch of strokes: hardware ends them, needle home."""
    injector = here.connect()
    injector.begin_treatment()

    def hang() -> None:
        world(here).app.step = lambda now: 1 << 28

    injector.listen(after_strokes(24, hang))
    assert isinstance(injector.fractional(strokes=300, depth_mm=1.0, zone="cheek", area_cm2=40), Unknown)
    rested = here.rest()
    assert rested["needle_home"] and not rested["moving"]
    # the dead-man's 250 ms are four strokes, of the fifteen that were fed
    assert rested["punctures"] <= 24 + 8 + 5


@pytest.mark.requirement("SR-26")
@pytest.mark.parametrize("compliance_nl_per_kpa", [40, 340, 740])
def test_an_occluded_dose_in_another_syringe_is_within_its_bounds(compliance_nl_per_kpa: int, here: Bench) -> None:
    """It has changed since the prime: what an occluded syringe has stored is bounded, not measured."""
    injector = here.ready()
    plant = world(here).plant
    plant.set(world(here)._t, "syringe.compliance_nl_per_kpa", compliance_nl_per_kpa)
    here.device.control("blocked", 1)
    before = here.plant()["tip_nl"]
    result = injector.dose(**BIG)
    given = here.plant()["tip_nl"] - before
    assert result.reason == "occlusion"
    if isinstance(result, Delivered):
        assert not result.exact
        assert result.lower_nl <= given <= result.upper_nl


@pytest.mark.requirement("SR-26")
def test_after_a_late_occlusion_and_its_relief_the_bounds_say_what_was_given(here: Bench) -> None:
    injector = here.ready()
    before = here.plant()["tip_nl"]
    injector.listen(after_flow(60_000, lambda: here.device.control("blocked", 1)))
    result = injector.dose(**BIG)
    given = here.plant()["tip_nl"] - before
    assert isinstance(result, Delivered) and result.reason == "occlusion" and not result.exact
    assert given - 20_000 < result.lower_nl <= given <= result.upper_nl < given + 10_000


def test_telemetry_after_ten_idle_minutes(here: Bench) -> None:
    injector = here.ready()
    here.rest(600_000_000)
    samples: list[messages.Telemetry] = []
    injector.listen(lambda event: samples.append(event) if isinstance(event, messages.Telemetry) else None)
    assert isinstance(injector.dose(**DOSE), Delivered)
    assert len(samples) > 50


@pytest.mark.requirement("SR-29")
def test_a_run_held_with_the_needle_out_does_not_go_on(here: Bench) -> None:
    """The drive hangs on the way; the trigger is released and pressed again."""
    injector = here.connect()
    injector.begin_treatment()
    plant = world(here).plant

    def hang() -> None:
        here.device.control("release_after_us", 0)
        here.device.control("press_again_us", 1_000_000)
        inputs = plant.inputs
        plant.inputs = lambda t: inputs(t) & ~wire.INPUT_NEEDLE_HOME
        plant.set_input(world(here)._t, wire.INPUT_TRIGGER_A, False)

    injector.listen(after_strokes(24, hang))
    result = injector.fractional(strokes=300, depth_mm=1.0, zone="cheek", area_cm2=40)
    assert isinstance(result, Delivered) and result.reason == "needle_not_home" and not result.needle_home
    assert result.strokes < 40
    assert injector.status().latches & wire.LATCH_NEEDLE_NOT_HOME


@pytest.mark.requirement("SR-29", "SR-31")
def test_a_motor_that_is_dead_is_found_by_where_the_needle_is_now(here: Bench) -> None:
    """The drive's steps go nowhere, and the carrier's last sample is that of a good stroke before."""
    injector = here.ready()
    injector.dose(**DOSE)
    before = here.plant()["tip_nl"]
    world(here).plant.drive.feed = lambda t, batch: None
    result = injector.dose(**DOSE)
    assert result.reason == "depth"
    assert abs(here.plant()["tip_nl"] - before) < 500


@pytest.mark.requirement("SR-06", "SR-21")
def test_after_the_relief_of_an_occlusion_the_syringe_must_be_primed(here: Bench) -> None:
    injector = here.ready()
    here.device.control("blocked", 1)
    assert injector.dose(**BIG).reason == "occlusion"
    here.device.control("blocked", 0)
    here.rest(1_000_000)
    injector.clear()
    with pytest.raises(DeviceError, match="NOT_PRIMED"):
        injector.dose(**DOSE)


@pytest.mark.requirement("SR-11")
def test_clear_names_what_was_seen(here: Bench) -> None:
    injector = here.connect()
    injector.stop()
    status = injector.status()
    injector.stop()
    with pytest.raises(DeviceError, match="COUNT_MISMATCH"):
        injector._pump.request(messages.Clear(status.latches, status.latch_count))
    assert injector.status().latches == wire.LATCH_STOPPED
    assert injector.clear() == 0


class PowerCut(BaseException):
    """The supply is gone: nothing behind the write that raises it has run."""


@pytest.mark.requirement("SR-26")
@pytest.mark.parametrize(
    ("after", "blocked"),
    [*((n, False) for n in (0, 1, 2, 3, 4, 5, 8, 12, 20, 30, 40)), *((n, True) for n in range(4, 9))],
)
def test_a_power_cut_after_a_write(after: int, blocked: bool, here: Bench) -> None:
    """Bounds hold; before the first chunk is reserved, that nothing was delivered is certain."""
    injector = here.ready()
    here.device.control("blocked", int(blocked))
    before = here.plant()["tip_nl"]
    store = world(here).board.store
    write, count = store.write, [0]

    def cut(at: int, buf: bytearray, n: int) -> None:
        write(at, buf, n)
        count[0] += 1
        if count[0] == after + 1:
            here.link(injector).dead = True
            raise PowerCut

    store.write = cut
    with contextlib.suppress(PowerCut, Killed):
        injector.dose(**BIG)
    here.device.control("reset")
    rested = here.rest()
    (result,) = here.connect().resolved
    given = rested["tip_nl"] - before
    assert rested["needle_home"] and not rested["moving"]
    if isinstance(result, NotDelivered):
        assert given < 100
    else:
        assert after >= 4  # entry blank, INTENT, nothing reserved, START
        assert isinstance(result, Unknown)
        assert result.lower_nl <= given <= result.upper_nl
        assert result.upper_nl - result.lower_nl < 16_000


@pytest.mark.requirement("SR-07")
def test_a_needle_that_blocks_near_the_end_is_found_while_it_settles(here: Bench) -> None:
    """Too little is stored to be found while the plunger moves, and too much to have been given."""
    injector = here.ready()
    before = here.plant()["tip_nl"]
    injector.listen(after_flow(14_500, lambda: here.device.control("blocked", 1)))
    result = injector.dose(**DOSE)
    assert isinstance(result, Delivered) and result.reason == "occlusion" and not result.complete
    assert result.lower_nl <= here.plant()["tip_nl"] - before <= result.upper_nl


@pytest.mark.requirement("SR-29")
def test_a_drive_that_rests_elsewhere_is_not_home(here: Bench) -> None:
    injector = here.ready()
    plant = world(here).plant
    inputs = plant.inputs

    def hang() -> None:
        plant.inputs = lambda t: inputs(t) & ~wire.INPUT_NEEDLE_HOME

    injector.listen(after_flow(10_000, hang))
    result = injector.dose(**DOSE)
    assert isinstance(result, Delivered) and result.reason == "needle_not_home" and not result.needle_home
    assert injector.status().latches & wire.LATCH_NEEDLE_NOT_HOME


@pytest.mark.requirement("SR-09")
def test_relief_takes_back_no_more_than_was_pushed(here: Bench) -> None:
    """The pressure sensor jumps far up: it tells of an occlusion, and of more than a syringe can store."""
    injector = here.ready()
    before = here.plant()["plunger_steps"]
    offset = {"symbol": "sensor.pressure.offset_pa", "value": 500_000}
    injector.listen(after_flow(10_000, lambda: here.device.control("fault", offset)))
    assert injector.dose(**BIG).reason == "occlusion"
    assert here.rest()["plunger_steps"] >= before


def test_a_gauge_below_nothing_is_told_as_nothing(here: Bench) -> None:
    injector = here.connect()
    here.device.control("fault", {"symbol": "battery.charge_permille", "value": 0})
    here.device.control("fault", {"symbol": "sensor.battery.offset_mv", "value": -4_000})
    here.rest(1_000_000)
    assert injector.status().battery_mv == 0
