"""How fast it is: figures with their unit, ratios in one run. Nothing here is judged; it is printed."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import tty
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mesoinjector import Injector
from mesosim import runtime as simulator
from mesosim.micropython import NoMicroPython
from mesosim.runtime import Paced
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


ECHO = """
import sys
source, sink = open(0, "rb", buffering=0), open(1, "wb", buffering=0)
import select
poll = select.poll(); poll.register(source, select.POLLIN)
while True:
    poll.poll()
    data = source.read(512)
    if data: sink.write(data)
"""


def test_round_trip_against_a_bare_echo(tmp_path: Path) -> None:
    """SYNC and STATUS, host to MicroPython firmware over a pty, against MicroPython echoing as many bytes."""
    device = Paced(1, "micropython")
    with Injector.open(device.path, tmp_path / "journal.sqlite") as injector:
        asked = {"SYNC": injector._pump.sync, "STATUS": injector.status}
        ours = {name: statistics.median(_timed(call) for _ in range(500)) for name, call in asked.items()}
    device.close()

    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    command = [sys.executable, "-m", "micropython_unix", "-c", ECHO]
    echo = subprocess.Popen(command, stdin=master, stdout=master, start_new_session=True)

    def exchange(size: int) -> None:
        os.write(slave, bytes(range(1, size + 1)))
        got = 0
        while got < size:
            got += len(os.read(slave, 512))

    exchange(1)
    print("\nround trip over a pty, median of 500:")
    for name, size in (("SYNC", 28), ("STATUS", 67)):
        bare = statistics.median(_timed(partial(exchange, size)) for _ in range(500))
        mine = ours[name]
        print(
            f"  {name:6} {mine * 1e6:4.0f} us; bare echo of {size} bytes {bare * 1e6:3.0f} us; ratio {mine / bare:.1f}"
        )
    echo.kill()
    echo.wait()


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
