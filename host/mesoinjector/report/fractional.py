"""The figure of one fractional run: depth of every stroke, and cadence."""

# matplotlib's stubs leave the types of keyword arguments out
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from mesoinjector.record import FractionalRecord
from mesoinjector.report.account import DEPTH_GOAL_UM, DEPTH_STOP_UM, interval_errors_us
from mesoinjector.report.drawing import AMBER, BLUE, GOAL_BAND, MUTED, RED, WIDTH_IN, shortened, thousands

CADENCE_BINS = 60

NARROWEST_AXIS_US = 5.0

ONE_STEP_US = 25.0
"""A little more than one step at 900 punctures/min, 3,200 steps a revolution: an index pulse's grain."""

MOST_DOTS = 400
"""With fewer strokes than this, dots are drawn larger."""


def run_figure(run: FractionalRecord) -> Figure:
    """Depth per stroke and, if there are steady strokes, the histogram of their intervals."""
    figure = Figure(figsize=(WIDTH_IN, 3.5), layout="constrained")
    errors = interval_errors_us(run)
    if errors.size:
        depth, cadence = figure.subplots(1, 2, width_ratios=[5, 3])
        _draw_cadence(cadence, errors)
    else:
        depth = figure.subplots()
    _draw_depth(depth, run)
    asked = f"set {run.depth_um / 1000:.2f} mm, {run.set_per_min:,} punctures/min"
    depth.set_title(f"{shortened(run.zone, 40)}\n{asked}")
    handles, labels = depth.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=5, markerscale=4)
    return figure


def _draw_depth(axes: Axes, run: FractionalRecord) -> None:
    """All strokes as dots. The dots are pixels, for 27,000 of them as vectors would weigh megabytes."""
    set_mm, goal_mm, stop_mm = run.depth_um / 1000, DEPTH_GOAL_UM / 1000, DEPTH_STOP_UM / 1000
    goal = f"±{goal_mm:.2f} mm goal"
    axes.axhspan(set_mm - goal_mm, set_mm + goal_mm, color=GOAL_BAND, linewidth=0, label=goal)
    for edge, label in ((set_mm - stop_mm, f"±{stop_mm:.2f} mm limit"), (set_mm + stop_mm, None)):
        axes.axhline(edge, color=AMBER, linewidth=1, linestyle="--", label=label)
    axes.axhline(set_mm, color=MUTED, linewidth=1, label="set")
    size = 3.0 if len(run.records) <= MOST_DOTS else 1.2
    for bad, colour, scale, label in ((False, BLUE, 1, "stroke"), (True, RED, 3, "bad stroke")):
        dots = [(stroke.index, stroke.depth_um / 1000) for stroke in run.records if stroke.bad is bad]
        if dots:
            x, y = zip(*dots, strict=True)
            axes.plot(x, y, ".", color=colour, markersize=size * scale, rasterized=True, label=label)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, set_mm - 0.2), max(high, set_mm + 0.2))
    axes.set_xlabel("stroke")
    axes.set_ylabel("needle out at bottom (mm)")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(thousands))
    axes.margins(x=0.02)


def _draw_cadence(axes: Axes, errors: npt.NDArray[np.float64]) -> None:
    """Histogram over whole microseconds, counts on a log scale so that a single stray stroke shows.

    A missed stroke would stretch the axis until all others fall into one bar: the axis ends at three times
    the 95 % quantile, or where one step of the index pulse fits, and the strokes beyond are told by number.
    """
    distance = np.abs(errors)
    outer = max(ONE_STEP_US, 3 * float(np.quantile(distance, 0.95)))
    reach = max(NARROWEST_AXIS_US, min(float(distance.max()), outer))
    shown = errors[distance <= reach]
    width = max(1, int(np.ceil(2 * reach / CADENCE_BINS)))
    edges = np.arange(float(shown.min()) - 0.5, float(shown.max()) + width, width)
    counts, _, _ = axes.hist(shown, edges.tolist(), color=BLUE)
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_yscale("log")
    axes.set_ylim(0.7, max(12.0, 1.5 * float(np.max(counts))))
    axes.set_xlim(-reach - width, reach + width)
    axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_ylabel("steady strokes (log)")
    axes.set_xlabel("interval − set (µs)")
    beyond = len(errors) - len(shown)
    note = f"\n{beyond:,} more beyond the axis" if beyond else ""
    axes.set_title(f"{len(shown):,} steady strokes{note}")
