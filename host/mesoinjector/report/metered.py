"""Figures of the metered doses: volume per point, and traces of the doses worth looking at."""

# matplotlib's stubs leave the types of keyword arguments out
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesoinjector.record import DoseRecord
from mesoinjector.report.account import DOSE_GOAL, Standing, relative_error, standing
from mesoinjector.report.drawing import (
    AMBER,
    BLUE,
    GOAL_BAND,
    GRID,
    INK,
    MUTED,
    NEEDLE_OUT,
    RED,
    WIDTH_IN,
    shortened,
)

DOSES_PER_FIGURE = 30
"""More than this and point numbers run into each other; further doses get further figures."""

FEWEST_PLACES = 8
"""A plot of fewer doses keeps this width of x axis, and the doses its middle."""

TRACES_PER_FIGURE = 3

ERROR_AXIS_PERCENT = 10
"""The error axis stays this narrow, so that good doses can be told apart; the rest gets an arrow."""

LABEL_CHARACTERS_PER_INCH = 11
LONGEST_LABEL = 22

MARKS = {
    Standing.COMPLETE: ("o", BLUE),
    Standing.PARTIAL: ("s", AMBER),
    Standing.NOT_DELIVERED: ("X", MUTED),
    Standing.UNKNOWN: ("", RED),
}
"""Shape and colour by standing. An unknown dose has no point, only its bounds."""


def dose_figure(doses: Sequence[DoseRecord]) -> Figure:
    """Volume of each dose, at most ``DOSES_PER_FIGURE``, in the order given, grouped by zone."""
    zones = _zone_labels(doses)
    figure = Figure(figsize=(WIDTH_IN, 5.0 if zones.level else 5.9), layout="constrained")
    volume, error = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    _draw_goal(volume, error, doses)
    for kind in Standing:
        chosen = [(x, dose) for x, dose in enumerate(doses) if standing(dose) is kind]
        if chosen:
            _draw_doses(volume, error, chosen, kind)
    _draw_plant(volume, error, doses)

    padding = max(0.0, (FEWEST_PLACES - len(doses)) / 2)
    volume.set_xlim(-0.5 - padding, len(doses) - 0.5 + padding)
    volume.set_ylim(0, 1.12 * max(max(dose.asked_nl, dose.upper_nl, 1) for dose in doses) / 1000)
    volume.set_ylabel("volume (µl)")
    error.set_ylim(-ERROR_AXIS_PERCENT - 1, ERROR_AXIS_PERCENT + 1)
    error.set_yticks([-10, -5, 0, 5, 10])
    error.set_ylabel("error from set (%)")
    error.set_xticks(range(len(doses)), [str(dose.point) for dose in doses])
    error.set_xlabel("point")
    for axes in (volume, error):
        axes.grid(axis="x", visible=False)
    _name_zones(volume, error, zones)
    handles, labels = volume.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _draw_goal(volume: Axes, error: Axes, doses: Sequence[DoseRecord]) -> None:
    x = np.arange(len(doses))
    asked = np.array([dose.asked_nl for dose in doses]) / 1000
    goal = f"±{100 * DOSE_GOAL:.0f} % of set"
    volume.bar(x, 2 * DOSE_GOAL * asked, 0.9, bottom=(1 - DOSE_GOAL) * asked, color=GOAL_BAND, label=goal)
    volume.hlines(asked, x - 0.45, x + 0.45, color=MUTED, linewidth=1, label="set")
    error.axhspan(-100 * DOSE_GOAL, 100 * DOSE_GOAL, color=GOAL_BAND, linewidth=0)
    error.axhline(0, color=MUTED, linewidth=1)


def _draw_doses(volume: Axes, error: Axes, chosen: list[tuple[int, DoseRecord]], kind: Standing) -> None:
    shape, colour = MARKS[kind]
    label = f"{kind.value}, by the device"
    x = np.array([x for x, _ in chosen])
    lower, middle, upper = np.array([[dose.lower_nl, dose.delivered_nl, dose.upper_nl] for _, dose in chosen]).T / 1000
    bar_width = 1.6 if shape else 5.0
    bars = volume.vlines(x, lower, upper, color=colour, linewidth=bar_width)
    if shape:
        volume.plot(x, middle, shape, color=colour, markersize=5, label=label, clip_on=False)
    else:
        bars.set_label(f"{label} (bounds)")

    for place, dose in chosen:
        bounds = [relative_error(nl, dose) for nl in (dose.lower_nl, dose.upper_nl)]
        if bounds[0] is not None and bounds[1] is not None:
            error.vlines(place, 100 * bounds[0], 100 * bounds[1], color=colour, linewidth=bar_width)
        if shape:
            _mark_error(error, place, relative_error(dose.delivered_nl, dose), shape, colour)


def _draw_plant(volume: Axes, error: Axes, doses: Sequence[DoseRecord]) -> None:
    known = [(x, dose, dose.plant_nl) for x, dose in enumerate(doses) if dose.plant_nl is not None]
    if not known:
        return
    volume.plot(
        [x for x, _, _ in known],
        [plant_nl / 1000 for _, _, plant_nl in known],
        "D",
        color=INK,
        fillstyle="none",
        markersize=8,
        markeredgewidth=1,
        clip_on=False,
        label="simulated plant, past the needle's tip",
    )
    for x, dose, plant_nl in known:
        _mark_error(error, x, relative_error(plant_nl, dose), "D", INK, hollow=True)


