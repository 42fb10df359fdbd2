"""How every figure of the report looks, and how it becomes inline SVG.

Text stays text (searchable, and in the page's font); it is measured in the font that matplotlib ships,
which is wider than the usual system fonts, so labels laid out without overlap stay so everywhere.
"""

# matplotlib's stubs leave the types of keyword arguments out
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.figure import Figure

WIDTH_IN = 9.2
"""Full width of the page's column; figures scale down from it."""

INK, MUTED, GRID = "#1d2a35", "#5b6873", "#dfe4e8"
BLUE, AMBER, RED = "#1f5f99", "#b45309", "#b3182b"
GOAL_BAND, NEEDLE_OUT = "#d8eadb", "#eef3f8"

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "mesoinjector",
    "savefig.transparent": True,
}

RASTER_DPI = 200
"""Resolution of the parts that are drawn as pixels: enough for paper."""


@contextmanager
def drawing_style() -> Generator[None]:
    """Draw inside this: the report's own settings, whatever the user's matplotlibrc says.

    Glyphs that the measuring font lacks are left to the reader's browser, so that warning is silenced.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def svg(figure: Figure, description: str) -> Markup:
    """``figure`` as an inline SVG element that depends on nothing but the figure's content."""
    file = io.StringIO()
    no_metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(file, format="svg", dpi=RASTER_DPI, metadata=no_metadata)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # matplotlib numbers groups alike in every figure
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1))


def shortened(name: str, limit: int) -> str:
    """A user's name on one line, at most ``limit`` characters."""
    line = " ".join(name.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def thousands(axis_value: float, _position: int) -> str:
    """Tick label with thousands separators."""
    return f"{axis_value:,.0f}"
