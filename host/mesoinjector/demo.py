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

from mesoinjector import plans, summary
from mesoinjector.injector import Injector
from mesoinjector.journal import Journal
from mesoinjector.links import Link
from mesoinjector.record import TreatmentRecord
from mesoinjector.treatment import Progress, Treatment

PLANS = ("face-30-points.toml", "fractional-900.toml")


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo found out: `record` for the report, `figures` for `--json`."""

    record: TreatmentRecord
    figures: dict[str, Any]
    as_asked: bool


def run(link: Link, on_progress: Callable[[Progress], None]) -> Demo:
    """Run both example plans on a simulated device; the journal is a temporary one. Closes the link."""
    start = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        Injector(link, Journal(Path(folder) / "journal.sqlite")) as injector,
    ):
        treatments: list[TreatmentRecord] = []
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
        figures = {
            "runtime": injector.runtime,
            "doses": [summary.dose(each) for each in record.doses if each.kind == "dose"],
            "fractional": summary.cadence(record.runs),
            "ledger_total_nl": injector.ledger(last_n).total_nl,
            "plant_total_nl": link.control("account")["tip_nl"],
            "prime_nl": sum(dose.delivered_nl for dose in record.doses if dose.kind == "prime"),
            "virtual_s": round(link.control("account")["t_us"] / 1e6, 6),
            "wall_s": round(time.monotonic() - start, 3),
        }
        trace = link.control("trace")
        figures["trace_records"], figures["trace_sha256"] = trace["records"], trace["sha256"]
    return Demo(record, figures, as_asked)
