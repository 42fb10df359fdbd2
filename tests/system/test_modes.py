"""The other metered modes: test dose, repeat (nappage) and perfusion, held by the released trigger."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mesoinjector import Delivered, DeviceError, PlanError, Unknown
from mesoprotocol import limits, messages, wire
from mesosim.lab.link import Killed
from tests.bench_of_one import Bench, after_flow, world

REPEAT: dict[str, Any] = {"volume_ml": 0.05, "stroke_ml": 0.01, "rate_per_min": 50, "depth_mm": 2.0, "zone": "body"}
PERFUSION: dict[str, Any] = {"volume_ml": 0.05, "flow_ul_per_s": 10, "depth_mm": 2.0, "zone": "body"}
HOLD_US, AGAIN_US = 2_000_000, 500_000
MODES = [("repeat", REPEAT), ("perfusion", PERFUSION)]


def within(result: object, given_nl: int) -> Delivered:
    """The truth lies within the bounds; a little fluid passes the tip of a needle at rest."""
    assert isinstance(result, Delivered)
    assert result.lower_nl <= given_nl <= result.upper_nl
    return result


@pytest.mark.requirement("SR-01", "SR-26")
def test_a_test_dose_and_the_wait_behind_it(bench: Bench) -> None:
    injector = bench.ready()
    before = bench.plant()["tip_nl"]
    result = within(injector.test_dose(0.01, 2.0, "body"), bench.plant()["tip_nl"] - before)
    assert result.complete and abs(result.delivered_nl - 10_000) < 500
    with pytest.raises(PlanError, match="20 of 20 minutes are left"):
        injector.dose(0.02, 2.0, "body")
    injector.wait(limits.TEST_WAIT_S)
    assert isinstance(injector.dose(0.02, 2.0, "body"), Delivered)


@pytest.mark.parametrize("volume_ml", [0.009, 0.021, float("nan")])
def test_a_test_dose_is_small(volume_ml: float, here: Bench) -> None:
    with pytest.raises(PlanError, match=r"volume_ml = .*: must be 0.01 to 0.02 ml"):
        here.ready().test_dose(volume_ml, 2.0, "body")


@pytest.mark.requirement("SR-26", "SR-29")
def test_a_repeat_is_strokes_of_the_same_volume(bench: Bench) -> None:
    injector = bench.ready()
    before = bench.plant()
    result = injector.repeat(**REPEAT)
    after = bench.plant()
    assert within(result, after["tip_nl"] - before["tip_nl"]).complete
    assert after["punctures"] - before["punctures"] == 5
    assert isinstance(result, Delivered) and result.strokes == result.asked_strokes == 5
    assert abs(result.delivered_nl - 50_000) < 1_000
    assert after["needle_home"] and not after["moving"]


def test_a_repeat_keeps_to_its_rate(here: Bench) -> None:
    injector = here.ready()
    starts: list[int] = []
    feed = world(here).board.drive.feed

    def watch(words: Any, n: int, cycles: int, hold: bool) -> None:
        if not hold:
            starts.append(world(here).board.t)
        feed(words, n, cycles, hold)

    world(here).board.drive.feed = watch
    assert isinstance(injector.repeat(**REPEAT), Delivered)
    period = 60 * 25_000_000 // REPEAT["rate_per_min"]
    gaps = [b - a for a, b in itertools.pairwise(starts)]
    # the first stroke waits for the depth stop to come home
    assert len(gaps) == 4 and all(abs(gap - period) < period / 100 for gap in gaps[1:])


def test_a_perfusion_flows_steadily(bench: Bench) -> None:
    injector = bench.ready()
    before = bench.plant()
    samples: list[messages.Telemetry] = []
    injector.listen(lambda event: samples.append(event) if isinstance(event, messages.Telemetry) else None)
    result = injector.perfusion(**PERFUSION)
    after = bench.plant()
    assert within(result, after["tip_nl"] - before["tip_nl"]).complete
    assert after["punctures"] - before["punctures"] == 1
    flowing = [s for s in samples if 10_000 < s.plunger_nl - samples[0].plunger_nl < 40_000]
    flow = (flowing[-1].plunger_nl - flowing[0].plunger_nl) * 1000 / (flowing[-1].time - flowing[0].time)
    assert flow == pytest.approx(PERFUSION["flow_ul_per_s"], rel=0.01)


def test_the_least_flow_is_given_whole(bench: Bench) -> None:
    """Of such a flow the carriage moves less than a count between two looks, which allow it less than one."""
    injector = bench.ready()
    before = bench.plant()["tip_nl"]
    result = injector.perfusion(**{**PERFUSION, "flow_ul_per_s": 1})
    assert within(result, bench.plant()["tip_nl"] - before).complete


@pytest.mark.requirement("SR-28", "SR-29", "SR-26")
@pytest.mark.parametrize("by", ["release_after_us", "lift_after_us"])
@pytest.mark.parametrize(("mode", "how"), MODES)
def test_released_it_holds_and_goes_on(mode: str, how: dict[str, Any], by: str, here: Bench) -> None:
    """By the trigger, or because contact is lost: needle home at once, and not a step more than asked in the end."""
    injector = here.ready()
    before = here.plant()
    here.device.control(by, HOLD_US)
    here.device.control("press_again_us", AGAIN_US)
    states: list[int] = []
    held: list[dict[str, Any]] = []

    def listen(event: Any) -> None:
        if isinstance(event, messages.PhaseEvent):
            states.append(event.state)
            if event.state == wire.STATE_HELD:
                held.append(here.plant())

    injector.listen(listen)
    result = getattr(injector, mode)(**how)
    after = here.plant()
    assert within(result, after["tip_nl"] - before["tip_nl"]).complete
    assert states[-3:] == [wire.STATE_HELD, wire.STATE_RUNNING, wire.STATE_IDLE]
    assert held[0]["needle_home"] and not held[0]["moving"]
    assert 0 < held[0]["tip_nl"] - before["tip_nl"] < 45_000
    assert abs(result.delivered_nl - 50_000) < 1_500


@pytest.mark.requirement("SR-26", "SR-29")
@pytest.mark.parametrize(("mode", "how"), MODES)
def test_held_for_too_long_it_ends_with_what_was_given(mode: str, how: dict[str, Any], here: Bench) -> None:
    injector = here.ready()
    before = here.plant()["tip_nl"]
    here.device.control("release_after_us", HOLD_US)
    result = getattr(injector, mode)(**how)
    assert within(result, here.plant()["tip_nl"] - before).reason == "held_timeout"
    assert not result.complete and 0 < result.delivered_nl < 45_000
    assert not world(here).plant.powered and not world(here).plant.permitted


@pytest.mark.requirement("SR-26", "SR-27")
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize(("mode", "how"), MODES)
def test_stop_ends_it(mode: str, how: dict[str, Any], held: bool, here: Bench) -> None:
    injector = here.ready()
    before = here.plant()["tip_nl"]
    if held:
        here.device.control("release_after_us", HOLD_US)
    link = here.link(injector)
    link.at(link.now_us() + (5_000_000 if held else 2_500_000), injector._send_stop)
    result = getattr(injector, mode)(**how)
    assert within(result, here.plant()["tip_nl"] - before).reason == "stop"
    rested = here.rest()
    assert rested["needle_home"] and not rested["moving"]


@pytest.mark.requirement("SR-30", "SR-26")
@pytest.mark.parametrize(("mode", "how"), MODES)
def test_without_its_host_it_ends(mode: str, how: dict[str, Any], here: Bench) -> None:
    injector = here.ready()
    before = here.plant()["tip_nl"]

    def die() -> None:
        here.link(injector).dead = True

    injector.listen(after_flow(15_000, die))
    with pytest.raises(Killed):
        getattr(injector, mode)(**how)
    rested = here.rest()
    (result,) = here.connect().resolved
    assert within(result, rested["tip_nl"] - before).reason == "link_lost"
    assert rested["needle_home"] and not rested["moving"]
    assert 10_000 < rested["tip_nl"] - before < 35_000


@pytest.mark.requirement("SR-25", "SR-26")
@pytest.mark.parametrize("swept_nl", [500, 9_000, 12_000, 33_000, 49_000])
@pytest.mark.parametrize(("mode", "how"), MODES)
def test_a_power_cut_leaves_bounds(mode: str, how: dict[str, Any], swept_nl: int, here: Bench) -> None:
    injector = here.ready()
    before = here.plant()["tip_nl"]

    def cut() -> None:
        here.link(injector).dead = True
        here.device.control("reset")

    injector.listen(after_flow(swept_nl, cut))
    with pytest.raises(Killed):
        getattr(injector, mode)(**how)
    rested = here.rest()
    (result,) = here.connect().resolved
    assert isinstance(result, Unknown) and result.reason == "interrupted"
    assert result.lower_nl <= rested["tip_nl"] - before <= result.upper_nl
    assert result.upper_nl - result.lower_nl < 17_000
    # nothing moves again
    here.device.control("press_again_us", AGAIN_US)
    assert here.rest()["plunger_steps"] == rested["plunger_steps"]


@pytest.mark.requirement("SR-25")
@pytest.mark.parametrize(("mode", "how"), MODES)
def test_its_id_moves_nothing_twice(mode: str, how: dict[str, Any], here: Bench) -> None:
    injector = here.ready()
    sent: list[Any] = []
    request = injector._pump.request

    def note(message: Any) -> Any:
        sent.append(message)
        return request(message)

    injector._pump.request = note  # type: ignore[method-assign]
    getattr(injector, mode)(**how)
    (prepared,) = [each for each in sent if isinstance(each, messages.PrepareSeries)]
    before = here.plant()["plunger_steps"]
    with pytest.raises(DeviceError, match="KNOWN_ID"):
        request(prepared)
    with pytest.raises(DeviceError, match="ID_CONFLICT"):
        request(prepared._replace(volume_nl=60_000))
    with pytest.raises(DeviceError, match="ID_CONFLICT"):
        request(prepared._replace(depth_um=1_000))
    assert here.rest()["plunger_steps"] == before


GOOD = (b"abcdefgh", 2, 50_000, 2_000, wire.MODE_REPEAT, 1, 11, 0, 10_000, 50, 0)
FLOWS = (b"abcdefgh", 2, 50_000, 2_000, wire.MODE_PERFUSION, 1, 11, 0, 0, 0, 10_000)


@pytest.mark.requirement("SR-01", "SR-04")
@pytest.mark.parametrize(
    ("base", "change", "status"),
    [
        (GOOD, {"stroke_nl": 4_999}, "RANGE"),
        (GOOD, {"stroke_nl": 50_000, "volume_nl": 49_999}, "RANGE"),
        (GOOD, {"rate_per_min": 5}, "RANGE"),
        (GOOD, {"flow_nl_per_s": 1_000}, "RANGE"),
        (GOOD, {"rate_per_min": 59}, "FLOW"),
        (GOOD, {"depth_um": 499}, "RANGE"),
        (GOOD, {"depth_um": 2_001, "zone": 1}, "ZONE_LIMIT"),
        (
            GOOD,
            {"stroke_nl": 20_001, "volume_nl": 60_000, "zone": 3, "depth_um": 1_000, "rate_per_min": 6},
            "ZONE_LIMIT",
        ),
        (GOOD, {"profile": 9}, "RANGE"),
        (GOOD, {"mode": wire.MODE_PERFUSION}, "RANGE"),
        (FLOWS, {"mode": wire.MODE_REPEAT}, "RANGE"),
        (FLOWS, {"volume_nl": 19_999}, "RANGE"),
        (FLOWS, {"volume_nl": 200_001}, "ZONE_LIMIT"),
        (FLOWS, {"flow_nl_per_s": 999}, "RANGE"),
        (FLOWS, {"flow_nl_per_s": 49_671}, "FLOW"),
        (FLOWS, {"rate_per_min": 50}, "RANGE"),
    ],
)
def test_the_device_refuses(base: tuple[Any, ...], change: dict[str, Any], status: str, here: Bench) -> None:
    """None of the driver's checks is in between."""
    injector = here.ready()
    good = messages.PrepareSeries(*base)
    with pytest.raises(DeviceError, match=status):
        injector._pump.request(good._replace(**change))
    injector._pump.request(good)


