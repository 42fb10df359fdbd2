"""The page: a campaign's account and figures, put into the template. Every name is escaped on the way."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mesoinjector.report.account import DOSE_GOAL
from mesoinjector.report.drawing import drawing_style, svg
from mesosim.lab.campaign import replay
from mesosim.lab.report import statistics
from mesosim.lab.report.account import Account, Volume
from mesosim.lab.report.cadence import cadence_figure
from mesosim.lab.report.doses import accuracy_figure, trumpet_figure
from mesosim.lab.report.faults import alarm_figure
from mesosim.lab.report.pressure import pressure_figure
from mesosim.lab.report.reading import Campaign
from mesosim.lab.report.unexplored import undetectable, unexplored

NOTHING = "–"
"""Shown where there is no number."""


def render(campaign: Campaign, folder: Path) -> str:
    """The whole page as HTML; the same results always give the same text. Raises OSError; see `replay.command`."""
    account = campaign.account
    volumes = account.volumes()
    return (
        _environment()
        .get_template("campaign.html.j2")
        .render(
            campaign=campaign,
            account=account,
            volumes=volumes,
            whole=volumes[-1] if volumes else None,
            trumpet=account.trumpet(),
            cadence=account.cadence(),
            faults=account.faults(),
            undetectable=undetectable(),
            unexplored=unexplored(campaign),
            figures=_figures(account, volumes),
            replays={result.key: replay.command(result, folder) for result in account.failing},
            goal=DOSE_GOAL,
            statistics=statistics,
        )
    )


def _figures(account: Account, volumes: list[Volume]) -> dict[str, Markup]:
    """Those for which there is something to draw."""
    trumpet, cadence, faults, traces = account.trumpet(), account.cadence(), account.faults(), account.traces()
    figures = {}
    with drawing_style():
        if volumes:
            figures["accuracy"] = svg(accuracy_figure(volumes), "Error of each dose, with tolerance intervals")
        if len(trumpet) > 1:
            figures["trumpet"] = svg(trumpet_figure(trumpet), "Worst error of the sum over consecutive doses")
        if cadence:
            figures["cadence"] = svg(cadence_figure(cadence), "Histogram of intervals between strokes")
        if faults:
            figures["alarms"] = svg(alarm_figure(faults), "Time to alarm of each fault against its time to hazard")
        if traces:
            figures["pressure"] = svg(pressure_figure(traces), "Pressure over time")
    return figures


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mesosim.lab.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=_number, percent=_percent, share=_share, span=_span, lasting=_lasting)
    return environment


def _number(value: float | None, digits: int = 0) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"


def _percent(fraction: float | None, digits: int = 2) -> str:
    """A signed error, with a minus as wide as the plus."""
    return NOTHING if fraction is None else f"{100 * fraction:+.{digits}f} %".replace("-", "−")


def _share(fraction: float) -> str:
    """A proportion; one decimal unless it is 0 or 1."""
    return f"{100 * fraction:.0f} %" if fraction in (0.0, 1.0) else f"{100 * fraction:.1f} %"


def _span(ends: tuple[float, float] | None) -> str:
    return NOTHING if ends is None else f"{_percent(ends[0])} to {_percent(ends[1])}"


def _lasting(seconds: float) -> str:
    """In the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
