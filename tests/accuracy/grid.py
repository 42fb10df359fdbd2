"""Drawn devices, the doses they give, and the tolerance intervals that the accuracy table of the design is judged by.

Each device is a whole one: host, firmware, plant. It is primed and gives a least, a middle and a largest dose from the
front, the middle and the rear third of its 1 ml syringe; what reached the skin is the plant's.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from scipy import integrate, optimize, stats

from mesoinjector import Delivered
from mesosim import handpiece
from mesosim.runtime import InProcess
from mesosim.world import parameters as p
from tests.bench_of_one import Bench

DEVICES = 60
CONTENT, CONFIDENCE = 0.975, 0.95
GOAL_PERCENT = 5.0
DEPTH_GOAL_UM = 100.0
DOSES_NL = (20_000, 100_000, 200_000)
THIRDS = ("front", "middle", "rear")
DEPTH_MM = 2.0


class Given(NamedTuple):
    """One dose of one device."""

    third: str
    asked_nl: int
    skin_nl: int
    within: bool
    """Whether the truth lies within the device's bounds."""
    protrusion_um: float
    complete: bool

    @property
    def error_percent(self) -> float:
        return 100.0 * (self.skin_nl - self.asked_nl) / self.asked_nl


def piece(spread: float = 1.0) -> handpiece.Handpiece:
    """The reference handpiece with its tolerances multiplied by `spread`."""
    symbols = handpiece.load().symbols
    wider = {name: each.model_copy(update={"tolerance": each.tolerance * spread}) for name, each in symbols.items()}
    return handpiece.Handpiece(symbols=wider)


def device(seed: int, spread: float = 1.0) -> Bench:
    """A drawn device with a journal of its own."""
    folder = Path(tempfile.mkdtemp(prefix="accuracy"))
    return Bench(InProcess(seed, values=piece(spread).drawn(seed)), folder / "journal.sqlite")


def deepest_um(bench: Bench) -> float:
    """How far the needle protrudes at bottom dead centre, the depth stop being where it is."""
    device: Any = bench.device
    protrusion: float = device.world.plant.carriage.needle_um(p.STEPS_PER_TURN // 2)
    return protrusion


def give(
    seed: int, thirds: tuple[str, ...] = THIRDS, doses_nl: tuple[int, ...] = DOSES_NL, spread: float = 1.0
) -> list[Given]:
    """What one device gives: the doses in turn, third by third."""
    bench = device(seed, spread)
    injector = bench.ready()
    found = []
    for third in thirds:
        for asked in doses_nl:
            before = bench.plant()["skin_nl"]
            result = injector.dose(volume_ml=asked / 1e6, depth_mm=DEPTH_MM, zone="body")
            skin = bench.plant()["skin_nl"] - before
            told = isinstance(result, Delivered)
            within = isinstance(result, Delivered) and result.lower_nl <= skin <= result.upper_nl
            complete = isinstance(result, Delivered) and told and result.complete
            found.append(Given(third, asked, skin, within, deepest_um(bench), complete))
    return found


def k_factor(n: int, content: float = CONTENT, confidence: float = CONFIDENCE) -> float:
    """Two-sided normal tolerance factor, exact: mean +- k s of n holds `content` with `confidence` (ISO 16269-6)."""

    def holds(k: float) -> float:
        def at(mean: float) -> float:
            # the half width that holds the content about a mean that is off by `mean`
            r = optimize.brentq(
                lambda half: stats.norm.cdf(mean + half) - stats.norm.cdf(mean - half) - content, 0.0, 20.0
            )
            density: float = stats.norm.pdf(mean, scale=1 / math.sqrt(n))
            wide: float = stats.chi2.sf((n - 1) * r * r / (k * k), n - 1)
            return density * wide

        edge = 6 / math.sqrt(n)
        whole: float = integrate.quad(at, -edge, edge, epsabs=1e-7)[0]
        return whole - confidence

    return float(optimize.brentq(holds, 1.5, 6.0, xtol=1e-5))


class Interval(NamedTuple):
    """A tolerance interval of a cell, and the spread that was drawn."""

    mean: float
    s: float
    low: float
    high: float
    least: float
    most: float

    def inside(self, goal: float) -> bool:
        """Whether all of it lies within -+ goal."""
        return self.low >= -goal and self.high <= goal

    def __str__(self) -> str:
        spread = f"drawn {self.least:+.2f} to {self.most:+.2f}"
        return f"{self.mean:+.2f}, s {self.s:.2f}: {self.low:+.2f} to {self.high:+.2f} ({spread})"


def interval(values: list[float], k: float) -> Interval:
    """mean -+ k s."""
    mean = sum(values) / len(values)
    s = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return Interval(mean, s, mean - k * s, mean + k * s, min(values), max(values))


def cells(given: list[Given]) -> dict[tuple[str, int], list[float]]:
    """Errors in percent by third and dose."""
    found: dict[tuple[str, int], list[float]] = {}
    for one in given:
        found.setdefault((one.third, one.asked_nl), []).append(one.error_percent)
    return found
