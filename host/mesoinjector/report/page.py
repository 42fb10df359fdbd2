"""The page: a record's account and figures, put into the template. Every name is escaped on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mesoinjector.record import DoseRecord, FractionalRecord, TreatmentRecord
from mesoinjector.report.account import (
    DEPTH_GOAL_UM,
    DEPTH_STOP_UM,
    DOSE_GOAL,
    account,
    delivered_error,
    endings,
    standing,
)
from mesoinjector.report.drawing import drawing_style, svg
from mesoinjector.report.fractional import run_figure
from mesoinjector.report.metered import DOSES_PER_FIGURE, dose_figure, representative, trace_figure

NOTHING = "–"
"""Shown where there is no number."""


def render(record: TreatmentRecord) -> str:
    """The whole page as HTML; the same record always gives the same text."""
    summary = account(record)
    with drawing_style():
        figures = Figures(
            doses=_dose_figures(summary.doses),
            traces=_trace_figures(summary.doses),
            runs=[_run_svg(run) for run in record.runs if run.records],
        )
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            record=record,
            summary=summary,
            figures=figures,
            dose_goal=DOSE_GOAL,
            depth_goal_um=DEPTH_GOAL_UM,
            depth_stop_um=DEPTH_STOP_UM,
        )
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """Drawn figures; an empty list where there is nothing to draw."""

    doses: list[Markup]
    traces: list[Markup]
    runs: list[Markup]


def _dose_figures(doses: list[DoseRecord]) -> list[Markup]:
    pages = [doses[i : i + DOSES_PER_FIGURE] for i in range(0, len(doses), DOSES_PER_FIGURE)]
    return [svg(dose_figure(page), f"Volume of {len(page)} doses against set") for page in pages]


def _trace_figures(doses: list[DoseRecord]) -> list[Markup]:
    chosen = representative(doses)
    return [svg(trace_figure(chosen), "Pressure, plunger volume and needle over time")] if chosen else []


def _run_svg(run: FractionalRecord) -> Markup:
    return svg(run_figure(run), f"Depth and cadence of the run over {run.zone}")


def environment() -> Environment:
    """The reports' templates, with what they say figures by; every name is escaped."""
    environment = Environment(
        loader=PackageLoader("mesoinjector.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "ul": _ul,
        "ml": _ml,
        "mm": _mm,
        "number": _number,
        "signed": _signed,
        "percent": _percent,
        "standing": standing,
        "endings": endings,
        "delivered_error": delivered_error,
    }
    environment.filters.update(filters)
    return environment


def _ul(volume_nl: int | None) -> str:
    return NOTHING if volume_nl is None else f"{volume_nl / 1000:,.2f}"


def _ml(volume_nl: int | None, digits: int = 3) -> str:
    return NOTHING if volume_nl is None else f"{volume_nl / 1e6:,.{digits}f}"


def _mm(depth_um: float) -> str:
    return f"{depth_um / 1000:.2f}"


def _number(value: float | None, digits: int = 0) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"


def _signed(value: float, digits: int) -> str:
    """With its sign, a minus as wide as the plus, and no sign for what rounds to zero."""
    rounded = round(value, digits)
    return f"{rounded:+,.{digits}f}".replace("-", "−") if rounded else f"{0:.{digits}f}"


def _percent(fraction: float | None) -> str:
    return NOTHING if fraction is None else f"{_signed(100 * fraction, 1)} %"
