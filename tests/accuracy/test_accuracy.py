"""The accuracy table of the design, on sixty drawn devices; all of its cells are in `make evidence`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesoinjector import Delivered
from mesosim.evidence.dose_account import GOAL_PERCENT
from mesosim.evidence.dose_accuracy import DEVICES, DOSES_NL
from mesosim.lab.report import statistics
from tests.accuracy import grid
from tests.summary import TOLD

SOME = range(1, 21)
UNDELIVERED_UL = 10.0
RELEASED_NL = 2_000


def told(record: Callable[[str, Any], None], title: str, lines: list[str]) -> None:
    record(TOLD, [title, *lines])


@pytest.mark.requirement("SR-26")
def test_doses_from_the_front_third(record_property: Callable[[str, Any], None]) -> None:
    given = [one for seed in range(1, DEVICES + 1) for one in grid.give(seed)]
    assert all(one.complete and one.within for one in given)
    lines = []
    for asked in DOSES_NL:
        found = statistics.spread([one.error_percent for one in given if one.asked_nl == asked])
        lines.append(f"{asked / 1e3:.0f} ul, front third, n = {found.n}: {grid.told(found)} %")
        assert grid.inside(found, GOAL_PERCENT), lines[-1]
    told(record_property, "accuracy: dose error, mean -+ 2.670 s", lines)


def test_twice_the_tolerances_are_too_much() -> None:
    """The test above can fail: with such devices the least dose does not hold its goal."""
    given = [one for seed in range(1, DEVICES + 1) for one in grid.give(seed, (20_000,), 2.0)]
    found = statistics.spread([one.error_percent for one in given])
    assert not grid.inside(found, GOAL_PERCENT), grid.told(found)


@pytest.mark.requirement("SR-31")
def test_the_depth_of_strokes(record_property: Callable[[str, Any], None]) -> None:
    errors = []
    for seed in range(1, DEVICES + 1):
        bench = grid.device(seed)
        injector = bench.connect()
        injector.begin_treatment()
        result = injector.fractional(strokes=3, depth_mm=1.0, zone="cheek", area_cm2=10)
        assert isinstance(result, Delivered) and result.complete
        errors.append(grid.deepest_um(bench) - 1000.0)
    found = statistics.spread(errors)
    told(record_property, "accuracy: depth of strokes, um, mean -+ 2.670 s", [f"n = {len(errors)}: {grid.told(found)}"])
    assert grid.inside(found, grid.DEPTH_GOAL_UM)


@pytest.mark.requirement("SR-06", "SR-07", "SR-09", "SR-26")
@pytest.mark.parametrize("compliance", [None, 120, 220])
def test_an_occlusion_is_found_in_time_and_relieved(
    compliance: int | None, record_property: Callable[[str, Any], None]
) -> None:
    """Also with a syringe that is much stiffer or softer than its profile: the prime has measured it."""
    most, released = [], []
    for seed in SOME if compliance is None else SOME[:4]:
        bench = grid.device(seed)
        if compliance is not None:
            bench.device.control("set", ["syringe.compliance_nl_per_kpa", compliance * 1000])
        injector = bench.ready()
        bench.device.control("blocked", 1)
        before = bench.plant()
        fluid = bench.device.world.plant.fluid  # type: ignore[attr-defined]
        seen = watched(fluid)
        result = injector.dose(volume_ml=0.2, depth_mm=2.0, zone="body")
        assert result.reason == "occlusion"
        most.append(max(seen))
        stopped = bench.plant()
        bench.device.control("blocked", 0)
        released.append(bench.rest()["tip_nl"] - stopped["tip_nl"])
        if isinstance(result, Delivered):
            assert result.lower_nl <= stopped["tip_nl"] - before["tip_nl"] <= result.upper_nl
    line = f"n = {len(most)}, compliance {compliance or 'drawn'}: undelivered at most {max(most):.2f} ul"
    told(record_property, "accuracy: occlusion", [f"{line}, released at most {max(released)} nl"])
    assert max(most) <= UNDELIVERED_UL
    assert max(released) <= RELEASED_NL


def watched(fluid: Any) -> list[float]:
    """What the compliance stores, ul, whenever the plant has gone on."""
    seen = [0.0]
    advance = fluid.advance

    def look(t: int) -> None:
        advance(t)
        seen.append(fluid.pressure_kpa * fluid._c)

    fluid.advance = look
    return seen


@pytest.mark.requirement("SR-08")
@pytest.mark.parametrize(("symbol", "value"), [("bubble.volume_nl", 20_000), ("syringe.compliance_nl_per_kpa", 20)])
def test_air_or_another_syringe_is_found_at_prime(symbol: str, value: int) -> None:
    bench = grid.device(1)
    bench.device.control("set", [symbol, value * 1000])
    injector = bench.connect()
    injector.begin_treatment()
    result = injector.prime(0.1)
    assert isinstance(result, Delivered) and result.reason == "compliance" and not result.complete
