"""A dose whose needle is drawn back while it flows: outward only, evenly, and no further than it may."""

from __future__ import annotations

from typing import Any

import pytest

from mesoinjector import Delivered, DeviceError
from mesoprotocol import limits, messages, wire
from tests.bench_of_one import Bench, after_flow, world

DEEP: dict[str, Any] = {"volume_ml": 0.1, "depth_mm": 3.0, "zone": "body"}


class Drawn:
    """Where the depth stop is, in um, whenever the plant has gone on with the tip in skin."""

    def __init__(self, bench: Bench) -> None:
        self.seen_um: list[int] = []
        self._carriage = world(bench).plant.carriage
        self._fluid = world(bench).plant.fluid
        self._advance = self._fluid.advance
        self._fluid.advance = self._look

    def _look(self, t: int) -> None:
        self._advance(t)
        if self._fluid.in_skin:
            self.seen_um.append(10 * self._carriage.depth.position(t))


def tips(bench: Bench) -> tuple[int, int]:
    account = bench.plant()
    return account["tip_nl"], account["skin_nl"]


@pytest.mark.requirement("SR-26", "SR-29")
@pytest.mark.parametrize(
    ("depth_mm", "volume_ml", "end_um"), [(4.0, 0.2, 2000), (3.0, 0.1, 1500), (0.8, 0.02, 500), (0.5, 0.02, 500)]
)
def test_the_needle_is_drawn_back_while_it_flows(depth_mm: float, volume_ml: float, end_um: int, here: Bench) -> None:
    injector = here.ready()
    drawn = Drawn(here)
    samples: list[tuple[int, int]] = []
    injector.listen(
        lambda event: (
            samples.append((event.plunger_nl, event.needle_um)) if isinstance(event, messages.Telemetry) else None
        )
    )
    before = tips(here)
    result = injector.dose(volume_ml, depth_mm, "body", retract=True)
    tip, skin = (after - was for after, was in zip(tips(here), before, strict=True))
    assert isinstance(result, Delivered) and result.complete
    assert result.lower_nl <= tip <= result.upper_nl
    assert skin > 0.98 * tip
    # outward only, from the depth that was set to the one where it ends
    assert drawn.seen_um == sorted(drawn.seen_um, reverse=True)
    assert (drawn.seen_um[0], drawn.seen_um[-1]) == (round(depth_mm * 1000), end_um)
    # evenly: as much of the way as of the volume
    first = samples[0][0]
    for nl, um in samples:
        part = (nl - first) / (volume_ml * 1e6)
        if 0.05 < part < 0.95:
            assert abs(um - (depth_mm * 1000 - part * (depth_mm * 1000 - end_um))) < 100
    assert injector.ledger(result.n).mode == wire.MODE_RETROGRADE
    intended = [row[5] for row in injector.journal.entries() if row[2] == "intended"]
    assert intended[-1]["kind"] == "retrograde"
    # the next one is as deep as it is set to
    drawn.seen_um.clear()
    assert injector.dose(0.02, depth_mm, "body").reason == "complete"
    assert set(drawn.seen_um) == {round(depth_mm * 1000)}


@pytest.mark.requirement("SR-26", "SR-29")
@pytest.mark.parametrize("by", ["trigger", "stop"])
def test_a_stop_on_the_way_ends_it_as_any_dose(by: str, here: Bench) -> None:
    injector = here.ready()
    if by == "stop":
        injector.listen(after_flow(40_000, lambda: injector.stop()))
    else:
        here.device.control("release_after_us", 2_500_000)
    drawn = Drawn(here)
    before = tips(here)[0]
    result = injector.dose(**DEEP, retract=True)
    after = here.plant()
    assert isinstance(result, Delivered) and result.reason == by and not result.complete
    assert result.lower_nl <= after["tip_nl"] - before <= result.upper_nl
    assert after["needle_home"] and not after["moving"]
    assert 2000 < drawn.seen_um[-1] < 2800
    here.device.control("release_after_us", 0)
    injector.wait(1.0)
    injector.clear()
    drawn.seen_um.clear()
    assert injector.dose(**DEEP).reason == "complete"
    assert set(drawn.seen_um) == {3000}


@pytest.mark.requirement("SR-31")
def test_a_stop_that_does_not_follow_is_told(here: Bench) -> None:
    injector = here.ready()
    injector.listen(after_flow(1_000, lambda: here.device.control("set", ["depth.torque_mnm", 0])))
    result = injector.dose(**DEEP, retract=True)
    assert result.reason == "depth"
    assert injector.status().latches & wire.LATCH_FAULT


@pytest.mark.requirement("SR-01", "SR-04")
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"mode": wire.MODE_REPEAT}, "RANGE"),
        ({"mode": wire.MODE_PERFUSION}, "RANGE"),
        ({"mode": wire.MODE_DRY}, "RANGE"),
        ({"mode": wire.MODE_RETROGRADE - 1}, "RANGE"),
        ({"volume_nl": limits.DOSE_MIN_NL - 1}, "RANGE"),
        ({"volume_nl": limits.DOSE_MAX_NL + 1}, "RANGE"),
        ({"depth_um": limits.METERED_DEPTH_MIN_UM - 1}, "RANGE"),
        ({"depth_um": 2_001, "zone": 1}, "ZONE_LIMIT"),
    ],
)
def test_the_device_refuses(change: dict[str, Any], status: str, here: Bench) -> None:
    injector = here.ready()
    good = messages.Prepare(b"abcdefgh", 2, 20_000, 1_000, wire.MODE_RETROGRADE, 1, 11, 0)
    with pytest.raises(DeviceError, match=status):
        injector._pump.request(good._replace(**change))
    injector._pump.request(good)
