"""What is done with a device on either board, on either interpreter, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesoinjector.results import Result
from mesoprotocol import messages
from tests.bench_of_one import Bench


def dose(bench: Bench) -> Result:
    return bench.ready().dose(0.02, depth_mm=1.5, zone="cheek")


def retrograde(bench: Bench) -> Result:
    return bench.ready().dose(0.02, depth_mm=1.5, zone="cheek", retract=True)


def released(bench: Bench) -> Result:
    injector = bench.ready()
    bench.device.control("release_after_us", 600_000)
    return injector.dose(0.02, depth_mm=1.5, zone="cheek")


def stopped(bench: Bench) -> Result:
    injector = bench.ready()
    once(injector, lambda: injector.stop())
    return injector.dose(0.02, depth_mm=1.5, zone="cheek")


def emergency(bench: Bench) -> Result:
    injector = bench.ready()
    bench.device.control("fault", {"symbol": "input.estop", "value": 1, "at_us": 3_823_333})
    return injector.dose(0.02, depth_mm=1.5, zone="cheek")


def fractional(bench: Bench) -> Result:
    injector = bench.connect()
    injector.begin_treatment()
    return injector.fractional(10, 0.5, "cheek", area_cm2=10)


def once(injector: Any, act: Callable[[], Any]) -> None:
    """Act at the first telemetry with the needle at depth and 5 ul pushed."""
    acted: list[int] = []
    start: list[int] = []

    def listen(event: Any) -> None:
        if isinstance(event, messages.Telemetry) and event.needle_um > 1000:
            start.append(event.plunger_nl)
            if event.plunger_nl > start[0] + 5000 and not acted:
                acted.append(1)
                act()

    injector.listen(listen)


SCENARIOS = [
    (dose, "complete"),
    (retrograde, "complete"),
    (released, "trigger"),
    (stopped, "stop"),
    (emergency, "estop"),
    (fractional, "complete"),
]
"""Each with the reason that the device gives for its end."""
