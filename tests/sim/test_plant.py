"""The plant without a firmware: motors that lose, the spring, heat, a flat battery, skin that gives way, sensors."""

from __future__ import annotations

import math

import pytest

from mesoprotocol import wire
from mesosim.rp2.circuit import Handpiece
from mesosim.world import axis, trace
from mesosim.world.plant import Plant
from mesosim.world.symbols import Symbols
from tests.bench_of_one import Bench, world

MS = 25_000
FULL_SPEED = 521
"""Ticks a step at 15 rev/s."""


def plant(values: dict[str, float] | None = None) -> Plant:
    """A powered plant at tick 0, in skin contact."""
    symbols = Symbols()
    for name, value in (values or {}).items():
        symbols.set(name, value)
    thing = Plant(trace.Untraced(), 1, symbols, 0)
    thing.set_input(0, wire.INPUT_CONTACT, True)
    thing.power(0, True)
    return thing


def go(thing: Plant, until: int) -> list[int]:
    """Let everything happen until then; when something did."""
    times = []
    while thing.event_at <= until:
        times.append(thing.event_at)
        thing.due(thing.event_at)
    thing.advance(until)
    return times


def turn(thing: Plant, steps: int, t: int = 0, interval: int = FULL_SPEED) -> int:
    """Feed steps of the needle drive; when they end."""
    thing.feed(t, thing.drive, axis.Batch(((steps - 1) << 1 | 1, interval), 2, 1, False))
    return t + steps * interval


def has(thing: Plant, t: int, bit: int) -> bool:
    """An input."""
    return bool(thing.inputs(t) & bit)


def test_a_drive_with_torque_enough_loses_nothing() -> None:
    thing = plant()
    end = turn(thing, 3200)
    go(thing, end)
    assert thing.carriage.index_count == 1 and thing.carriage.is_home(end)


def test_the_motor_power_goes_150_ms_after_the_first_cause_and_stays_away_till_the_last_has_ended() -> None:
    thing = Handpiece(trace.Untraced(), 1, Symbols(), 0)
    thing.power(0, True)
    thing.set_input(100 * MS, wire.INPUT_ESTOP, True)
    thing.starve(200 * MS, True)
    assert go(thing, 249 * MS) == [] and thing.powered
    assert go(thing, 251 * MS) == [250 * MS] and not thing.powered
    thing.set_input(300 * MS, wire.INPUT_ESTOP, False)
    thing.power(300 * MS, True)
    assert not thing.powered
    thing.starve(400 * MS, False)
    assert not thing.powered
    thing.power(400 * MS, True)
    assert thing.powered and go(thing, 900 * MS) == []


@pytest.mark.parametrize("cause", [{"drive.torque_mnm": 20}, {"drive.load_n": 15}, {"drive.friction_mnm": 40}])
def test_a_drive_without_torque_stalls_and_its_count_goes_on(cause: dict[str, float]) -> None:
    thing = plant(cause)
    end = turn(thing, 1640)
    go(thing, end)
    assert thing.drive.position(end) == 1640
    assert thing.carriage.index_count == 0 and thing.carriage.punctures == 0
    # it takes hold a multiple of four full steps away
    place = thing.carriage.needle_um(0)
    assert thing.carriage.needle_now_um(end) < place + 200


def test_a_load_that_comes_on_the_way_stalls_the_drive_there() -> None:
    thing = plant()
    end = turn(thing, 3200)
    go(thing, 1700 * FULL_SPEED)
    thing.set(1700 * FULL_SPEED, "drive.load_n", 100)
    go(thing, end)
    assert thing.drive.position(end) == 3200 and not thing.carriage.is_home(end)
    assert thing.carriage.index_count == 0


