"""Figures of dose accuracy: every dose's error with its tolerance interval, and the trumpet curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesoinjector.report.account import DOSE_GOAL
from mesoinjector.report.drawing import AMBER, BLUE, GOAL_BAND, INK, MUTED, RED, WIDTH_IN
from mesosim.lab.report.account import Volume, Window

DOTS = 600
"""Doses drawn for one volume; of more, so many evenly spaced in order of their error. The intervals are of all."""

BAND = 0.28
"""Half height of a row's cloud of dots, in rows."""


def accuracy_figure(volumes: Sequence[Volume]) -> Figure:
    """A row a volume: errors in the skin as dots, both tolerance intervals as bars, the goal as a band."""
    figure = Figure(figsize=(WIDTH_IN, 1.7 + 0.85 * len(volumes)), layout="constrained")
    axes = figure.subplots()
    _draw_goal(axes, vertical=True)
    for row, volume in enumerate(volumes):
        _draw_volume(axes, row, volume)
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_yticks(range(len(volumes)), [_label(volume) for volume in volumes])
    axes.set_ylim(len(volumes) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("error of the volume in the skin (% of what was asked)")
    axes.set_xlim(_with_goal(axes.get_xlim()))
    handles, labels = axes.get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))  # every row has its own of each
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3)
    return figure


def _draw_goal(axes: Axes, *, vertical: bool) -> None:
    goal = 100 * DOSE_GOAL
    span, line = (axes.axvspan, axes.axvline) if vertical else (axes.axhspan, axes.axhline)
    span(-goal, goal, color=GOAL_BAND, linewidth=0, label=f"goal: ±{goal:.0f} %")
    for edge in (-goal, goal):
        line(edge, color=AMBER, linewidth=1, linestyle="--")


def _draw_volume(axes: Axes, row: int, volume: Volume) -> None:
    errors = 100 * np.sort(volume.errors)
    shown = errors if len(errors) <= DOTS else errors[np.linspace(0, len(errors) - 1, DOTS).round().astype(int)]
    heights = row + BAND * np.modf(np.arange(len(shown)) * 0.618034)[0] * 2 - BAND
    axes.plot(shown, heights, "o", color=BLUE, markersize=2.4, alpha=0.6, linewidth=0, label="a dose")
    for interval, offset, colour, width, label in (
        (volume.spread.normal, 0.0, INK, 2.2, "tolerance interval, normal: mean ± k·s"),
        (volume.spread.free, 0.36, RED, 1.4, "tolerance interval, any distribution"),
    ):
        if interval is not None:
            low, high = (100 * end for end in interval)
            axes.plot(
                [low, high],
                [row + offset] * 2,
                "|-",
                color=colour,
                linewidth=width,
                markersize=11,
                label=label,
            )
    axes.plot(100 * volume.spread.mean, row, "D", color=INK, markersize=6, label="mean")


def _label(volume: Volume) -> str:
    name = "all volumes" if volume.asked_nl is None else f"{volume.asked_nl / 1000:g} µl"
    return f"{name}\nn = {volume.spread.n:,}"


def _with_goal(limits: tuple[float, float]) -> tuple[float, float]:
    """The goal stays in sight however good the doses are."""
    edge = 120 * DOSE_GOAL
    return min(limits[0], -edge), max(limits[1], edge)


def trumpet_figure(windows: Sequence[Window]) -> Figure:
    """Worst errors of the sum over windows of consecutive doses."""
    figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
    axes = figure.subplots()
    _draw_goal(axes, vertical=False)
    widths = [window.width for window in windows]
    axes.fill_between(
        widths, [100 * w.least for w in windows], [100 * w.most for w in windows], color=BLUE, alpha=0.12, linewidth=0
    )
    axes.plot(widths, [100 * w.most for w in windows], "o-", color=BLUE, label="largest error of any window")
    axes.plot(widths, [100 * w.least for w in windows], "s-", color=INK, label="smallest error of any window")
    axes.axhline(0, color=MUTED, linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.minorticks_off()
    axes.set_xlabel("consecutive doses in the window")
    axes.set_ylabel("error of their sum (%)")
    axes.set_ylim(_with_goal(axes.get_ylim()))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
