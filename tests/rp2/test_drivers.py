"""The motor drivers' faults, noticed by the board file on the twin: at rest by wire, in a dose by DIAG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mesoinjector import errors
from mesoinjector.results import Delivered
from mesoprotocol import messages, wire
from mesosim.rp2 import devices
from tests.bench_of_one import Bench
from tests.rp2 import calls

ASKED_US = 300_000
"""From one driver to the next."""


@pytest.mark.parametrize(
    ("address", "status"),
    [(0, devices.Drivers.RESET), (1, devices.Drivers.UNDERVOLTAGE), (2, devices.Drivers.SHUT_DOWN)],
)
def test_what_a_driver_has_at_rest_refuses_the_next_dose(address: int, status: int, tmp_path: Path) -> None:
    device = calls.twin()
    bench = Bench(device, tmp_path / "j.sqlite")
    injector = bench.ready()
    device.world.circuit.drivers.fail(address, status)
    for _ in range(3):
        bench.rest(ASKED_US)
    before = bench.plant()
    with pytest.raises(errors.MesoError, match=r"(?i)interlock"):
        injector.dose(0.02, depth_mm=1.5, zone="cheek")
    after = bench.plant()
    assert (after["plunger_steps"], after["punctures"]) == (before["plunger_steps"], before["punctures"])


def test_a_driver_that_shuts_down_in_a_dose_stops_it_needle_out(tmp_path: Path) -> None:
    device = calls.twin()
    bench = Bench(device, tmp_path / "j.sqlite")
    injector = bench.ready()
    start: list[int] = []

    def listen(event: Any) -> None:
        if isinstance(event, messages.Telemetry) and event.needle_um > 1000:
            start.append(event.plunger_nl)
            if event.plunger_nl > start[0] + 5000:
                device.world.circuit.drivers.fail(2, devices.Drivers.SHUT_DOWN)
                device.world.circuit.follow()

    injector.listen(listen)
    result = injector.dose(0.02, depth_mm=1.5, zone="cheek")
    assert isinstance(result, Delivered) and not result.complete
    assert result.reason == "drive_fault" and result.needle_home
    assert device.world.board.inputs() & wire.INPUT_DRIVE_FAULT
