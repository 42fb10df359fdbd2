"""Plots of the fault matrix."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mesosim.evidence import style
from mesosim.evidence.computing import compute
from mesosim.evidence.fault_account import AT_STAKE, FAMILIES, SEEN, TABLE, TIMED
from mesosim.evidence.study import How, Plot, Tables, Where
from mesosim.lab import catalogue

LEAST_PERCENT = 0.05
"""What comes sooner is drawn here: the axis is logarithmic."""


def plots(tables: Tables) -> list[Plot]:
    """Those for which there is something to draw."""
    if not tables.rows(TABLE, {**SEEN, **TIMED}):
        return []
    times = (
        "Time to the alarm of each named fault, in percent of the time allowed, on a logarithmic axis: everything "
        "right of the dashed line is too late."
    )
    shares = "Share of faults whose alarm came in time, by family, with its 95 % bounds and the number of cases."
    return [Plot("times", times, _times(tables)), Plot("shares", shares, _shares(tables))]


def _times(tables: Tables) -> Figure:
    named = [name for name in catalogue.named() if tables.rows(TABLE, {**SEEN, "fault": name, **TIMED})]
    figure, (axes,) = style.sheet(1.2 + 0.19 * len(named))
    for number, mode in enumerate(catalogue.MODES):
        places: list[float] = []
        parts: list[float] = []
        for place, name in enumerate(named):
            for row in tables.rows(TABLE, {**SEEN, "fault": name, "mode": mode, **TIMED}):
                places.append(place + 0.25 * (number - 1))
                parts.append(max(LEAST_PERCENT, 100 * float(row["alarm_ms"]) / float(row["allowed_ms"])))
        axes.plot(
            parts,
            places,
            style.MARKS[number],
            color=style.SERIES[number],
            markersize=3.5,
            alpha=0.7,
            linewidth=0,
            label=f"in a {mode}",
        )
    low, high = LEAST_PERCENT / 1.5, max(200.0, axes.get_xlim()[1])
    axes.set_xscale("log")
    style.limits(axes, low, 100, "time to hazard", vertical=True)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks(range(len(named)), [name.replace("_", " ") for name in named])
    axes.set_ylim(len(named) - 0.4, -0.6)
    axes.set_xlabel("time to alarm (% of the time allowed)")
    style.legend(figure, [axes])
    return figure


def _shares(tables: Tables) -> Figure:
    families = [name for name in FAMILIES if tables.rows(TABLE, {**AT_STAKE, "family": name})]
    figure, (axes,) = style.sheet(1.0 + 0.4 * len(families))
    lowest = 100.0
    for place, name in enumerate(families):
        where: Where = {**AT_STAKE, "family": name}
        share, low, high = (
            compute(tables, How(do, TABLE, "in_time", where, {"scale": 100})) or 0.0
            for do in ("share", "share_low", "share_high")
        )
        lowest = min(lowest, low)
        axes.plot(
            [low, high], [place, place], "|-", color=style.INTERVAL, linewidth=2, markersize=11, label="95 % bounds"
        )
        axes.plot([share], [place], "o", color=style.MEASURED, markersize=6, label="share in time")
        n = len(tables.rows(TABLE, where))
        axes.text(low, place - 0.28, f"n = {n}", fontsize=7.5, va="center")
    axes.set_xlim(5 * np.floor((lowest - 1) / 5), 100.5)
    axes.set_ylim(len(families) - 0.4, -0.6)
    axes.set_yticks(range(len(families)), families)
    axes.set_xlabel("faults with their alarm in time (%)")
    axes.grid(axis="y", visible=False)
    style.legend(figure, [axes])
    return figure
