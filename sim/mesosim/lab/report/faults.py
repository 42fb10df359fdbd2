"""The figure of faults: how long each took to be noticed, against the time in which it would do harm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mesoinjector.report.drawing import AMBER, BLUE, GOAL_BAND, INK, RED, WIDTH_IN, shortened, thousands
from mesosim.lab.report.account import Fault

LONGEST_NAME = 44

SHORTEST_MS = 1.0
"""The left end of the logarithmic axis; what is noticed sooner is drawn there."""


def alarm_figure(faults: Sequence[Fault]) -> Figure:
    """A row a fault: each time to alarm as a dot, median as a bar, time to hazard as the end of a band."""
    figure = Figure(figsize=(WIDTH_IN, 1.5 + 0.36 * len(faults)), layout="constrained")
    axes = figure.subplots()
    longest = max([SHORTEST_MS, *(time for fault in faults for time in (fault.most_ms, fault.hazard_ms) if time)])
    for row, fault in enumerate(faults):
        named = row == 0
        if fault.hazard_ms is not None:
            axes.barh(
                row,
                fault.hazard_ms - SHORTEST_MS,
                0.72,
                left=SHORTEST_MS,
                color=GOAL_BAND,
                label=_once("before any harm", named),
            )
            axes.plot(
                [fault.hazard_ms] * 2,
                [row - 0.36, row + 0.36],
                color=AMBER,
                linewidth=2,
                label=_once("time to hazard", named),
            )
        times = np.maximum(np.array(fault.times_ms, dtype=float), SHORTEST_MS)
        late = times > (np.inf if fault.hazard_ms is None else fault.hazard_ms)
        axes.plot(times[~late], np.full(np.sum(~late), row), "o", color=BLUE, markersize=3.6, alpha=0.6)
        axes.plot(times[late], np.full(np.sum(late), row), "X", color=RED, markersize=6)
        if fault.median_ms is not None:
            at = max(fault.median_ms, SHORTEST_MS)
            axes.plot([at] * 2, [row - 0.3, row + 0.3], color=INK, linewidth=2)
        if fault.detected == 0:
            said = "never noticed" if fault.runs else "never struck"
            axes.text(SHORTEST_MS * 1.08, row, said, color=RED if fault.runs else INK, va="center")
    axes.plot([], [], "o", color=BLUE, markersize=3.6, label="alarm")
    axes.plot([], [], "X", color=RED, markersize=6, label="alarm after that time")
    axes.plot([], [], color=INK, linewidth=2, label="median")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(thousands))
    axes.set_xlim(SHORTEST_MS, 2 * longest)
    axes.set_yticks(range(len(faults)), [shortened(title(fault), LONGEST_NAME) for fault in faults])
    axes.set_ylim(len(faults) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("time after the fault began (ms)")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def title(fault: Fault) -> str:
    """A fault's name, kind and what it struck in, on one line."""
    said = ", ".join(word for word in (fault.kind, f"in a {fault.mode}" if fault.mode else "") if word)
    return f"{fault.name} ({said})" if said else fault.name


def _once(label: str, first: bool) -> str | None:
    return label if first else None
