"""Plots of the study of occlusions."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from mesosim.evidence import style
from mesosim.evidence.occlusion_account import BLOCKED, RELEASED_UL, TABLE, TOLD, UNDELIVERED_UL
from mesosim.evidence.study import Plot, Tables
from mesosim.lab import catalogue

SPREAD = 0.3


def plots(tables: Tables) -> list[Plot]:
    """Those for which there is something to draw."""
    found = []
    if tables.rows(TABLE, TOLD):
        title = (
            f"Each blocked dose by its syringe's compliance: the time to the alarm, what was kept back until then (at "
            f"most {UNDELIVERED_UL:g} µl are allowed), and what came out when the blockage gave way (at most "
            f"{RELEASED_UL:g} µl)."
        )
        found.append(Plot("blocked", title, _blocked(tables)))
    if tables.rows(TABLE):
        title = (
            "By needle and fluid: the most that a blocked dose kept back, or what the device said of the syringe or "
            "fluid before anything was blocked."
        )
        found.append(Plot("map", title, _map(tables)))
    return found


def _blocked(tables: Tables) -> Figure:
    figure, axes = style.sheet(3.0, 1, 3)
    panels = (
        ("alarm_ms", "time to alarm (ms)", float(catalogue.get("occlusion").hazard_ms)),
        ("undelivered_ul", "kept back (µl)", UNDELIVERED_UL),
        ("released_ul", "released (µl)", RELEASED_UL),
    )
    syringes = sorted(tables.distinct(TABLE, "compliance_nl_per_kpa", TOLD), key=float)
    moments = tables.distinct(TABLE, "when", TOLD)
    for one, (column, label, most) in zip(axes, panels, strict=True):
        top = 0.0
        for number, when in enumerate(moments):
            for place, syringe in enumerate(syringes):
                values = tables.column(TABLE, column, {**TOLD, "when": when, "compliance_nl_per_kpa": syringe})
                across = place + SPREAD * (np.modf(np.arange(len(values)) * 0.618034)[0] - (1 - number))
                one.plot(
                    across,
                    values,
                    style.MARKS[number],
                    color=style.SERIES[number],
                    markersize=3.2,
                    alpha=0.7,
                    linewidth=0,
                    label=f"blocked {when}",
                )
                top = max([top, *values])
        style.limits(one, 0, most, "limits")
        one.set_ylim(0, 1.2 * max(top, most))
        one.set_xticks(range(len(syringes)), [str(syringe) for syringe in syringes])
        one.set_xlabel("compliance (nl/kPa)")
        one.set_ylabel(label)
        one.grid(axis="x", visible=False)
    style.legend(figure, axes)
    return figure


def _map(tables: Tables) -> Figure:
    gauges = sorted(tables.distinct(TABLE, "gauge"), key=float)
    fluids = sorted(tables.distinct(TABLE, "viscosity_mpa_s"), key=float)
    figure, (axes,) = style.sheet(1.3 + 0.5 * len(fluids))
    grades = np.zeros((len(fluids), len(gauges)))
    for i, fluid in enumerate(fluids):
        for j, gauge in enumerate(gauges):
            here = {"gauge": gauge, "viscosity_mpa_s": fluid}
            kept = tables.column(TABLE, "undelivered_ul", {**here, **BLOCKED})
            others = sorted({str(row["outcome"]) for row in tables.rows(TABLE, {**here, "blocked": 0})})
            lines = [f"{kept.max():.1f} µl"] if len(kept) else []
            lines += [other.replace("_", " ") for other in others]
            grades[i, j] = 0 if not len(kept) else 1 if kept.max() <= UNDELIVERED_UL else 2
            axes.text(j, i, "\n".join(lines), ha="center", va="center", fontsize=6.5)
    colours = (style.NOTHING, style.INSIDE, style.OUTSIDE)
    edges = [np.arange(len(places) + 1) - 0.5 for places in (gauges, fluids)]
    axes.pcolormesh(
        *edges, grades, cmap=ListedColormap(colours), vmin=-0.5, vmax=2.5, edgecolors="white", linewidth=1.5
    )
    axes.set_xticks(range(len(gauges)), [f"{gauge}G" for gauge in gauges])
    axes.set_yticks(range(len(fluids)), [f"{fluid:,}" for fluid in fluids])
    axes.set_xlabel("needle (gauge, 4 mm long)")
    axes.set_ylabel("viscosity (mPa·s)")
    axes.grid(visible=False)
    labels = ("refused or ended before", f"at most {UNDELIVERED_UL:g} µl kept back", "more than that")
    for colour, label in zip(colours, labels, strict=True):
        axes.fill_between([], [], color=colour, label=label)
    style.legend(figure, [axes])
    return figure
