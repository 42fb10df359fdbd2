"""How every plot of the document looks: the report's type, in colours that the colour-blind tell apart and print keeps.

The palette is Okabe and Ito's (2008), each colour always for the same thing; lines differ by dashes and marks, too.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesoinjector.report.drawing import MUTED, WIDTH_IN, drawing_style

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#000000"

MEASURED = BLUE
"""What the plant gave: dots, curves."""
INTERVAL = BLACK
"""What is concluded of it: tolerance intervals, bounds."""
LIMIT = VERMILLION
"""The edges of what was asked."""
INSIDE = "#E3F1EC"
"""Within the limits: green, so pale that print keeps it pale."""
NOTHING, OUTSIDE = "#E4E4E4", "#F6C7A8"
"""Of maps: nothing to judge; outside the limits."""
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK, YELLOW)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
MARKS = ("o", "s", "^", "D", "v", "P", "X")
"""Of several series, the i-th has the i-th colour, dashes and mark."""

RAMP = "cividis"
"""Of maps: even in brightness, the same to the colour-blind, and a ramp of greys in print."""


@contextmanager
def drawing() -> Generator[None]:
    """Draw inside this."""
    with drawing_style():
        mpl.rcParams["axes.prop_cycle"] = cycler(color=SERIES)
        yield


def sheet(height_in: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure as wide as the page, and its axes row by row; `options` are `Figure.subplots`'."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(axes.flat)


def limits(axes: Axes, low: float, high: float, label: str, *, vertical: bool = False) -> None:
    """The band that was asked for, its edges drawn; `vertical`: the limits are on the x axis."""
    span, line = (axes.axvspan, axes.axvline) if vertical else (axes.axhspan, axes.axhline)
    span(low, high, color=INSIDE, linewidth=0, zorder=0)
    for number, edge in enumerate((low, high)):
        line(edge, color=LIMIT, linewidth=1.2, linestyle="--", label=label if number == 0 else None)


def zero(axes: Axes, *, vertical: bool = False) -> None:
    """The line of no error."""
    (axes.axvline if vertical else axes.axhline)(0, color=MUTED, linewidth=0.8)


def legend(figure: Figure, axes: Iterable[Axes], columns: int = 4) -> None:
    """One legend below all axes, each name once."""
    named: dict[str, Artist] = {}
    for one in axes:
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            named.setdefault(str(label), handle)
    figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=columns)
