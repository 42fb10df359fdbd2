"""The figure of pressure over time, of the cases worth looking at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mesoinjector.report.drawing import BLUE, RED, WIDTH_IN, shortened
from mesosim.lab.campaign.results import Result

COLUMNS = 3

POINTS = 1500
"""Of each trace; longer ones are drawn by every n-th."""


def pressure_figure(results: Sequence[Result]) -> Figure:
    """Small multiples, failed cases red and named so."""
    columns = min(COLUMNS, len(results))
    rows = -(-len(results) // columns)
    figure = Figure(figsize=(WIDTH_IN, 0.4 + 2.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(results) :]:
        axes.set_visible(False)
    for axes, result in zip(grid.flat, results, strict=False):
        outcome = result.outcome
        samples = np.array(outcome.pressure)[:: -(-len(outcome.pressure) // POINTS)]
        colour = BLUE if outcome.passed else RED
        axes.plot((samples[:, 0] - samples[0, 0]) / 1e6, samples[:, 1] / 1000, color=colour, linewidth=1.1)
        ended = "" if outcome.passed else ", failed"
        under = f"\n{shortened(outcome.fault, 30)}" if outcome.fault else "\nno fault"
        axes.set_title(f"{shortened(outcome.scenario, 24)}, seed {result.key.seed}{ended}{under}")
        axes.margins(x=0)
    for axes in grid[:, 0]:
        axes.set_ylabel("pressure (kPa)")
    for axes in grid.flat[max(0, len(results) - columns) : len(results)]:
        axes.set_xlabel("time (s)")
    return figure
