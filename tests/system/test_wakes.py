"""The firmware is driven by events: it is called when something has happened or is due, and not in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mesosim import runtime as simulator
from tests.bench_of_one import Bench, world


class Counted:
    """An App that counts its calls."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.wakes = 0

    def step(self, now: int) -> int:
        """See `App`."""
        self.wakes += 1
        wait: int = self._app.step(now)
        return wait


def test_a_stroke_costs_at_most_four_wakes(tmp_path: Path) -> None:
    """Its index, its part of heartbeats and telemetry; the dead-man, the feeding and every check are in these."""
    bench = Bench(simulator.start("cpython", 1), tmp_path / "journal.sqlite")
    injector = bench.connect()
    injector.begin_treatment()
    counted = world(bench).app = Counted(world(bench).app)
    result = injector.fractional(strokes=900, duration_s=120, depth_mm=1.0, zone="body", area_cm2=1200, needles=12)
    assert getattr(result, "strokes", 0) == 900
    assert 900 <= counted.wakes <= 4 * 900


def test_a_device_that_nobody_talks_to_sleeps(tmp_path: Path) -> None:
    bench = Bench(simulator.start("cpython", 1), tmp_path / "journal.sqlite")
    bench.connect()
    counted = world(bench).app = Counted(world(bench).app)
    bench.rest(600_000_000)
    # once a second it switches off again what is off; then there are the hand's last moves
    assert counted.wakes < 610