def _mark_error(error: Axes, x: int, value: float | None, shape: str, colour: str, *, hollow: bool = False) -> None:
    """One point on the error axis, or an arrow at its edge if it lies beyond."""
    if value is None:
        return
    percent = 100 * value
    if abs(percent) > ERROR_AXIS_PERCENT:
        shape = "^" if percent > 0 else "v"
        percent = np.copysign(ERROR_AXIS_PERCENT, percent)
    fill = "none" if hollow else colour
    size = 8 if hollow else 5
    error.plot(x, percent, shape, color=colour, markerfacecolor=fill, markersize=size, clip_on=False)


@dataclass(frozen=True, slots=True)
class _ZoneLabels:
    """Zone names, their middle places on the x axis, and where one zone ends and the next begins."""

    names: list[str]
    middles: list[float]
    borders: list[float]
    level: bool
    """Every name fits over its own points, so that none need be slanted."""


def _zone_labels(doses: Sequence[DoseRecord]) -> _ZoneLabels:
    groups = [(zone, len(list(group))) for zone, group in groupby(doses, key=lambda dose: dose.zone)]
    names = [shortened(zone, LONGEST_LABEL) for zone, _ in groups]
    ends = np.cumsum([count for _, count in groups]) - 0.5
    middles = ends - np.array([count for _, count in groups]) / 2
    characters_per_point = WIDTH_IN * 0.9 / max(FEWEST_PLACES, len(doses)) * LABEL_CHARACTERS_PER_INCH
    fits = [len(name) <= count * characters_per_point for name, (_, count) in zip(names, groups, strict=True)]
    return _ZoneLabels(names, middles.tolist(), ends[:-1].tolist(), all(fits))


def _name_zones(volume: Axes, error: Axes, zones: _ZoneLabels) -> None:
    """Names above the plot, lines between zones."""
    for border in zones.borders:
        for axes in (volume, error):
            axes.axvline(border, color=GRID, linewidth=1.4)
    top = volume.secondary_xaxis("top")
    top.tick_params(length=0)
    top.spines[:].set_visible(False)
    top.set_xticks(zones.middles, zones.names)
    if not zones.level:
        top.tick_params(labelrotation=40)
        for label in top.get_xticklabels():
            label.set(ha="left", rotation_mode="anchor")


def representative(doses: Sequence[DoseRecord]) -> list[DoseRecord]:
    """Up to three doses with samples, in the order given: those that went wrong, then first, last, middle."""
    traced = [i for i, dose in enumerate(doses) if len(dose.samples) > 1]
    if not traced:
        return []
    wrong = [i for i in traced if standing(doses[i]) is not Standing.COMPLETE]
    usual = [traced[0], traced[-1], traced[len(traced) // 2]]
    chosen = list(dict.fromkeys(wrong + usual))[:TRACES_PER_FIGURE]
    return [doses[i] for i in sorted(chosen)]


def trace_figure(doses: Sequence[DoseRecord]) -> Figure:
    """Pressure, plunger volume and needle protrusion over time, one column for each dose."""
    figure = Figure(figsize=(WIDTH_IN, 5.4), layout="constrained")
    grid = figure.subplots(3, len(doses), sharex="col", sharey="row", squeeze=False, height_ratios=[3, 3, 2])
    for column, dose in zip(grid.T, doses, strict=True):
        pressure, plunger, needle = column
        _draw_trace(pressure, plunger, needle, dose)
        ended = "" if standing(dose) is Standing.COMPLETE else f" – {standing(dose).value}"
        name = shortened(dose.zone, 60 // len(doses))
        pressure.set_title(f"{name}, point {dose.point}\nset {dose.asked_nl / 1000:g} µl{ended}")
        needle.set_xlabel("time (s)")
    for axes, label in zip(grid[:, 0], ("pressure (kPa)", "plunger (µl)", "needle out (mm)"), strict=True):
        axes.set_ylabel(label)
    figure.align_ylabels(grid[:, 0])
    return figure


def _draw_trace(pressure: Axes, plunger: Axes, needle: Axes, dose: DoseRecord) -> None:
    samples = np.array([[s.t_us, s.pressure_pa, s.plunger_nl, s.needle_um] for s in dose.samples])
    t_s = (samples[:, 0] - samples[0, 0]) / 1e6
    out_mm = samples[:, 3] / 1000
    pressure.plot(t_s, samples[:, 1] / 1000, color=BLUE, linewidth=1.3)
    plunger.plot(t_s, (samples[:, 2] - samples[0, 2]) / 1000, color=BLUE, linewidth=1.3)
    plunger.axhline(dose.asked_nl / 1000, color=MUTED, linewidth=1, linestyle="--")
    needle.plot(t_s, out_mm, color=BLUE, linewidth=1.3)
    needle.axhline(dose.depth_um / 1000, color=MUTED, linewidth=1, linestyle="--")
    for axes in (pressure, plunger, needle):
        whole_height = axes.get_xaxis_transform()
        axes.fill_between(t_s, 0, 1, where=out_mm > 0, transform=whole_height, color=NEEDLE_OUT, linewidth=0, zorder=0)
        axes.margins(x=0)
