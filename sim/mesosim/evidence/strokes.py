"""Stroke accuracy: how deep the needle goes, and how regularly; the questions of 21 CFR 878.4430(b)(2)(i)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from mesoinjector import Delivered, MesoError, Result
from mesoinjector.connection import STOP_BYTES
from mesosim.evidence import strokes_account, strokes_plots
from mesosim.evidence.specimen import called
from mesosim.evidence.stroke_trace import StrokeTrace, specimen, step_interval_us
from mesosim.evidence.study import Row, Rows, Study
from mesosim.lab.link import MortalLink

DEVICES, QUICK_DEVICES = 60, 8
DOSE_NL = 20_000
STROKES = 12
"""In a run for depth."""
RATES_PER_MIN = (60, 300, 900, 1800)
RATE_STROKES = 120
LONG_RATE_PER_MIN, LONG_STROKES = 900, 26_990
"""A run may last 30 minutes; the depth stop takes 0.4 s of them, ramps and the hand some more."""
LONG_DEVICES, QUICK_LONG_DEVICES = 3, 1
SKINS: dict[str, dict[str, float]] = {
    "reference": {},
    "soft and slack": {"skin.stiffness_n_per_mm": 0.1, "skin.bulge_um": 400},
    "tough": {"skin.puncture_n": 0.5, "skin.friction_n": 0.1},
    "tight and flat": {"skin.stiffness_n_per_mm": 2, "skin.bulge_um": 50},
    "a trembling hand": {"tremor.amplitude_um": 250},
}
"""What each sets in the plant, within the ranges of docs/plant.md."""
SKIN_DEVICES, QUICK_SKIN_DEVICES = 10, 2
STOPS_MS = (758, 765, 772, 780, 790, 800)
"""STOP so long after a run was asked for: the hand presses at 750 ms; then the depth stop is on its way."""
CRYSTAL_PPM = 50.0
"""Choice: what a common crystal may be off by, in all: 30 ppm when new, the rest by temperature and age."""
AREA_CM2, LONG_AREA_CM2 = 20, 1100
ZONE, DOSE_ZONE = "cheek", "body"


class Case(NamedTuple):
    """One device."""

    part: str
    seed: int
    setting: str = ""
    spread: float = 1.0


def cases(quick: bool, seed: int) -> list[Case]:
    """All devices of all parts; the longest first."""
    devices = range(seed, seed + (QUICK_DEVICES if quick else DEVICES))
    skinned = range(seed, seed + (QUICK_SKIN_DEVICES if quick else SKIN_DEVICES))
    stops = STOPS_MS[1::3] if quick else STOPS_MS
    return [
        *(Case("long", one) for one in range(seed, seed + (QUICK_LONG_DEVICES if quick else LONG_DEVICES))),
        *(Case("depth", one) for one in devices),
        *(Case("rates", one) for one in devices),
        *(Case("skins", one, skin) for skin in SKINS for one in skinned),
        *(Case("stopped", one, f"STOP after {ms} ms") for ms in stops for one in skinned),
    ]


def run(case: Case) -> Rows:
    """Play one device."""
    return {"depth": _depth, "rates": _rates, "skins": _skins, "stopped": _stopped, "long": _long}[case.part](case)


class Bench:
    """One device, its host, and what its plant does."""

    def __init__(self, case: Case, settings: dict[str, float] | None = None) -> None:
        self.case = case
        self.specimen, self.log = specimen(case.seed, case.spread, settings)
        self.host = self.specimen.injector
        self.host.begin_treatment()

    def strokes(self, n: int, depth_um: int, rate_per_min: int = 900, area_cm2: int = AREA_CM2) -> str:
        """Make a run; "complete", or what came in between. Its strokes stand in `log`."""
        self.log.begin()
        try:
            return _outcome(self.host.fractional(n, depth_um / 1e3, ZONE, area_cm2, rate_per_min))
        except MesoError as error:
            return called(error)

    def dose(self, depth_um: int) -> str:
        """Give a small dose; as `strokes`."""
        self.log.begin()
        try:
            return _outcome(self.host.dose(DOSE_NL / 1e6, depth_um / 1e3, DOSE_ZONE))
        except MesoError as error:
            return called(error)

    def depths(self, mode: str, setting: str, depth_um: int, asked: int, outcome: str) -> list[Row]:
        """Rows of the last run or dose, a stroke each; one alone if it made none."""
        common: Row = {
            "seed": self.case.seed,
            "mode": mode,
            "setting": setting,
            "depth_um": depth_um,
            "asked": asked,
            "outcome": outcome,
            "complete": int(outcome == "complete"),
        }
        if not self.log.bottoms:
            return [common | {"stroke": 0, "made": 0, "error_um": "", "skin_error_um": "", "pierced": 0}]
        return [
            common
            | {
                "stroke": number,
                "made": 1,
                "error_um": round(bottom.protrusion_um - depth_um, 3),
                "skin_error_um": round(bottom.reached_um - depth_um, 3),
                "pierced": int(bottom.pierced),
            }
            for number, bottom in enumerate(self.log.bottoms, 1)
        ]


def _outcome(result: Result) -> str:
    whole = isinstance(result, Delivered) and result.complete
    return "complete" if whole else getattr(result, "reason", type(result).__name__)


def _depth(case: Case) -> Rows:
    """Runs and doses at each depth, in an order drawn for each device: the depth stop comes from either side."""
    bench = Bench(case)
    rows: list[Row] = []
    draw = random.Random(f"strokes {case.seed}")
    for depth in draw.sample(strokes_account.RUN_DEPTHS_UM, len(strokes_account.RUN_DEPTHS_UM)):
        rows += bench.depths("run", "", depth, STROKES, bench.strokes(STROKES, depth))
    bench.host.wait(1.0)
    bench.host.prime(0.1)
    for depth in draw.sample(strokes_account.DOSE_DEPTHS_UM, len(strokes_account.DOSE_DEPTHS_UM)):
        rows += bench.depths("dose", "", depth, 1, bench.dose(depth))
    return {strokes_account.DEPTH: rows}


def _skins(case: Case) -> Rows:
    """Runs at each depth on one kind of skin."""
    bench = Bench(case, SKINS[case.setting])
    rows: list[Row] = []
    for depth in strokes_account.RUN_DEPTHS_UM:
        rows += bench.depths("run", case.setting, depth, STROKES, bench.strokes(STROKES, depth))
    return {strokes_account.SKINS: rows}


def _stopped(case: Case) -> Rows:
    """Two runs that STOP ends early, most while the depth stop is on its way, and a whole one behind them, at another
    depth.
    """
    bench = Bench(case)
    first, *others, third = random.Random(f"stopped {case}").sample(strokes_account.RUN_DEPTHS_UM, 4)
    bench.strokes(2, first)
    link = bench.host.link
    assert isinstance(link, MortalLink)
    stop_us = 1000 * int(case.setting.split()[-2])
    strokes: Row = {}
    for number, depth in enumerate(others, 1):
        # the second one is stopped while the depth stop is on its way home, for the first has made it unknown
        link.at(link.now_us() + stop_us, lambda: link.write(STOP_BYTES))
        bench.strokes(STROKES, depth)
        strokes[f"strokes_before_{number}"] = len(bench.log.bottoms)
        bench.host.wait(2.0)
        bench.host.clear()
    rows = bench.depths("run", case.setting, third, STROKES, bench.strokes(STROKES, third))
    return {strokes_account.STOPPED: [row | strokes for row in rows]}


def _rates(case: Case) -> Rows:
    """A run at each rate: each interval, and each run's mean by the device's clock and by true time."""
    bench = Bench(case)
    intervals: list[Row] = []
    runs: list[Row] = []
    for rate in RATES_PER_MIN:
        outcome = bench.strokes(RATE_STROKES, 1000, rate)
        intervals += _intervals(case, rate, bench.log)
        runs.append(_run_row(case, rate, RATE_STROKES, outcome, bench.log))
    return {strokes_account.INTERVALS: intervals, strokes_account.RUNS: runs}


def _long(case: Case) -> Rows:
    """A run as long as there can be, 30 minutes."""
    bench = Bench(case)
    outcome = bench.strokes(LONG_STROKES, 1000, LONG_RATE_PER_MIN, LONG_AREA_CM2)
    return {
        strokes_account.LONG: _intervals(case, LONG_RATE_PER_MIN, bench.log),
        strokes_account.RUNS: [_run_row(case, LONG_RATE_PER_MIN, LONG_STROKES, outcome, bench.log)],
    }


def _steady(tops_us: Sequence[float]) -> list[float]:
    """When strokes began and ended that had no ramp: the last one comes to rest, the first comes from it."""
    return list(tops_us[:-1])


def _intervals(case: Case, rate_per_min: int, log: StrokeTrace) -> list[Row]:
    """A row an interval: when it ended, since the first top of the run, and by how much it was off."""
    set_us, step_us = 60e6 / rate_per_min, step_interval_us(rate_per_min)
    times = _steady(log.tops_us)
    return [
        {
            "seed": case.seed,
            "rate_per_min": rate_per_min,
            "interval": number,
            "t_us": round(end - times[0], 2),
            "off_us": round(end - begin - set_us, 4),
            "off_ppm": round(1e6 * ((end - begin) / set_us - 1), 4),
            "off_steps": round((end - begin - set_us) / step_us, 6),
        }
        for number, (begin, end) in enumerate(pairwise(times), 1)
    ]


def _run_row(case: Case, rate_per_min: int, asked: int, outcome: str, log: StrokeTrace) -> Row:
    times = _steady(log.tops_us)
    span_us = times[-1] - times[0] if len(times) > 1 else 0.0
    mean_ppm = 1e6 * (span_us / (len(times) - 1) * rate_per_min / 60e6 - 1) if span_us else 0.0
    crystal_ppm = random.Random(f"crystal {case.seed}").uniform(-CRYSTAL_PPM, CRYSTAL_PPM)
    return {
        "seed": case.seed,
        "rate_per_min": rate_per_min,
        "asked": asked,
        "made": len(log.tops_us),
        "missing": asked - len(log.tops_us),
        "outcome": outcome,
        "complete": int(outcome == "complete"),
        "intervals": max(0, len(times) - 1),
        "mean_ppm": round(mean_ppm, 5),
        "crystal_ppm": round(crystal_ppm, 3),
        "true_ppm": round(mean_ppm - crystal_ppm, 5),
        "beyond": int(abs(mean_ppm - crystal_ppm) > strokes_account.CADENCE_PPM),
    }


STUDY = Study(
    name="strokes",
    title="Stroke accuracy",
    question="How deep does the needle go, and how regularly, over devices, depths, rates, skins and half an hour?",
    method=(
        "These are the questions that 21 CFR 878.4430(b)(2)(i) asks of a microneedling device: the accuracy of the "
        "needle's penetration depth and of its puncture rate. Each device is a specimen drawn within the plant's "
        "tolerances. Its plant's trace is the witness: how far the needle protrudes at the bottom of every stroke, and "
        "when its drive passes the top, to 40 ns and without the index sensor's jitter. What the device itself "
        "measures is not used.\n\n"
        "Depth: runs of 12 strokes at each of four depths, then a dose at each of three, in an order drawn for each "
        "device. The depth that is set is the needle's protrusion from the nose. How deep the tip comes to lie in "
        "skin, which rises into the nose, gives way, clings and trembles with the hand, is told for five kinds of "
        "skin, without a limit: no sensor measures it. A further part stops two runs when the depth stop is on its way "
        "or has just come, and looks at the depth of the run that follows.\n\n"
        "Rate: 120 strokes at each of four rates, and runs of half an hour at 900 a minute, the longest there are. "
        "The first and the last stroke, which come from rest and to it, have no part in it. Intervals are told by the "
        "device's clock, which is what the firmware can answer for. True time is that of a crystal drawn for each "
        f"device, evenly within ±{CRYSTAL_PPM:g} ppm for its tolerance, temperature and age (a choice)."
    ),
    cases=cases,
    run=run,
    account=strokes_account.account,
    plots=strokes_plots.plots,
)
