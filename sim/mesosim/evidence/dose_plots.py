"""Plots of the dose accuracy study."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from mesosim.evidence import style
from mesosim.evidence.computing import compute
from mesosim.evidence.dose_account import CONDITIONED, CONFIDENCE, CONTENT, ERROR, GOAL_PERCENT, MAP, THIRDS
from mesosim.evidence.study import How, Plot, Tables, Value

SPREAD = 0.26
"""Half height of a row's cloud of dots, in rows."""


def plots(tables: Tables) -> list[Plot]:
    """Those for which there is something to draw."""
    found = []
    if tables.rows(THIRDS):
        found.append(Plot("thirds", _title("third of the syringe"), _cells(tables, THIRDS)))
    if tables.rows(CONDITIONED):
        found.append(Plot("conditions", _title("condition"), _cells(tables, CONDITIONED)))
    if tables.rows(MAP):
        title = (
            "What comes of 100 µl by needle and fluid: the worst error of the doses said to be complete, or what the "
            "device said instead."
        )
        found.append(Plot("map", title, _map(tables)))
    return found


def _title(what: str) -> str:
    return (
        f"Error of each dose by size and {what}: a dot a device, the bar its tolerance interval (97.5 % of all doses, "
        f"95 % confidence), which must lie between the dashed limits of ±{GOAL_PERCENT:g} %."
    )


def _cells(tables: Tables, table: str) -> Figure:
    doses = sorted(tables.distinct(table, "asked_nl"), key=float)
    settings = tables.distinct(table, "setting")
    figure, axes = style.sheet(1.1 + 0.42 * len(settings), 1, len(doses), sharex=True, sharey=True)
    for one, asked in zip(axes, doses, strict=True):
        style.limits(one, -GOAL_PERCENT, GOAL_PERCENT, f"limits: ±{GOAL_PERCENT:g} %", vertical=True)
        style.zero(one, vertical=True)
        for row, setting in enumerate(settings):
            _row(one, row, tables, table, asked, setting)
        one.set_title(f"{int(asked) / 1000:g} µl")
        one.set_xlabel("error in the skin (%)")
        one.set_yticks(range(len(settings)), [str(setting) for setting in settings])
        one.set_ylim(len(settings) - 0.5, -0.5)
        one.grid(axis="y", visible=False)
    edge = 1.15 * GOAL_PERCENT
    low, high = axes[0].get_xlim()
    axes[0].set_xlim(min(low, -edge), max(high, edge))
    style.legend(figure, axes)
    return figure


def _row(axes: Axes, row: int, tables: Tables, table: str, asked: Value, setting: Value) -> None:
    where = {"asked_nl": asked, "setting": setting, "complete": 1}
    errors = np.sort(tables.column(table, ERROR, where))
    others = len(tables.rows(table, {**where, "complete": 0}))
    if others:
        said = f"{others} not given whole "
        axes.text(GOAL_PERCENT, row - 0.32, said, fontsize=7.5, color=style.LIMIT, va="center", ha="right")
    heights = row + SPREAD * (np.modf(np.arange(len(errors)) * 0.618034)[0] * 2 - 1)
    axes.plot(errors, heights, "o", color=style.MEASURED, markersize=2.6, alpha=0.6, linewidth=0, label="one dose")
    more = {"content": CONTENT, "confidence": CONFIDENCE}
    low, high = (compute(tables, How(f"tolerance_{end}", table, ERROR, where, more)) for end in ("low", "high"))
    if low is not None and high is not None:
        axes.plot(
            [low, high], [row, row], "|-", color=style.INTERVAL, linewidth=2, markersize=11, label="tolerance interval"
        )


def _map(tables: Tables) -> Figure:
    gauges = sorted(tables.distinct(MAP, "gauge"), key=float)
    fluids = sorted(tables.distinct(MAP, "viscosity_mpa_s"), key=float)
    figure, (axes,) = style.sheet(1.3 + 0.5 * len(fluids))
    grades = np.zeros((len(fluids), len(gauges)))
    for i, fluid in enumerate(fluids):
        for j, gauge in enumerate(gauges):
            rows = tables.rows(MAP, {"gauge": gauge, "viscosity_mpa_s": fluid})
            errors = [float(row[ERROR]) for row in rows if row["complete"]]
            others = sorted({str(row["outcome"]) for row in rows if not row["complete"]})
            worst = max(errors, key=abs, default=None)
            lines = [] if worst is None else [f"{worst:+.1f} %".replace("-", "−")]
            lines += [other.removeprefix("prime: ").replace("_", " ") for other in others]
            grades[i, j] = 0 if not errors else 2 if abs(worst or 0) > GOAL_PERCENT else 1
            axes.text(j, i, "\n".join(lines), ha="center", va="center", fontsize=7.5)
    colours = (style.NOTHING, style.INSIDE, style.OUTSIDE)
    axes.pcolormesh(
        np.arange(len(gauges) + 1) - 0.5,
        np.arange(len(fluids) + 1) - 0.5,
        grades,
        cmap=ListedColormap(colours),
        vmin=-0.5,
        vmax=2.5,
        edgecolors="white",
        linewidth=1.5,
    )
    axes.set_xticks(range(len(gauges)), [f"{gauge}G" for gauge in gauges])
    axes.set_yticks(range(len(fluids)), [f"{fluid:,}" for fluid in fluids])
    axes.set_xlabel("needle (gauge, 4 mm long)")
    axes.set_ylabel("viscosity (mPa·s)")
    axes.grid(visible=False)
    for colour, label in zip(
        colours,
        ("refused or stopped, and said so", f"complete, within ±{GOAL_PERCENT:g} %", "complete, and outside of it"),
        strict=True,
    ):
        axes.fill_between([], [], color=colour, label=label)
    style.legend(figure, [axes])
    return figure