def test_a_hard_stop_runs_on() -> None:
    thing = plant()
    turn(thing, 3200)
    t = 1000 * FULL_SPEED
    go(thing, t)
    assert thing.stop(t, thing.drive) == 1000
    # 16 full steps further: 256 steps
    further = -3000 * math.cos(2 * math.pi * 1256 / 3200)
    at_rest = -3000 * math.cos(2 * math.pi * 1000 / 3200)
    readings = [thing.carriage.needle_now_um(t) for _ in range(60)]
    centre = thing.carriage.needle_um(800)
    assert sum(readings) / 60 - centre == pytest.approx(further, abs=10)
    assert further - at_rest > 800


@pytest.mark.parametrize("spring_ms", [10, 30, 100])
def test_without_power_the_spring_takes_its_time(spring_ms: int) -> None:
    thing = plant({"drive.spring_ms": spring_ms})
    end = turn(thing, 1600)
    go(thing, end)
    thing.power(end, False)
    home = end + spring_ms * MS
    go(thing, home - 1)
    assert not has(thing, home - 1, wire.INPUT_NEEDLE_HOME)
    go(thing, home)
    assert has(thing, home, wire.INPUT_NEEDLE_HOME)


def test_a_hot_driver_shuts_down_and_comes_back() -> None:
    thing = plant({"driver.heat_mw": 3000, "drive.torque_mnm": 60})
    due = round(45 * math.log(135 / 15) * 25e6)
    go(thing, due - MS)
    assert not has(thing, due - MS, wire.INPUT_DRIVE_FAULT)
    go(thing, due + MS)
    assert has(thing, due + MS, wire.INPUT_DRIVE_FAULT)
    cool = due + round(45 * math.log(120 / 97) * 25e6)
    go(thing, cool - MS)
    assert has(thing, cool - MS, wire.INPUT_DRIVE_FAULT)
    go(thing, cool + MS)
    assert not has(thing, cool + MS, wire.INPUT_DRIVE_FAULT)


def test_a_flat_battery_resets_the_board_after_its_time() -> None:
    thing = plant({"battery.resistance_mohm": 1500, "battery.brown_out_ms": 7})
    times = []
    while not thing.supply_lost and thing.event_at < 1000 * MS:
        times.append(thing.event_at)
        thing.due(thing.event_at)
    assert thing.supply_lost and times[-1] == 7 * MS


def test_a_good_battery_sags_and_lasts() -> None:
    thing = plant()
    idle = Plant(trace.Untraced(), 1, Symbols(), 0)
    minute = 60_000 * MS
    go(thing, minute)
    assert not thing.supply_lost
    # 900 mA through 140 mohm
    assert idle.battery_mv(minute) - thing.battery_mv(minute) == pytest.approx(126 + 4, abs=20)


def test_skin_that_only_dents_is_not_punctured() -> None:
    """37 steps of the stop are 370 um; without a bulge 400 um are needed."""
    for bulge, punctures in ((0, 0), (200, 1)):
        thing = plant({"skin.bulge_um": bulge, "tremor.amplitude_um": 0})
        go(thing, turn(thing, 3200))
        assert thing.carriage.punctures == punctures
        assert thing.carriage.protrusion_um == pytest.approx(370, abs=40)


def test_a_trembling_hand_moves_a_shallow_tip_in_and_out() -> None:
    """Ten times a second; deeper, it stays in."""
    for offset, least, most in ((-450, 18, 22), (-300, 1, 1)):
        thing = plant({"skin.puncture_n": 0.05, "depth.offset_um": offset})
        end = turn(thing, 1600)
        go(thing, end - 1)
        changes = 0
        was = False
        for i in range(1000):
            go(thing, end + i * MS)
            changes += thing.fluid.in_skin != was
            was = thing.fluid.in_skin
        assert least <= changes <= most


