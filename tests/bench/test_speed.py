"""How fast the simulator is: virtual time by the time that processors worked for it, host and device.

Beside it, how fast the same interpreter calls methods: both suffer where the machine is slow.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mesosim import runtime as simulator
from mesosim.micropython import NoMicroPython
from tests.bench import bare
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
        rounds = [(speed(runtime, tmp_path / f"{n}.sqlite"), bare.calls(runtime)) for n in range(ROUNDS)]
    except NoMicroPython as missing:
        pytest.skip(str(missing))
    name = f"simulated run of {RUN_S // 60} minutes, firmware on {runtime}: seconds by seconds of processors"
    figures.timed(name, f"hundred thousand bare method calls on {runtime}", "/s", "more", rounds)


def speed(runtime: str, journal: Path) -> float:
    """Virtual seconds in one of both processes' work for them, the device's start included."""
    before = bare.children_s()
    bench = Bench(simulator.start(runtime, 1), journal)
    injector = bench.connect()
    injector.begin_treatment()
    start_us, busy = bench.plant()["t_us"], time.process_time()
    result = injector.fractional(
        strokes=STROKES, duration_s=RUN_S, depth_mm=1.0, zone="body", area_cm2=1200, needles=12
    )
    busy, end_us = time.process_time() - busy, bench.plant()["t_us"]
    bench.device.close()
    assert getattr(result, "strokes", 0) == STROKES
    virtual_s: float = (end_us - start_us) / 1e6
    return virtual_s / (busy + bare.children_s() - before)
