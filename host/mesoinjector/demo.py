"""The main job on the simulated device: a metered plan and a fractional one, with two accounts side by side.

The firmware's account comes from the device's ledger, the plant's from the integral of flow at the needle's
tip. Neither is computed from the other.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from mesoinjector import plans
from mesoinjector.injector import Injector
from mesoinjector.journal import Journal
from mesoinjector.links import Link
from mesoinjector.record import FractionalRecord, TreatmentRecord
from mesoinjector.treatment import Progress, Treatment

PLANS = ("face-30-points.toml", "fractional-900.toml")


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo found out: `record` for the report, `summary` for `--json`."""

    record: TreatmentRecord
    summary: dict[str, Any]
    as_asked: bool


def run(link: Link, on_progress: Callable[[Progress], None]) -> Demo:
    """Run both example plans on a simulated device; the journal is a temporary one. Closes the link."""
    start = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        Injector(link, Journal(Path(folder) / "journal.sqlite")) as injector,
    ):
        treatments = []
        as_asked = True
        for name in PLANS:
            text = resources.files("mesoinjector").joinpath("examples", "plans", name).read_text(encoding="utf-8")
            treatment = Treatment(injector, plans.parse(text, name), on_progress)
            treatments.append(treatment.record)
            as_asked = treatment.run() and as_asked
        record = treatments[0]
        record.plan_name = " + ".join(each.plan_name for each in treatments)
        record.runs = treatments[1].runs
        last_n = injector.status().next_n - 1
        summary = {
            "runtime": injector.runtime,
            "doses": _doses(record),
            "fractional": cadence(record.runs),
            "ledger_total_nl": injector.ledger(last_n).total_nl,
            "plant_total_nl": link.control("account")["tip_nl"],
            "prime_nl": sum(dose.delivered_nl for dose in record.doses if dose.kind == "prime"),
            "virtual_s": round(link.control("account")["t_us"] / 1e6, 6),
            "wall_s": round(time.monotonic() - start, 3),
        }
        trace = link.control("trace")
        summary["trace_records"], summary["trace_sha256"] = trace["records"], trace["sha256"]
    return Demo(record, summary, as_asked)


def _doses(record: TreatmentRecord) -> list[dict[str, Any]]:
    return [
        {
            "id": dose.dose_id,
            "zone": dose.zone,
            "point": dose.point,
            "asked_nl": dose.asked_nl,
            "delivered_nl": dose.delivered_nl,
            "lower_nl": dose.lower_nl,
            "upper_nl": dose.upper_nl,
            "plant_nl": dose.plant_nl,
            "plant_skin_nl": dose.plant_skin_nl,
            "result": dose.result,
            "reason": dose.reason,
        }
        for dose in record.doses
        if dose.kind == "dose"
    ]


def cadence(runs: list[FractionalRecord]) -> dict[str, Any]:
    """Strokes and their cadence over all runs, by the device's index pulses; strokes in ramps are left out."""
    figures = [_cadence_of(run) for run in runs]
    steady = [stroke.interval_us for run in runs for stroke in run.records if stroke.steady]
    return {
        "set_per_min": runs[0].set_per_min if runs else 0,
        "strokes": sum(run.strokes for run in runs),
        "mean_per_min": round(60e6 * len(steady) / sum(steady), 6) if steady else None,
        "worst_interval_error_us": max((f["worst_interval_error_us"] for f in figures), default=None),
        "worst_depth_error_um": max((f["worst_depth_error_um"] for f in figures), default=None),
        "runs": figures,
    }


def _cadence_of(run: FractionalRecord) -> dict[str, Any]:
    steady = [stroke.interval_us for stroke in run.records if stroke.steady]
    return {
        "zone": run.zone,
        "result": run.result,
        "reason": run.reason,
        "set_per_min": run.set_per_min,
        "asked_strokes": run.asked_strokes,
        "strokes": run.strokes,
        "records": len(run.records),
        "mean_per_min": round(60e6 * len(steady) / sum(steady), 6) if steady else None,
        "worst_interval_error_us": round(max((abs(us - run.set_interval_us) for us in steady), default=0.0), 3),
        "worst_depth_error_um": max((abs(stroke.depth_um - run.depth_um) for stroke in run.records), default=0),
    }
