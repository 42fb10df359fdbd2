"""Plots of the study of strokes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mesoinjector.report.drawing import thousands
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
DOTS: dict[str, Any] = {"color": style.MEASURED, "markersize": 3, "alpha": 0.6, "linewidth": 0}
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
            "How much deeper than set the tip comes to lie in pierced skin: bars from the least to the greatest "
            "stroke, a mark at their mean, for each kind of skin. Skin rises and gives way, hands tremble; nothing "
            "measures it."
        )
        found.append(Plot("skins", title, _skins(tables)))
    if tables.rows(INTERVALS) or tables.rows(LONG):
        title = (
            "How far intervals between strokes are off, by the device's clock; the count is logarithmic, so that one "
            "late stroke would show. One step interval, the limit, is far outside of the drawing."
        )
        found.append(Plot("cadence", title, _cadence(tables)))
    if tables.rows(LONG):
        title = (
            "Allan deviation of the stroke rate over half an hour, by the device's clock: by how much the mean rate of "
            "a stretch of time differs from that of the next one."
        )
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
            one.plot(
                across, errors, "o", color=style.MEASURED, markersize=3, alpha=0.6, linewidth=0, label="one device"
            )
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
    style.zero(axes)
    depths = sorted(tables.distinct(SKINS, "depth_um"), key=float)
    skins = tables.distinct(SKINS, "setting")
    for number, skin in enumerate(skins):
        shift = 0.13 * (number - (len(skins) - 1) / 2)
        where = {"setting": skin, "pierced": 1}
        found = [tables.column(SKINS, "skin_error_um", {**where, "depth_um": depth}) / 1000 for depth in depths]
        seen = [(place + shift, errors) for place, errors in enumerate(found) if len(errors)]
        means = np.array([errors.mean() for _, errors in seen])
        lows = np.array([errors.min() for _, errors in seen])
        highs = np.array([errors.max() for _, errors in seen])
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
    axes.set_xticks(range(len(depths)), [f"{int(depth) / 1000:g}" for depth in depths])
    axes.set_xlabel("set depth (mm)")
    axes.set_ylabel("depth in skin less depth set (mm)")
    axes.grid(axis="x", visible=False)
    style.legend(figure, [axes], 5)
    return figure


def _cadence(tables: Tables) -> Figure:
    figure, axes = style.sheet(2.9, 1, 2)
    all_rates = sorted({*tables.distinct(INTERVALS, "rate_per_min"), *tables.distinct(LONG, "rate_per_min")}, key=float)
    for one, table, title in zip(axes, (INTERVALS, LONG), ("120 strokes at each rate", "half an hour"), strict=True):
        rates = [rate for rate in all_rates if tables.rows(table, {"rate_per_min": rate})]
        offs = [1000 * tables.column(table, "off_us", {"rate_per_min": rate}) for rate in rates]
        edge = max([2.5 * 1000 * TICK_US, *(1.1 * float(np.abs(off).max()) for off in offs)])
        bins = np.linspace(-edge, edge, BINS + 1)
        for rate, off in zip(rates, offs, strict=True):
            number = all_rates.index(rate)
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
        one.yaxis.set_major_formatter(FuncFormatter(thousands))
        one.set_title(title)
        one.set_xlabel("interval less the set one (ns)")
    axes[0].set_ylabel("intervals")
    style.legend(figure, axes)
    return figure


def plain(value: float, _: object = None) -> str:
    """A power of ten as people write it."""
    return f"{value:,g}"


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
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(plain))
    axes.set_xlabel("averaging time (s)")
    axes.set_ylabel("Allan deviation (ppm)")
    style.legend(figure, [axes])
    return figure
