"""Figures of a treatment, as plain data for the command line's tables and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mesoinjector.record import DoseRecord, FractionalRecord


def dose(record: DoseRecord) -> dict[str, Any]:
    """One dose; volumes in nl, the plant's account where there is one."""
    figures: dict[str, Any] = {
        "id": record.dose_id,
        "kind": record.kind,
        "zone": record.zone,
        "point": record.point,
        "asked_nl": record.asked_nl,
        "delivered_nl": None if record.result == "Unknown" else record.delivered_nl,
        "lower_nl": record.lower_nl,
        "upper_nl": record.upper_nl,
        "result": record.result,
        "reason": record.reason,
    }
    if record.plant_nl is not None:
        figures["plant_nl"] = record.plant_nl
        figures["plant_skin_nl"] = record.plant_skin_nl
    return figures


def cadence(runs: list[FractionalRecord]) -> dict[str, Any]:
    """Strokes and their cadence over all runs, by the device's index pulses; strokes in ramps are left out."""
    figures = [_cadence_of(run) for run in runs]
    return {
        "set_per_min": runs[0].set_per_min if runs else 0,
        "strokes": None if any(run.upper_strokes for run in runs) else sum(run.strokes for run in runs),
        "upper_strokes": sum(run.upper_strokes or run.strokes for run in runs),
        "mean_per_min": _mean([us for run in runs for us in _steady(run)]),
        "worst_interval_error_us": _worst_of(figures, "worst_interval_error_us"),
        "worst_depth_error_um": _worst_of(figures, "worst_depth_error_um"),
        "runs": figures,
    }


def _cadence_of(run: FractionalRecord) -> dict[str, Any]:
    steady = _steady(run)
    return {
        "zone": run.zone,
        "result": run.result,
        "reason": run.reason,
        "set_per_min": run.set_per_min,
        "asked_strokes": run.asked_strokes,
        "strokes": None if run.upper_strokes else run.strokes,
        "upper_strokes": run.upper_strokes or run.strokes,
        "records": len(run.records),
        "mean_per_min": _mean(steady),
        "worst_interval_error_us": _worst(abs(us - run.set_interval_us) for us in steady),
        "worst_depth_error_um": max((abs(stroke.depth_um - run.depth_um) for stroke in run.records), default=None),
    }


def _steady(run: FractionalRecord) -> list[int]:
    return [stroke.interval_us for stroke in run.records if stroke.steady]


def _worst_of(figures: list[dict[str, Any]], name: str) -> float | None:
    return max((figure[name] for figure in figures if figure[name] is not None), default=None)


def _worst(errors_us: Iterable[float]) -> float | None:
    worst_us = max(errors_us, default=None)
    return None if worst_us is None else round(worst_us, 3)


def _mean(intervals_us: list[int]) -> float | None:
    return round(60e6 * len(intervals_us) / sum(intervals_us), 6) if intervals_us else None
