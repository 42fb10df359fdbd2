"""The board file on the twin against the simulator's board: the same calls, results and times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesoinjector.results import Delivered, Result
from tests.bench_of_one import Bench
from tests.rp2 import calls
from tests.rp2.scenarios import SCENARIOS


@pytest.mark.parametrize(
    ("scenario", "reason"),
    SCENARIOS,
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
