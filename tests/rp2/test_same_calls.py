"""The board file on the twin against the simulator's board: the same calls, results and times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesoinjector.results import Delivered, Result
from mesoprotocol import messages
from tests.bench_of_one import Bench
from tests.rp2 import calls


def dose(bench: Bench) -> Result:
    return bench.ready().dose(0.02, depth_mm=1.5, zone="cheek")


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


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [(dose, "complete"), (released, "trigger"), (stopped, "stop"), (emergency, "estop"), (fractional, "complete")],
)
def test_the_board_file_does_what_the_simulators_board_does(
    scenario: Callable[[Bench], Result], reason: str, tmp_path: Path
) -> None:
    simulated = calls.simulated()
    expected = scenario(Bench(simulated, tmp_path / "simulated.sqlite"))
    assert isinstance(expected, Delivered) and expected.reason == reason
    account: Any = simulated.control("account")
    for chip in calls.CHIPS:
        device = chip()
        result = scenario(Bench(device, tmp_path / f"{chip.__name__}.sqlite"))
        assert calls.differences(simulated.log.calls, device.log.calls) == []
        assert isinstance(result, Delivered) and result.reason == reason
        own: Any = device.control("account")
        assert (own["plunger_steps"], own["punctures"]) == (account["plunger_steps"], account["punctures"])
        assert abs(own["skin_nl"] - account["skin_nl"]) <= 2
        assert all(motor.unforeseen == 0 for motor in device.world.motors)
