"""What stops the motors with no firmware in the path: the real board file under a firmware that hangs in mid-dose."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mesoinjector.errors import MesoError
from mesoprotocol import limits, messages
from mesosim.rp2 import ticks
from tests.bench_of_one import Bench
from tests.rp2 import calls

MS = 1000


@pytest.fixture(params=calls.CHIPS)
def device(request: pytest.FixtureRequest) -> calls.Recorded:
    """The board file on either chip."""
    made: calls.Recorded = request.param()
    return made


def hung_in_mid_dose(
    device: calls.Recorded, tmp_path: Path, act: Callable[[calls.Recorded], object]
) -> list[dict[str, Any]]:
    """`App.step` becomes an endless loop 5 ul into a dose, then `act`: the plant's accounts, one a millisecond."""
    injector = Bench(device, tmp_path / "j.sqlite").ready()
    start: list[int] = []
    accounts: list[dict[str, Any]] = []

    def endless(now: int) -> int:
        first = not accounts
        while True:
            accounts.append(device.control("account"))
            if first and len(accounts) == 20:
                act(device)
            ticks.sleep_ms(1)

    def listen(event: Any) -> None:
        if isinstance(event, messages.Telemetry) and event.needle_um > 1000:
            start.append(event.plunger_nl)
            if event.plunger_nl > start[0] + 5000:
                device.world.app.step = endless

    injector.listen(listen)
    with contextlib.suppress(MesoError):
        injector.dose(0.05, depth_mm=1.5, zone="cheek")
    assert accounts[19]["plunger_steps"] > accounts[0]["plunger_steps"], "the plunger goes on while the firmware hangs"
    assert not accounts[19]["needle_home"]
    return accounts


@pytest.mark.requirement("SR-28")
def test_a_hung_firmware_starves_the_dead_man(device: calls.Recorded, tmp_path: Path) -> None:
    accounts = hung_in_mid_dose(device, tmp_path, lambda device: None)
    fallen = accounts[limits.DEADMAN_MS + 1]
    assert fallen["plunger_steps"] == accounts[-1]["plunger_steps"]
    home = accounts[limits.DEADMAN_MS + limits.NEEDLE_HOME_MS]
    assert home["needle_home"] and not home["moving"]


@pytest.mark.requirement("SR-28")
@pytest.mark.parametrize(
    ("cause", "value"), [("input.trigger_a", 0), ("input.trigger_b", 0), ("input.contact", 0), ("input.estop", 1000)]
)
def test_what_stops_the_plunger_needs_no_firmware(
    device: calls.Recorded, tmp_path: Path, cause: str, value: int
) -> None:
    accounts = hung_in_mid_dose(device, tmp_path, lambda device: device.control("set", [cause, value]))
    assert accounts[20]["plunger_steps"] == accounts[19]["plunger_steps"], "no pulse after the permit has fallen"
    assert accounts[-1]["plunger_steps"] == accounts[19]["plunger_steps"]
    home = accounts[20 + limits.NEEDLE_HOME_MS]
    assert home["needle_home"] and not home["moving"]


def test_the_watchdog_restarts_a_chip_that_hangs(device: calls.Recorded, tmp_path: Path) -> None:
    boots = []
    accounts = hung_in_mid_dose(device, tmp_path, lambda device: boots.append(device.world))
    assert len(accounts) < 2100
    world = boots[0]
    assert world.board.boot_id and type(world.app.step).__name__ == "method", "a new firmware steps"
