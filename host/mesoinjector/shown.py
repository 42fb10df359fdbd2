"""What the command line prints of a treatment: tables for a person, facts for a program."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mesoinjector import summary
from mesoinjector.record import DoseRecord, TreatmentRecord


def treatment(record: TreatmentRecord) -> None:
    """The table a person understands."""
    out = Console(markup=False)
    if record.doses:
        out.print(f"\n{record.plan_name}", style="bold", highlight=False)
        table = _table("doses, ul", "n", "asked", "firmware", "plant", "in skin")
        zones: dict[str, list[DoseRecord]] = {}
        for dose in record.doses:
            zones.setdefault(dose.zone if dose.kind == "dose" else "prime (air)", []).append(dose)
        for zone, doses in zones.items():
            table.add_row(zone, *_totals(doses))
        table.add_section()
        table.add_row("patient", *_totals([dose for dose in record.doses if dose.kind == "dose"]))
        out.print(table)
    if record.runs:
        figures = summary.cadence(record.runs)
        table = _table("punctures", "asked", "made", "set/min", "mean/min", "worst us", "worst um")
        for run in figures["runs"]:
            table.add_row(
                run["zone"],
                f"{run['asked_strokes']:,}",
                f"0 to {run['upper_strokes']:,}" if run["strokes"] is None else f"{run['strokes']:,}",
                f"{run['set_per_min']}",
                _figure(run["mean_per_min"], ".4f"),
                _figure(run["worst_interval_error_us"], ".2f"),
                _figure(run["worst_depth_error_um"], "d"),
                _ending(run["result"], run["reason"], "fractional"),
            )
        out.print(table)


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _table(*columns: str) -> Table:
    """A table of figures: what they are about first, how it ended last."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(columns[0], no_wrap=True)
    for name in columns[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ended", no_wrap=True)
    return table


def _ending(result: str, reason: str, kind: str) -> str:
    if result == "Delivered" and reason == "complete":
        return "fluid flows" if kind == "prime" else "as asked"
    if result == "Delivered":
        return f"early: {reason}"
    return "nothing given" if result == "NotDelivered" else "UNKNOWN"


def _totals(doses: list[DoseRecord]) -> list[str]:
    plant = [dose.plant_nl for dose in doses if dose.plant_nl is not None]
    skin = [dose.plant_skin_nl for dose in doses if dose.plant_skin_nl is not None]
    return [
        str(len(doses)),
        f"{sum(dose.asked_nl for dose in doses) / 1000:.1f}",
        _given(doses),
        f"{sum(plant) / 1000:.2f}" if plant else "-",
        f"{sum(skin) / 1000:.2f}" if skin else "-",
        ", ".join(sorted({_ending(dose.result, dose.reason, dose.kind) for dose in doses})),
    ]


def _given(doses: list[DoseRecord]) -> str:
    """By the firmware; where it does not know of one of them only the bounds hold."""
    if any(dose.result == "Unknown" for dose in doses):
        low, high = (sum(getattr(dose, name) for dose in doses) / 1000 for name in ("lower_nl", "upper_nl"))
        return f"{low:.2f} to {high:.2f}"
    return f"{sum(dose.delivered_nl for dose in doses) / 1000:.2f}"


def demo(figures: dict[str, Any]) -> None:
    """Both accounts in one line, and how long it took."""
    ledger, plant = figures["ledger_total_nl"], figures["plant_total_nl"]
    print(
        f"Ledger in all {ul(ledger)}, plant in all {ul(plant)} (priming included): "
        f"{(ledger - plant) / plant:+.2%}. Firmware on {figures['runtime']}."
    )
    trace = "in wall time nothing is traced."
    if figures["trace_sha256"]:
        trace = f"trace of {figures['trace_records']:,} records, SHA-256 {figures['trace_sha256'][:16]}."
    print(f"{figures['virtual_s']:.0f} s of treatment in {figures['wall_s']:.1f} s; {trace}")


def facts(record: TreatmentRecord) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "plan": record.plan_name,
        "device": record.device_uid,
        "runtime": record.runtime,
        "doses": [summary.dose(dose) for dose in record.doses],
        "fractional": summary.cadence(record.runs),
    }


def delivered(record: TreatmentRecord) -> str:
    """What was given so far, in one line."""
    doses = [dose for dose in record.doses if dose.kind == "dose"]
    low, high = (sum(getattr(dose, name) for dose in doses) for name in ("lower_nl", "upper_nl"))
    least, most = (sum(getattr(run, name) for run in record.runs) for name in ("strokes", "upper_strokes"))
    punctures = f"{least:,} to {least + most:,}" if most else f"{least:,}"
    return f"Delivered {ul(low)} to {ul(high)} in {len(doses)} doses, {punctures} punctures"


def ul(volume_nl: int) -> str:
    """A volume for a person."""
    return f"{volume_nl / 1000:.2f} ul"
