"""Drawn devices with benches of their own, and the doses they give from the front third of a syringe.

All thirds, conditions, needles and fluids are `mesoinjector evidence`'s: see `mesosim.evidence.dose_accuracy`.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from mesoinjector import Delivered
from mesosim.evidence.dose_accuracy import DEPTH_MM, DOSES_NL, ZONE
from mesosim.evidence.specimen import drawn
from mesosim.lab.report import statistics
from mesosim.runtime import InProcess
from mesosim.world import parameters as p
from tests.bench_of_one import Bench

DEPTH_GOAL_UM = 100.0


class Given(NamedTuple):
    """One dose of one device."""

    asked_nl: int
    skin_nl: int
    within: bool
    """Whether the truth lies within the device's bounds."""
    complete: bool

    @property
    def error_percent(self) -> float:
        return 100.0 * (self.skin_nl - self.asked_nl) / self.asked_nl


def device(seed: int, spread: float = 1.0) -> Bench:
    """A drawn device with a journal of its own; its tolerances multiplied by `spread`."""
    folder = Path(tempfile.mkdtemp(prefix="accuracy"))
    return Bench(InProcess(seed, values=drawn(seed, spread, {})), folder / "journal.sqlite")


def deepest_um(bench: Bench) -> float:
    """How far the needle protrudes at bottom dead centre, the depth stop being where it is."""
    device: Any = bench.device
    protrusion: float = device.world.plant.carriage.needle_um(p.STEPS_PER_TURN // 2)
    return protrusion


def give(seed: int, doses_nl: tuple[int, ...] = DOSES_NL, spread: float = 1.0) -> list[Given]:
    """What one device gives: the doses in turn, once primed."""
    bench = device(seed, spread)
    injector = bench.ready()
    found = []
    for asked in doses_nl:
        before = bench.plant()["skin_nl"]
        result = injector.dose(volume_ml=asked / 1e6, depth_mm=DEPTH_MM, zone=ZONE)
        skin = bench.plant()["skin_nl"] - before
        within = isinstance(result, Delivered) and result.lower_nl <= skin <= result.upper_nl
        found.append(Given(asked, skin, within, isinstance(result, Delivered) and result.complete))
    return found


def inside(found: statistics.Spread, goal: float) -> bool:
    """Whether all of it lies within -+ goal."""
    return found.normal is not None and -goal <= found.normal[0] and found.normal[1] <= goal


def told(found: statistics.Spread) -> str:
    """In words."""
    low, high = found.normal or (math.nan, math.nan)
    spread = f"drawn {found.least:+.2f} to {found.most:+.2f}"
    return f"{found.mean:+.2f}, s {found.deviation:.2f}: {low:+.2f} to {high:+.2f} ({spread})"
