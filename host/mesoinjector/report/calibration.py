"""What a calibration measured, as one picture: doses against the scale, or readings against what they should be."""

# matplotlib's stubs leave the types of keyword arguments out
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesoinjector.calibrating import Finding, Weighed, Zero
from mesoinjector.report.account import DOSE_GOAL
from mesoinjector.report.drawing import AMBER, BLUE, GOAL_BAND, MUTED, RASTER_DPI, RED, WIDTH_IN, drawing_style, svg

SUFFIXES = (".png", ".html")
PAGE = "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1>\n{figure}</html>\n"
_GOAL = 100 * DOSE_GOAL
_SPREAD, _NEXT = 0.16, 0.03
"""Where doses stand beside the middle of their volume, and beside each other, in parts of the way to the next one."""
CHARACTERS = 115
"""Of a title on one line."""


def write(figure: Callable[[], Figure], title: str, path: Path) -> None:
    """Draw and write a picture as PNG, or as a page: all of it, or nothing. Raises OSError."""
    with drawing_style():
        drawn = figure()
        drawn.suptitle("\n".join(textwrap.wrap(title, CHARACTERS)), x=0.01, ha="left", fontsize=10.5)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            if path.suffix == ".png":
                drawn.savefig(partial, format="png", dpi=RASTER_DPI // 2, facecolor="white", transparent=False)
            else:
                drawn.suptitle("")
                partial.write_text(PAGE.format(title=escape(title), figure=Markup(svg(drawn, title))), encoding="utf-8")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def dose_figure(doses: Sequence[Weighed], finding: Finding, checks: Sequence[Weighed]) -> Figure:
    """On top what the plunger did against the scale, below what the device says of it against the scale."""
    figure = Figure(figsize=(WIDTH_IN, 7.0), layout="constrained")
    given, told = figure.subplots(2, 1, sharex=True)
    volumes = sorted({dose.asked_nl for dose in [*doses, *checks]})
    for axes in (given, told):
        axes.axhspan(-_GOAL, _GOAL, color=GOAL_BAND, linewidth=0, zorder=0, label=f"goal for a dose, ±{_GOAL:g} %")
        axes.axhline(0.0, color=MUTED, linewidth=1)
    whole = [dose for dose in doses if dose.reason == "complete"]
    early = [dose for dose in doses if dose.reason != "complete"]
    out = [doses[i] for i in finding.outliers]
    for axes, height, what in ((given, _given, "a dose"), (told, _told, "before")):
        _points(axes, volumes, doses, whole, -_SPREAD, height, BLUE, what)
        _points(axes, volumes, doses, early, -_SPREAD, height, BLUE, f"{what}, ended early", marker="x")
        _points(axes, volumes, checks, checks, _SPREAD, height, AMBER, "a check, with what was written")
        _points(
            axes, volumes, doses, out, -_SPREAD, height, RED, "far from the others, counted", marker="s", around=True
        )
    for place, volume in enumerate(volumes):
        for each in finding.volumes:
            if each.asked_nl == volume and np.isfinite(each.half_percent):
                how: dict[str, Any] = {"color": BLUE, "capsize": 5, "marker": "_", "markersize": 16}
                label = "mean and its 95 % interval" if place == 0 else None
                given.errorbar(place - 2.2 * _SPREAD, each.error_percent, each.half_percent, label=label, **how)
    before = 100 * (finding.encoder.value / finding.scale.value - 1.0)
    told.axhline(
        before, color=BLUE, linestyle="--", linewidth=1, label=f"before, encoder against scale: {before:+.2f} %"
    )
    if finding.better_ppm is not None:
        after = 100 * (1.0 / finding.scale.value - 1.0)
        label = f"expected of {finding.better_ppm:,} ppm: {after:+.2f} %"
        told.axhline(after, color=AMBER, linestyle=":", linewidth=1.4, label=label)
    given.set_ylabel("weighed against\nthe plunger's steps (%)")
    told.set_ylabel("the device's account\nagainst the scale (%)")
    told.set_xlabel("volume asked for (µl)")
    told.set_xticks(range(len(volumes)), [f"{volume / 1000:g}" for volume in volumes])
    told.set_xlim(-0.6, len(volumes) - 0.4)
    for axes in (given, told):
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, -_GOAL - 1.0), max(high, _GOAL + 1.0))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
    return figure


def _given(dose: Weighed) -> float:
    return 100 * dose.error


def _told(dose: Weighed) -> float:
    return 100 * (dose.told_nl / dose.weighed_nl - 1.0)


def _points(
    axes: Axes,
    volumes: list[int],
    among: Sequence[Weighed],
    doses: Sequence[Weighed],
    beside: float,
    height: Callable[[Weighed], float],
    color: str,
    label: str,
    marker: str = "o",
    around: bool = False,
) -> None:
    """Some doses of a series, each at its own place in it; `around`: a frame about what is drawn there."""
    if not doses:
        return
    places: list[float] = []
    for dose in doses:
        alike = [other for other in among if other.asked_nl == dose.asked_nl]
        order = next(i for i, other in enumerate(alike) if other is dose) - (len(alike) - 1) / 2
        places.append(volumes.index(dose.asked_nl) + beside + order * min(_NEXT, 0.24 / len(alike)))
    how: dict[str, Any] = {"facecolors": "none", "edgecolors": color, "s": 90} if around else {"color": color, "s": 26}
    axes.scatter(places, [height(dose) for dose in doses], label=label, marker=marker, **how)


def zero_figure(
    readings: Sequence[float], truth: Sequence[float], found: Zero, sensor: str, unit: str, limit: float, of: str
) -> Figure:
    """Each reading's error with the zero that stands, and with another; `limit`: what may be, by `of`."""
    figure = Figure(figsize=(WIDTH_IN, 4.0), layout="constrained")
    axes = figure.subplots()
    off = [reading - true for reading, true in zip(readings, truth, strict=True)]
    axes.axhspan(-limit, limit, color=GOAL_BAND, linewidth=0, zorder=0, label=f"{of}, ±{limit:g} {unit}")
    axes.axhline(0.0, color=MUTED, linewidth=1, label="right")
    axes.plot(
        range(1, len(off) + 1),
        off,
        "o",
        color=BLUE,
        markersize=4,
        label=f"with the zero that stands, {found.was:,} {unit}",
    )
    axes.axhspan(
        found.off - found.half,
        found.off + found.half,
        color=BLUE,
        alpha=0.25,
        linewidth=0,
        label="their mean, 95 % interval",
    )
    if found.wanted is not None:
        after = [each - (found.wanted - found.was) for each in off]
        axes.plot(range(1, len(off) + 1), after, "x", color=AMBER, markersize=4, label=f"with {found.wanted:,} {unit}")
    axes.set_xlabel("reading, in the order taken")
    axes.set_ylabel(f"{sensor}: error ({unit})")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
    return figure
