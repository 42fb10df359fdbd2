"""How fast the simulator is: virtual time by the time that processors worked for it, host and device."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mesosim import runtime as simulator
from mesosim.micropython import NoMicroPython
from tests.bench.figures import Figures
from tests.bench_of_one import Bench

ROUNDS = 3
RUN_S = 600
STROKES = 8_950
"""Some ten minutes at 900 a minute."""


@pytest.mark.parametrize("runtime", simulator.RUNTIMES)
def test_minutes_of_punctures(runtime: str, tmp_path: Path, figures: Figures) -> None:
    """At 900 a minute, every stroke checked by the firmware and recorded by a connected host."""
    try:
        rounds = [virtual_and_busy(runtime, tmp_path / f"{n}.sqlite") for n in range(ROUNDS)]
    except NoMicroPython as missing:
        pytest.skip(str(missing))
    name = f"simulated run of {RUN_S // 60} minutes, firmware on {runtime}"
    figures.timed(name, "processor time", "s", "more", rounds, of_machine=True)


def virtual_and_busy(runtime: str, journal: Path) -> tuple[float, float]:
    """Seconds of the run in the device's time, and of both processes' work for it, the device's start included."""
    ended = os.times()
    bench = Bench(simulator.start(runtime, 1), journal)
    injector = bench.connect()
    injector.begin_treatment()
    start_us, busy = bench.plant()["t_us"], time.process_time()
    result = injector.fractional(
        strokes=STROKES, duration_s=RUN_S, depth_mm=1.0, zone="body", area_cm2=1200, needles=12
    )
    busy, end_us = time.process_time() - busy, bench.plant()["t_us"]
    bench.device.close()
    device = os.times().children_user + os.times().children_system - ended.children_user - ended.children_system
    assert getattr(result, "strokes", 0) == STROKES
    return (end_us - start_us) / 1e6, busy + device
