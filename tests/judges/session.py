"""One whole session, metered and fractional, as the judges of memory and of allocation have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mesosim.runtime import Device
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
