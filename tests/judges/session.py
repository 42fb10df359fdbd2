"""What the judges have the firmware do: one whole session, metered and fractional; homing over the longest ways."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mesosim.runtime import Device, InProcess
from tests.bench_of_one import Bench


def give(device: Device, journal: Path) -> dict[str, Any]:
    """Prime, a dose, one drawn back, a run that is stopped, CLEAR, a run; the plant's account and its trace's hash."""
    bench = Bench(device, journal)
    injector = bench.keyed()
    injector.dose(0.02, depth_mm=1.0, zone="cheek")
    injector.dose(0.05, depth_mm=1.5, zone="cheek", retract=True)
    injector.fractional(40, depth_mm=1.0, zone="cheek", area_cm2=40)
    injector.stop()
    bench.rest(1_000_000)  # the hand lets go
    injector.clear()
    injector.fractional(30, depth_mm=1.0, zone="cheek", area_cm2=40)
    account = bench.plant()
    return {**account, **device.control("trace")}


def home() -> None:
    """Carriages that find their end just within their travel, and not at all; then a dose drawn back."""
    for back_um in (66_000_000, 80_000_000):
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(InProcess(1), Path(folder) / "journal.sqlite")
            bench.device.control("set", ("carriage.back_um", back_um))
            injector = bench.connect()
            injector.begin_treatment()
            for mounted in (0, 1):
                for name in ("syringe", "cartridge"):
                    bench.device.control(name, mounted)
                bench.rest(1_000_000)
                if not mounted:
                    assert injector.home().reason == ("complete" if back_um < 70_000_000 else "encoder")
                elif injector.status().latches:
                    injector.clear()
            injector.prime(0.1)
            injector.dose(0.05, depth_mm=1.5, zone="cheek", retract=True)
