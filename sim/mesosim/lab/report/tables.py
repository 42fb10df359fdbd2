"""The raw data as CSV: cases.csv, doses.csv, strokes.csv, faults.csv. Units are in the names of the columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mesosim.lab.campaign.results import Result
from mesosim.lab.report.account import Account

CASE = ("scenario", "seed", "runtime")
DOSE = (
    "kind",
    "asked_nl",
    "delivered_nl",
    "lower_nl",
    "upper_nl",
    "plant_tip_nl",
    "plant_skin_nl",
    "depth_um",
    "result",
    "reason",
)


def write(account: Account, folder: Path) -> None:
    """Write all four. Raises OSError."""
    results = account.results
    _table(
        folder / "cases.csv",
        ("passed", "findings", "duration_us", "wall_ms", "trace_sha256", "drawn"),
        map(_case, results),
    )
    _table(
        folder / "doses.csv",
        ("index", *DOSE, "error", "judged"),
        (
            (dose.result, [dose.index, *(dose.said[name] for name in DOSE), dose.error, dose.judged])
            for dose in account.doses
        ),
    )
    _table(
        folder / "strokes.csv",
        ("interval_us", "strokes"),
        (
            (result, [int(start), count])
            for result in results
            for start, count in result.outcome.strokes.get("intervals_us", {}).items()
        ),
    )
    _table(
        folder / "faults.csv",
        ("fault", "mode", "kind", "hazard", "passed", "alarm", "alarm_ms", "hazard_ms", "judged", "standing"),
        ((result, _fault(result)) for result in results if result.outcome.fault),
    )


def _table(path: Path, columns: Sequence[str], rows: Iterable[tuple[Result, list[Any]]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*CASE, *columns])
        for result, row in rows:
            writer.writerow([result.outcome.scenario, result.key.seed, result.key.runtime, *row])


def _case(result: Result) -> tuple[Result, list[Any]]:
    outcome = result.outcome
    drawn = json.dumps(result.drawn, sort_keys=True) if result.drawn else ""
    findings = "; ".join(outcome.findings)
    return result, [outcome.passed, findings, outcome.duration_us, result.wall_ms, outcome.trace_sha256, drawn]


def _fault(result: Result) -> list[Any]:
    outcome = result.outcome
    said = [outcome.fault, result.mode, result.kind, outcome.hazard, outcome.passed, outcome.alarm]
    return [*said, outcome.alarm_ms, outcome.hazard_ms, outcome.judged, outcome.standing]
