"""A treatment's record from the journal: who was given what, without samples and strokes, which no journal keeps."""

from __future__ import annotations

from mesoinjector import plans
from mesoinjector.errors import PlanError
from mesoinjector.history import AWAY, Given, Past
from mesoinjector.journal import Intended, Journal
from mesoinjector.record import DoseRecord, FractionalRecord, Sample, Stroke, TreatmentRecord
from mesoinjector.results import Delivered, NotDelivered, Result, Unknown

UNKNOWN_THEN = "not recorded"
"""Stands where a journal of before says nothing of what the device ran."""


def recall(past: Past, journal: Journal) -> TreatmentRecord:
    """What a journal knows of a treatment; a dose without an end is Unknown."""
    about = past.about
    record = TreatmentRecord(
        plan_name=plans.name_in(past.plan) or f"Treatment {past.number}",
        device_uid=past.device,
        firmware=about.get("firmware", UNKNOWN_THEN),
        runtime=about.get("runtime", UNKNOWN_THEN),
        started_utc=past.utc.isoformat(timespec="seconds"),
        simulated=about.get("simulated", False),
        notes=_notes(past),
    )
    for dose in past.doses:
        if dose.result is None:
            is_committed = journal.committed(dose.asked.dose_id)
            dose.result = dose.asked.unknown("no end known yet" if is_committed else "not committed yet")
    add_given(record, past)
    return record


def find(treatments: list[Past], number: int | None) -> Past:
    """The newest treatment of a number, or of all. Raises `PlanError`."""
    of_it = [past for past in treatments if number in (None, past.number)]
    if not of_it:
        what = "no treatment" if number is None else f"no treatment {number}"
        raise PlanError(f"this journal knows {what}. Next: `mesoinjector journal treatments`.")
    return of_it[-1]


def add_given(record: TreatmentRecord, past: Past) -> None:
    """Add a treatment's doses and runs that have a result to a record; what was tried again and given counts once."""
    for at, dose in enumerate(past.doses):
        if dose.result is None or (dose.asked.kind in AWAY and dose.asked.kind != "prime"):
            continue
        if not dose.moved and any(_is_again(later, dose) for later in past.doses[at + 1 :]):
            continue
        if dose.asked.kind == "fractional":
            record.runs.append(run_record(dose.asked, dose.result, ()))
        else:
            record.doses.append(dose_record(dose.asked, dose.point, dose.result))


def dose_record(
    asked: Intended,
    point: int,
    result: Result,
    tip_nl: int | None = None,
    skin_nl: int | None = None,
    samples: tuple[Sample, ...] = (),
) -> DoseRecord:
    """A metered dose or a prime that has ended."""
    delivered, lower, upper = amounts(result)
    return DoseRecord(
        dose_id=result.dose_id,
        kind="prime" if asked.kind == "prime" else "dose",
        zone=asked.zone or "-",
        point=point,
        depth_um=asked.depth_um,
        asked_nl=result.asked_nl,
        result=type(result).__name__,
        reason=result.reason,
        delivered_nl=delivered,
        lower_nl=lower,
        upper_nl=upper,
        plant_nl=tip_nl,
        plant_skin_nl=skin_nl,
        samples=samples,
    )


def run_record(asked: Intended, result: Result, records: tuple[Stroke, ...]) -> FractionalRecord:
    """A fractional run that has ended."""
    return FractionalRecord(
        dose_id=result.dose_id,
        zone=asked.zone,
        depth_um=asked.depth_um,
        set_per_min=asked.rate_per_min,
        needles=asked.needles,
        area_mm2=asked.area_cm2 * 100,
        asked_strokes=asked.strokes,
        strokes=result.strokes if isinstance(result, Delivered) else 0,
        bad_strokes=result.bad_strokes if isinstance(result, Delivered) else 0,
        result=type(result).__name__,
        reason=result.reason,
        upper_strokes=result.upper_strokes if isinstance(result, Unknown) else 0,
        records=records,
    )


def amounts(result: Result) -> tuple[int, int, int]:
    """Delivered, lower and upper nl of any result; an Unknown one counts as its middle."""
    if isinstance(result, Delivered):
        return result.delivered_nl, result.lower_nl, result.upper_nl
    if isinstance(result, NotDelivered):
        return 0, 0, 0
    return (result.lower_nl + result.upper_nl) // 2, result.lower_nl, result.upper_nl


def _is_again(later: Given, dose: Given) -> bool:
    """Whether a later dose gave what this one did not: a prime again, or the same point."""
    same = later.asked.kind == dose.asked.kind and later.point == dose.point
    return later.moved and same and (dose.asked.kind == "prime" or dose.point > 0)


def _notes(past: Past) -> list[str]:
    notes = ["Written from the journal, which keeps amounts: no course of pressure, no single strokes."]
    if past.ended is None:
        notes.append("The journal does not say that it has ended.")
    elif past.ended != "complete":
        notes.append(f"Not all was given as asked: {past.ended}.")
    if "simulated" not in past.about:
        notes.append("Whether a device or a simulated one gave it is not recorded.")
    if past.skipped:
        left_out = ", ".join(map(str, sorted(past.skipped)))
        notes.append(f"Left out by an operator's word, after a look at the skin: point {left_out}.")
    if past.disturbed:
        notes.append(
            "Something was given since it began that this journal did not ask for; it is not on this page. The "
            "device's ledger has it."
        )
    return notes