@pytest.mark.parametrize(
    ("mode", "change", "told"),
    [
        ("repeat", {"stroke_ml": 0.004}, "stroke_ml = 0.004: must be 0.005 to 0.05 ml"),
        ("repeat", {"volume_ml": 0.6}, "volume_ml = 0.6: must be 0.01 to 0.5 ml"),
        ("repeat", {"rate_per_min": 301}, "rate_per_min = 301: must be 6 to 300"),
        ("perfusion", {"flow_ul_per_s": 0.5}, "flow_ul_per_s = 0.5: must be 1 to 50 ul/s"),
        ("perfusion", {"volume_ml": 0.3}, "volume_ml = 0.3: must be 0.02 to 0.2 ml in zone body"),
    ],
)
def test_the_driver_refuses_before(mode: str, change: dict[str, Any], told: str, here: Bench) -> None:
    how = {**(REPEAT if mode == "repeat" else PERFUSION), **change}
    with pytest.raises(PlanError, match=told):
        getattr(here.ready(), mode)(**how)


@pytest.mark.requirement("SR-08")
def test_a_syringe_that_is_nearly_empty_is_said(here: Bench) -> None:
    injector = here.ready()
    flags = []
    for volume_ml in (0.2, 0.2, 0.2, 0.2):
        result = injector.dose(volume_ml, 2.0, "body")
        flags.append(injector.ledger(result.n).flags & wire.FLAG_NEAR_EMPTY)
    # 1 ml, less some 20 ul of priming: after the third dose 0.38 ml are left, less than two doses
    assert [bool(flag) for flag in flags] == [False, False, True, True]
    with pytest.raises(DeviceError, match="SYRINGE_EMPTY"):
        injector.dose(0.2, 2.0, "body")


@pytest.mark.requirement("SR-07", "SR-26")
@pytest.mark.parametrize(("mode", "how"), MODES)
def test_an_occlusion_ends_it(mode: str, how: dict[str, Any], here: Bench) -> None:
    injector = here.ready()
    before = here.plant()["tip_nl"]
    injector.listen(after_flow(22_000, lambda: here.device.control("blocked", 1)))
    result = getattr(injector, mode)(**how)
    assert within(result, here.plant()["tip_nl"] - before).reason == "occlusion"
    assert injector.status().latches & wire.LATCH_FAULT
