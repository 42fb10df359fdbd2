"""Plots of the trumpet curves and of the start of a perfusion."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesosim.evidence import style
from mesosim.evidence.computing import compute
from mesosim.evidence.study import How, Plot, Tables, Value, Where
from mesosim.evidence.trumpet_account import GOAL_PERCENT, PERFUSION, PUNCTURES, SAMPLE_S, SKIN, TIMES, WIDTHS

START_S = 20.0
"""Of the start-up curve."""


def plots(tables: Tables) -> list[Plot]:
    """Those for which there is something to draw."""
    found = []
    if tables.rows(PUNCTURES):
        title = (
            "Worst errors of the sum over consecutive punctures of a nappage, of all devices: they close in as a "
            f"trumpet does; the limits of ±{GOAL_PERCENT:g} % are for ten punctures and more."
        )
        found.append(Plot("punctures", title, _trumpet_of_punctures(tables)))
    if tables.rows(PERFUSION):
        title = (
            "Worst errors of a perfusion's steady flow over windows of time, of all devices, by flow; the limits of "
            f"±{GOAL_PERCENT:g} % are for 5 s and more."
        )
        found.append(Plot("flow", title, _trumpet_of_flows(tables)))
        title = (
            "The start of a perfusion: what reaches the skin in each half second from the plunger's first step on, by "
            "flow; each line a device."
        )
        found.append(Plot("start", title, _start(tables)))
    return found


def _ends(tables: Tables, how: How, widths: tuple[int, ...], width: str = "width") -> list[tuple[int, float, float]]:
    """Width, least, greatest error, where there are any."""
    found = []
    for one in widths:
        parameters = {**how.parameters, width: one}
        ends = [
            compute(tables, How(f"window_{end}", how.table, how.column, how.where, parameters))
            for end in ("min", "max")
        ]
        if ends[0] is not None and ends[1] is not None:
            found.append((one, ends[0], ends[1]))
    return found


def _trumpet(axes: Axes, ends: list[tuple[int, float, float]], scale: float, colour: str) -> None:
    widths = [width * scale for width, _, _ in ends]
    axes.fill_between(
        widths, [low for _, low, _ in ends], [high for _, _, high in ends], color=colour, alpha=0.15, linewidth=0
    )
    axes.plot(widths, [high for _, _, high in ends], "o-", color=colour, label="greatest error")
    axes.plot(widths, [low for _, low, _ in ends], "s--", color=colour, label="least error")
    axes.set_xscale("log")
    axes.set_xticks(widths, [f"{width:g}" for width in widths])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -1.4 * GOAL_PERCENT), max(high, 1.4 * GOAL_PERCENT))


def _how(table: str, group: str, where: Where) -> How:
    return How("", table, "given_nl", where, {"asked": "asked_nl", "group": group, "scale": 100})


def _trumpet_of_punctures(tables: Tables) -> Figure:
    figure, (axes,) = style.sheet(3.6)
    style.limits(axes, -GOAL_PERCENT, GOAL_PERCENT, f"limits: ±{GOAL_PERCENT:g} %")
    style.zero(axes)
    _trumpet(axes, _ends(tables, _how(PUNCTURES, "seed", {"skin": SKIN}), WIDTHS), 1, style.MEASURED)
    axes.set_xlabel("consecutive punctures in the window")
    axes.set_ylabel("error of their sum (%)")
    style.legend(figure, [axes])
    return figure


def _flows(tables: Tables) -> list[Value]:
    return sorted(tables.distinct(PERFUSION, "flow_ul_per_s"), key=float)


def _trumpet_of_flows(tables: Tables) -> Figure:
    flows = _flows(tables)
    figure, every = style.sheet(3.2, 1, len(flows), sharey=True)
    for axes, flow in zip(every, flows, strict=True):
        style.limits(axes, -GOAL_PERCENT, GOAL_PERCENT, f"limits: ±{GOAL_PERCENT:g} %")
        style.zero(axes)
        where = {"flow_ul_per_s": flow, "steady": 1}
        _trumpet(axes, _ends(tables, _how(PERFUSION, "run", where), TIMES), SAMPLE_S, style.MEASURED)
        axes.set_title(f"{flow} µl/s")
        axes.set_xlabel("window (s)")
    every[0].set_ylabel("error of the flow (%)")
    style.legend(figure, every)
    return figure


def _start(tables: Tables) -> Figure:
    flows = _flows(tables)
    figure, every = style.sheet(3.2, 1, len(flows))
    for axes, flow in zip(every, flows, strict=True):
        flow_ul_per_s = float(flow)
        for seed in tables.distinct(PERFUSION, "seed", {"flow_ul_per_s": flow}):
            where = {"flow_ul_per_s": flow, "seed": seed}
            t = tables.column(PERFUSION, "t_s", where)
            given = tables.column(PERFUSION, "given_nl", where) / (SAMPLE_S * 1000)
            early = t <= START_S
            axes.plot(t[early], given[early], color=style.MEASURED, linewidth=0.9, alpha=0.7, label="into the skin")
        asked = np.array([0.0, START_S])
        axes.plot(asked, flow_ul_per_s + 0 * asked, color=style.LIMIT, linestyle="--", linewidth=1.2, label="asked")
        axes.set_title(f"{flow} µl/s")
        axes.set_xlabel("time (s)")
        axes.set_ylim(0, 1.35 * flow_ul_per_s)
    every[0].set_ylabel("flow (µl/s)")
    style.legend(figure, every)
    return figure
