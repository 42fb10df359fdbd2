"""Plots of the study of strokes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mesosim.evidence import style
from mesosim.evidence.strokes_account import (
    ALLAN_STROKES,
    DEPTH,
    DEPTH_MM,
    INTERVALS,
    LONG,
    OFF_STEPS,
    SKINS,
    allan,
)
from mesosim.evidence.study import Plot, Tables

SPREAD = 0.26
TICK_US = 0.04
BINS = 60


def plots(tables: Tables) -> list[Plot]:
    """Those for which there is something to draw."""
    found = []
    if tables.rows(DEPTH, {"made": 1}):
        title = (
            f"How far the needle's protrusion is off at each set depth: a dot a device. All must lie between the "
            f"dashed limits of ±{DEPTH_MM:.2f} mm."
        )
        found.append(Plot("depth", title, _depth(tables)))
    if tables.rows(SKINS, {"pierced": 1}):
        title = (
            "How deep the tip comes to lie in skin, against the depth set: bars from the least to the greatest stroke, "
            "a dot at their mean, for each kind of skin. Skin rises and trembles; nothing measures it."
        )
        found.append(Plot("skins", title, _skins(tables)))
    if tables.rows(INTERVALS) or tables.rows(LONG):
        title = (
            "How far intervals between strokes are off, by the device's clock; the count is logarithmic, so that one "
            "late stroke would show. One step interval, the limit, is far outside of the drawing."
        )
        found.append(Plot("cadence", title, _cadence(tables)))
    if tables.rows(LONG):
        title = "Allan deviation over half an hour: it falls with the averaging time, so the mean rate does not wander."
        found.append(Plot("allan", title, _allan(tables)))
    return found


def _depth(tables: Tables) -> Figure:
    figure, axes = style.sheet(3.2, 1, 2, sharey=True)
    for one, mode in zip(axes, ("run", "dose"), strict=True):
        style.limits(one, -DEPTH_MM, DEPTH_MM, f"limits: ±{DEPTH_MM:.2f} mm")
        style.zero(one)
        depths = sorted(tables.distinct(DEPTH, "depth_um", {"mode": mode}), key=float)
        for place, depth in enumerate(depths):
            where = {"mode": mode, "depth_um": depth, "made": 1, "stroke": 1}
            errors = np.sort(tables.column(DEPTH, "error_um", where)) / 1000
            across = place + SPREAD * (np.modf(np.arange(len(errors)) * 0.618034)[0] * 2 - 1)
            one.plot(across, errors, "o", color=style.MEASURED, markersize=3, alpha=0.6, linewidth=0, label="one device")
        one.set_xticks(range(len(depths)), [f"{int(depth) / 1000:g}" for depth in depths])
        one.set_xlabel("set depth (mm)")
        one.set_title("strokes of runs" if mode == "run" else "doses")
        one.grid(axis="x", visible=False)
    axes[0].set_ylabel("error of protrusion (mm)")
    axes[0].set_ylim(-1.3 * DEPTH_MM, 1.3 * DEPTH_MM)
    style.legend(figure, axes)
    return figure


def _skins(tables: Tables) -> Figure:
    figure, (axes,) = style.sheet(3.4)
    depths = sorted(tables.distinct(SKINS, "depth_um"), key=float)
    skins = tables.distinct(SKINS, "setting")
    axes.plot([0, 2.2], [0, 2.2], color=style.INTERVAL, linewidth=0.8, label="depth set")
    for number, skin in enumerate(skins):
        shift = 0.05 * (number - (len(skins) - 1) / 2)
        reached = [
            (int(depth) + tables.column(SKINS, "skin_error_um", {"setting": skin, "depth_um": depth, "pierced": 1}))
            / 1000
            for depth in depths
        ]
        seen = [(int(depth) / 1000 + shift, found) for depth, found in zip(depths, reached, strict=True) if len(found)]
        means = np.array([found.mean() for _, found in seen])
        lows = np.array([found.min() for _, found in seen])
        highs = np.array([found.max() for _, found in seen])
        axes.errorbar(
            [place for place, _ in seen],
            means,
            yerr=(means - lows, highs - means),
            fmt=style.MARKS[number],
            color=style.SERIES[number],
            markersize=4,
            capsize=2,
            label=str(skin),
        )
    axes.set_xlabel("set depth (mm)")
    axes.set_ylabel("depth of the tip in skin (mm)")
    axes.set_xlim(0.3, 2.2)
    axes.set_ylim(0, None)
    style.legend(figure, [axes], 3)
    return figure


def _cadence(tables: Tables) -> Figure:
    figure, axes = style.sheet(2.9, 1, 2)
    for one, table, title in zip(axes, (INTERVALS, LONG), ("120 strokes at each rate", "half an hour"), strict=True):
        rates = sorted(tables.distinct(table, "rate_per_min"), key=float)
        offs = [1000 * tables.column(table, "off_us", {"rate_per_min": rate}) for rate in rates]
        edge = max([2.5 * 1000 * TICK_US, *(1.1 * float(np.abs(off).max()) for off in offs)])
        bins = np.linspace(-edge, edge, BINS + 1)
        for number, (rate, off) in enumerate(zip(rates, offs, strict=True)):
            one.hist(
                off,
                bins.tolist(),
                histtype="step",
                log=True,
                color=style.SERIES[number],
                linestyle=style.DASHES[number],
                linewidth=1.6,
                label=f"{rate} a minute",
            )
        one.set_ylim(0.5, None)
        one.set_title(title)
        one.set_xlabel("interval less the set one (ns)")
    axes[0].set_ylabel("intervals")
    style.legend(figure, axes)
    return figure


def _allan(tables: Tables) -> Figure:
    figure, (axes,) = style.sheet(3.0)
    period_s = 60 / 900
    for number, seed in enumerate(tables.distinct(LONG, "seed")):
        found = [(m * period_s, allan(tables, int(str(seed)), m).value) for m in ALLAN_STROKES]
        seen = [(at, value) for at, value in found if value]
        axes.loglog(
            [at for at, _ in seen],
            [value for _, value in seen],
            color=style.SERIES[number],
            linestyle=style.DASHES[number],
            marker=style.MARKS[number],
            markersize=4,
            label=f"device {seed}",
        )
    step_ppm = OFF_STEPS / 3200 * 1e6
    axes.axhline(step_ppm, color=style.LIMIT, linestyle="--", linewidth=1.2, label="one step interval in one stroke")
    axes.set_xlabel("averaging time (s)")
    axes.set_ylabel("Allan deviation of the rate (ppm)")
    style.legend(figure, [axes])
    return figure
