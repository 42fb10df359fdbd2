"""The test report of one board from the production line: a self-contained, printable HTML page."""

# matplotlib's stubs leave the types of keyword arguments out
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from mesoinjector import durable
from mesoinjector.production_record import Accuracy, Made
from mesoinjector.report.account import DOSE_GOAL
from mesoinjector.report.drawing import BLUE, GOAL_BAND, MUTED, WIDTH_IN, drawing_style, svg
from mesoinjector.report.fractional import run_figure
from mesoinjector.report.page import environment


def write_device_report(made: Made, path: Path) -> None:
    """Write what was seen of a board, whole or not at all; nothing is replaced. Raises `OSError`.

    Not for several threads at once: matplotlib's settings belong to the process.
    """
    durable.create(path, render(made).encode("utf-8", errors="replace"))


def render(made: Made) -> str:
    """The page; the same board always gives the same text."""
    figures: list[Markup] = []
    with drawing_style():
        if made.run is not None and made.run.records:
            figures.append(svg(run_figure(made.run), "Depth and cadence of the dry run"))
        if made.accuracy is not None and made.accuracy.doses:
            figures.append(svg(_weighed(made.accuracy), "Doses on the scale against set"))
    return environment().get_template("production.html.j2").render(made=made, figures=figures)


def _weighed(accuracy: Accuracy) -> Figure:
    figure = Figure(figsize=(WIDTH_IN, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.axhspan(-100 * DOSE_GOAL, 100 * DOSE_GOAL, color=GOAL_BAND, linewidth=0, label=f"±{100 * DOSE_GOAL:g} % goal")
    axes.axhline(0, color=MUTED, linewidth=1)
    off = [100 * (each.weighed_nl / each.asked_nl - 1) for each in accuracy.doses]
    axes.plot(range(1, len(off) + 1), off, "o", color=BLUE, markersize=4, label="dose")
    axes.set_xlabel("dose")
    axes.set_ylabel("weighed against set (%)")
    figure.legend(loc="outside lower left", ncols=2)
    return figure
