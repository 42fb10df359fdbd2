"""The figure of cadence: how long the intervals between strokes were, over all runs of a campaign."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mesoinjector.report.drawing import AMBER, BLUE, INK, RED, WIDTH_IN, thousands
from mesosim.lab.report.account import Cadence

SHARES = ((0.5, "p50", BLUE, "-"), (0.99, "p99", INK, "--"), (0.999, "p99.9", AMBER, "-."), (1.0, "max", RED, ":"))
"""Quantiles that are drawn, each in its colour and its dashes."""

BINS = 120

NARROWEST_MS = 2.0
"""Width of the axis, however regular the strokes are."""


def cadence_figure(cadence: Cadence) -> Figure:
    """Histogram of intervals with its quantiles; the count is logarithmic, so that one late stroke shows."""
    figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
    axes = figure.subplots()
    starts = np.array([start for start, _ in cadence.histogram]) / 1000
    counts = np.array([count for _, count in cadence.histogram])
    span_ms = max(float(starts[-1] - starts[0]), NARROWEST_MS)
    middle = float(starts[0] + starts[-1]) / 2
    edges = np.linspace(middle - 0.55 * span_ms, middle + 0.55 * span_ms, BINS + 1)
    axes.hist(starts, edges.tolist(), weights=counts, color=BLUE, alpha=0.75, log=True)
    for share, name, colour, dashes in SHARES:
        at_ms = cadence.quantile_us(share) / 1000
        axes.axvline(at_ms, color=colour, linestyle=dashes, linewidth=1.6, label=f"{name}: {at_ms:,.1f} ms")
    axes.set_ylim(0.5, None)
    axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    axes.set_xlabel("interval between strokes (ms)")
    axes.set_ylabel("strokes")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure
