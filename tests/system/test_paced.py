"""Real time, real processes: a host killed by SIGKILL and a line that is really closed. Bounded by events."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import Delivered, Injector
from mesosim.runtime import Paced
from tests.bench_of_one import Bench

PLAN = """
[plan]
name = "One large dose"
mode = "metered"
points = 1
profile = "1ml-30G4-aqueous"
prime_ml = 0.1

[[zone]]
name = "body"
depth_mm = 1.0
volume_ml = 0.2
points = 1
"""
PATIENCE_S = 30.0


@pytest.fixture
def device(runtime: str) -> Iterator[Paced]:
    paced = Paced(1, runtime)
    yield paced
    paced.close()


def until(device: Paced, seen: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask the plant until `seen`; each question is answered within one turn of the device's loop."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        plant: dict[str, Any] = device.control("account")
        if seen(plant):
            return plant
    raise AssertionError(f"not seen in {PATIENCE_S} s: {plant}")


def test_host_killed_and_line_closed_in_mid_dose(device: Paced, tmp_path: Path) -> None:
    plan, journal = tmp_path / "plan.toml", tmp_path / "journal.sqlite"
    plan.write_text(PLAN)
    command = [sys.executable, "-m", "mesoinjector", "run", str(plan), "--bench", "--yes", "--device", device.path]
    command += ["--journal", str(journal), "--report", str(tmp_path / "report.html")]
    host = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    primed = until(device, lambda plant: plant["tip_nl"] > 10_000)
    device.unplug()
    until(device, lambda plant: plant["skin_nl"] > 20_000)
    os.kill(host.pid, signal.SIGKILL)
    host.wait()

    plant = until(device, lambda plant: plant["needle_home"] and not plant["moving"])
    assert plant["skin_nl"] < 150_000
    rest = until(device, lambda p: p["t_us"] > plant["t_us"] + 1_000_000)
    with Injector.open(device.path, journal) as injector:
        (resolved,) = injector.resolved
        assert isinstance(resolved, Delivered) and resolved.reason == "link_lost"
        assert resolved.lower_nl <= rest["tip_nl"] - primed["tip_nl"] + 2_000
        assert resolved.upper_nl >= rest["skin_nl"]
    assert device.control("account")["plunger_steps"] == rest["plunger_steps"]


def test_the_same_dose_in_real_and_in_virtual_time(
    device: Paced, make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    with Injector.open(device.path, tmp_path / "journal.sqlite") as injector:
        injector.begin_treatment()
        injector.prime(0.1)
        real = injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
    virtual = make_bench().ready().dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
    assert isinstance(real, Delivered) and isinstance(virtual, Delivered)
    assert real.delivered_nl == pytest.approx(virtual.delivered_nl, rel=0.02)
