"""Fluid that leaves elsewhere than at the needle, and air that comes in: found by the pressure that is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from mesoinjector import Delivered, Injector, errors
from mesoprotocol import wire
from tests.accuracy import grid
from tests.bench_of_one import Bench
from tests.summary import TOLD

LEAK = "seal.leak_nl_per_s_per_kpa"
SOFTEST = {"tissue.resistance_kpa_s_per_ul": 50, "tissue.pressure_kpa": 0, "tissue.stiffness_kpa": 0}
"""The least that skin is estimated to resist, in thousandths."""


def let(bench: Bench, symbols: Mapping[str, int]) -> None:
    """Symbols, in thousandths."""
    for name, value in symbols.items():
        bench.device.control("set", [name, value])


def doses(injector: Injector) -> list[Any]:
    """One of each mode."""
    return [
        injector.dose(volume_ml=0.02, depth_mm=4.0, zone="body"),
        injector.dose(volume_ml=0.2, depth_mm=4.0, zone="body"),
        injector.repeat(volume_ml=0.05, stroke_ml=0.005, rate_per_min=60, depth_mm=4.0, zone="body"),
        injector.perfusion(volume_ml=0.05, flow_ul_per_s=16, depth_mm=4.0, zone="body"),
    ]


@pytest.mark.requirement("SR-05", "SR-08")
@pytest.mark.parametrize("seed", range(1, 7))
def test_the_softest_skin_is_no_leak(seed: int) -> None:
    bench = grid.device(seed)
    let(bench, SOFTEST)
    injector = bench.ready()
    assert [result.reason for result in doses(injector)] == ["complete"] * 4


@pytest.mark.requirement("SR-05", "SR-26")
@pytest.mark.parametrize("ul_s_kpa", [3, 5, 20])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_leak_that_comes_after_the_prime(
    seed: int, ul_s_kpa: int, record_property: Callable[[str, Any], None]
) -> None:
    bench = grid.device(seed)
    injector = bench.ready()
    let(bench, {LEAK: ul_s_kpa * 1_000_000})
    before = bench.plant()
    result = injector.dose(volume_ml=0.2, depth_mm=2.0, zone="body")
    tip = bench.rest()["tip_nl"] - before["tip_nl"]
    assert isinstance(result, Delivered) and result.reason == "leak"
    assert not result.exact and not result.complete
    assert result.lower_nl <= tip <= result.upper_nl
    pushed = bench.plant()["plunger_steps"] - before["plunger_steps"]
    told = f"{ul_s_kpa} ul/s/kPa, device {seed}: {pushed * 5.608e-3:.1f} ul pushed, {tip} nl in"
    record_property(TOLD, ["leak", told])
    assert pushed * 5.608e-3 < 30
    # nothing goes on before somebody has looked at it
    with pytest.raises(errors.DeviceError, match="LATCHED"):
        injector.dose(volume_ml=0.02, depth_mm=2.0, zone="body")
    injector.clear()
    with pytest.raises(errors.DeviceError, match="NOT_PRIMED"):
        injector.dose(volume_ml=0.02, depth_mm=2.0, zone="body")
    let(bench, {LEAK: 0})
    injector.prime(0.1)
    assert injector.dose(volume_ml=0.02, depth_mm=2.0, zone="body").reason == "complete"


@pytest.mark.requirement("SR-05", "SR-26")
@pytest.mark.parametrize("which", ["repeat", "perfusion"])
def test_a_leak_in_a_run_of_doses(which: str) -> None:
    bench = grid.device(1)
    injector = bench.ready()
    let(bench, {LEAK: 20_000_000})
    before = bench.plant()
    if which == "repeat":
        result = injector.repeat(volume_ml=0.1, stroke_ml=0.005, rate_per_min=60, depth_mm=2.0, zone="body")
    else:
        result = injector.perfusion(volume_ml=0.1, flow_ul_per_s=20, depth_mm=2.0, zone="body")
    tip = bench.rest()["tip_nl"] - before["tip_nl"]
    assert isinstance(result, Delivered) and result.reason == "leak"
    assert result.lower_nl <= tip <= result.upper_nl
    assert (bench.plant()["plunger_steps"] - before["plunger_steps"]) * 5.608e-3 < 20


@pytest.mark.requirement("SR-05", "SR-08")
@pytest.mark.parametrize(("ul_s_kpa", "reason"), [(0, "complete"), (2, "leak"), (20, "no_flow")])
@pytest.mark.parametrize("seed", [1, 4, 6])
def test_a_leak_that_was_there_from_the_start_ends_the_prime(seed: int, ul_s_kpa: int, reason: str) -> None:
    bench = grid.device(seed)
    let(bench, {LEAK: ul_s_kpa * 1_000_000})
    injector = bench.connect()
    injector.begin_treatment()
    result = injector.prime(0.1)
    assert result.reason == reason
    assert result.lower_nl <= bench.plant()["tip_nl"] <= result.upper_nl
    assert (injector.status().latches & wire.LATCH_FAULT != 0) == (reason == "leak")


@pytest.mark.requirement("SR-08")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_air_that_comes_after_the_prime(seed: int) -> None:
    bench = grid.device(seed)
    injector = bench.ready()
    let(bench, {"bubble.volume_nl": 100_000_000})
    before = bench.plant()
    result = injector.dose(volume_ml=0.1, depth_mm=2.0, zone="body")
    tip = bench.rest()["tip_nl"] - before["tip_nl"]
    assert isinstance(result, Delivered) and result.reason == "leak"
    assert result.lower_nl <= tip <= result.upper_nl