def test_pressure_sensor_errs_as_it_is_told() -> None:
    thing = plant({"sensor.pressure.noise_pa": 0, "sensor.pressure.step_pa": 1})
    thing.fluid.pressure_kpa = 20.0
    for name, value, pa in (
        ("sensor.pressure.offset_pa", 300, 20_300),
        ("sensor.pressure.gain_permille", 1010, 20_500),
        ("sensor.pressure.full_scale_kpa", 15, 15_000),
        ("sensor.pressure.gain_permille", 0, 300),
    ):
        thing.set(0, name, value)
        assert thing.pressure_pa(0) == pa
    thing.set(0, "sensor.pressure.drift_pa_per_min", 120)
    assert thing.pressure_pa(30_000 * MS) == 360


def test_the_encoder_follows_by_the_screws_play_and_misses_edges() -> None:
    def swept(values: dict[str, float], steps: int) -> int:
        thing = plant(values)
        thing.feed_deadman(0)
        thing.set_input(0, wire.INPUT_TRIGGER_A, True)
        thing.set_input(0, wire.INPUT_TRIGGER_B, True)
        thing.permit(0, True, False)
        end = steps * 3000
        thing.feed(0, thing.plunger, axis.Batch(((steps - 1) << 1 | 1, 3000), 2, 1, False))
        while thing.event_at <= end:
            thing.due(thing.event_at)
        counts = 0
        for t in range(0, end + 1, end // 40):
            counts = thing.encoder(t)
        return counts

    assert swept({"screw.play_um": 0}, 1600) == 1000
    assert swept({"screw.play_um": 10}, 1600) == 980
    assert swept({"screw.play_um": 0, "sensor.encoder.gain_permille": 1010}, 1600) == 1010
    assert swept({"screw.play_um": 0, "sensor.encoder.missed_ppm": 50_000}, 1600) == pytest.approx(950, abs=12)


def test_index_pulses_jitter() -> None:
    thing = plant({"sensor.index.jitter_ns": 20_000})
    late = []
    t = 0
    for _ in range(40):
        end = turn(thing, 3200, t)
        go(thing, end)
        late.append(thing.carriage.index_t - end)
        t = end
    assert max(late) > 100 and min(late) < -100
    assert max(abs(x) for x in late) <= 500


@pytest.mark.requirement("SR-05")
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("plunger.torque_mnm", 3, "encoder"),
        ("plunger.break_n", 30, "encoder"),
        ("drive.torque_mnm", 15, "depth"),
        ("needle.occlusion", 1_000_000, "occlusion"),
    ],
)
def test_the_firmware_sees_what_a_sensor_can_show(name: str, value: float, reason: str, here: Bench) -> None:
    injector = here.ready()
    world(here).plant.set(world(here)._t, name, value)
    assert injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek").reason == reason


def test_the_carriage_stands_at_its_end_and_the_motor_loses_what_it_makes() -> None:
    thing = plant({"carriage.back_um": 1_000, "screw.play_um": 0})
    thing.set_input(0, wire.INPUT_CONTACT, False)
    thing.set_input(0, wire.INPUT_SYRINGE, False)
    for bit in (wire.INPUT_TRIGGER_A, wire.INPUT_TRIGGER_B):
        thing.set_input(0, bit, True)
    thing.feed_deadman(0)
    t, ms = 0, 25_000
    tip_ul = thing.fluid.tip_ul

    def move(steps: int, forward: int) -> None:
        nonlocal t
        thing.feed_deadman(t)
        thing.permit(t, True, True)
        thing.feed(t, thing.plunger, axis.Batch(((steps - 1) << 1 | forward, 3_125), 2, 1, False))
        t += steps * 3_125 + ms
        go(thing, t)

    move(1_600, 0)
    assert thing.encoder(t) == -1_000
    move(1_600, 0)
    assert thing.encoder(t) == -2_000, "1,000 um are 3,200 steps"
    move(800, 0)
    assert (thing.encoder(t), thing.plunger.position(t)) == (-2_000, -4_000)
    move(800, 1)
    assert (thing.encoder(t), thing.plunger.position(t)) == (-1_500, -3_200), "it follows at once"
    assert (thing.fluid.tip_ul, thing.fluid.pressure_kpa) == (tip_ul, 0.0), "nothing was drawn in"
