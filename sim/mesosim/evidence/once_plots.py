"""The plot of the study of doses given once."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mesosim.evidence import style
from mesosim.evidence.once_account import DOSES, SCHEDULES
from mesosim.evidence.study import Plot, Row, Tables
from mesosim.lab.frames import KINDS, MESSAGES


def plots(tables: Tables) -> list[Plot]:
    """If there is something to draw."""
    if not tables.rows(SCHEDULES):
        return []
    title = (
        "How many doses were tried with each fault of each message of the protocol and its reply: the darker, the "
        "fewer; white where there was none. A cross would stand where one was given twice, left unknown, or told "
        f"wrong: there are {_bad(tables)}."
    )
    return [Plot("map", title, _map(tables))]


def _bad(tables: Tables) -> str:
    return str(len(_wrong(tables)) or "none")


def _wrong(tables: Tables) -> list[Row]:
    """Schedules in which anything was given twice, left unknown or told wrong."""
    return [row for row in tables.rows(SCHEDULES) if row["double"] or row["unresolved"] or not row["holds"]]


def _request(message: str) -> str:
    """A reply stands with its request."""
    return message.removesuffix(" reply")


def _map(tables: Tables) -> Figure:
    seen = {str(row["message"]) for row in tables.rows(SCHEDULES)}
    messages = list(dict.fromkeys(_request(name) for name in MESSAGES if name in seen))
    figure, (axes,) = style.sheet(1.2 + 0.2 * len(messages))
    places = {(name, kind): (i, j) for i, name in enumerate(messages) for j, kind in enumerate(KINDS)}
    counts = np.zeros((len(messages), len(KINDS)))
    for row in tables.rows(DOSES):
        counts[places[_request(str(row["message"])), str(row["fault"])]] += 1
    edges = [np.arange(n + 1) - 0.5 for n in (len(KINDS), len(messages))]
    shown = np.ma.masked_equal(counts, 0)
    mesh = axes.pcolormesh(*edges, shown, cmap=style.RAMP, vmin=0, edgecolors="white", linewidth=0.6)
    figure.colorbar(mesh, ax=axes, label="doses tried")
    for row in _wrong(tables):
        i, j = places[_request(str(row["message"])), str(row["fault"])]
        axes.plot([j], [i], "x", color=style.LIMIT, markersize=8, markeredgewidth=2, label="something does not hold")
    axes.set_xticks(range(len(KINDS)), list(KINDS), rotation=30, ha="right")
    axes.set_yticks(range(len(messages)), messages)
    axes.set_ylim(len(messages) - 0.5, -0.5)
    axes.set_xlabel("fault")
    axes.grid(visible=False)
    if _wrong(tables):
        style.legend(figure, [axes])
    return figure
