"""How fast it is: figures with their unit, ratios in one run. Nothing here is judged; it is printed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mesosim import runtime as simulator
from mesosim.micropython import NoMicroPython
from tests.bench_of_one import Bench

HALF_AN_HOUR_S = 1800


@pytest.mark.parametrize("runtime", simulator.RUNTIMES)
def test_half_an_hour_of_punctures(runtime: str, tmp_path: Path) -> None:
    """30 minutes at 900 a minute, every stroke checked by the firmware and recorded by a connected host."""
    try:
        bench = Bench(simulator.start(runtime, 1), tmp_path / "journal.sqlite")
    except NoMicroPython as missing:
        pytest.skip(str(missing))
    injector = bench.connect()
    injector.begin_treatment()
    start, busy = time.perf_counter(), time.process_time()
    result = injector.fractional(strokes=26_950, duration_s=1800, depth_mm=1.0, zone="body", area_cm2=1200, needles=12)
    wall, busy = time.perf_counter() - start, time.process_time() - busy
    ended = os.times()
    bench.device.close()
    device = os.times().children_user + os.times().children_system - ended.children_user - ended.children_system
    assert getattr(result, "strokes", 0) == 26_950
    print(
        f"\n{runtime}: 26,950 strokes in {wall:.2f} s of wall time, {busy:.2f} s of processor time in the host's "
        f"process and {device:.2f} s in the device's: {HALF_AN_HOUR_S / wall:,.0f} times real time by the wall, "
        f"{HALF_AN_HOUR_S / (busy + device):,.0f} by the processor"
    )
