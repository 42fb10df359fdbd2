"""A journal's rows as what they say: one line a treatment, one line a dose, for people and for every export.

Times are this host's clock in UTC, when the row was written: a dose began not before `committed_utc`, and had ended
by `ended_utc`. Where the clock was set back in between, `clock_set_back` says so, and the order of lines is right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from mesoinjector import results
from mesoinjector.errors import JournalAltered
from mesoinjector.journal import Intended, Journal, recorded
from mesoinjector.journal_chain import Row
from mesoinjector.results import Delivered, Result, Unknown
from mesoprotocol import messages

FOREIGN = "foreign"
"""Kind of a dose in the device's ledger that this journal had not asked for."""


@dataclass(slots=True)
class TreatmentLine:
    """One treatment."""

    device: str
    treatment: int
    """Its number on the device."""
    began_utc: str
    plan: str
    about: dict[str, Any]
    """What else was said when it was begun."""
    patient_ref: str | None = None
    operator: str | None = None
    ended_utc: str | None = None
    """Of its last part; None if nobody has said, or while it goes on."""
    as_asked: bool | None = None
    """Whether all of the plan was given; None if nobody has said."""
    ended_by: str | None = None
    doses: list[DoseLine] = field(default_factory=list)


@dataclass(slots=True)
class DoseLine:
    """One dose, prime or run. Volumes in nl, depths in um, intervals in us."""

    dose_id: str
    device: str
    n: int
    """Number in the device's ledger, if it has used one."""
    kind: str
    treatment: int | None
    patient_ref: str | None
    operator: str | None
    zone: str
    point: int
    asked_nl: int
    depth_um: int
    asked_strokes: int
    rate_per_min: int
    intended_utc: str | None
    committed_utc: str | None = None
    """When it may have begun; None if it never could."""
    ended_utc: str | None = None
    clock_set_back: bool = False
    result: str = "Unknown"
    """`Delivered`, `NotDelivered` or `Unknown`; a dose without an end is Unknown."""
    reason: str = "not committed yet"
    complete: bool | None = None
    exact: bool | None = None
    delivered_nl: int | None = None
    """Best estimate; None if nobody knows."""
    lower_nl: int = 0
    upper_nl: int = 0
    strokes: int | None = None
    upper_strokes: int = 0
    """Not more punctures than this."""
    bad_strokes: int | None = None
    worst_interval_us: int | None = None
    worst_depth_um: int | None = None
    settled_by: str | None = None
    settled_because: str | None = None

    def end(self, utc: str, result: Result) -> None:
        """Its newest result; an Unknown one has bounds and no amount."""
        self.ended_utc, self.result, self.reason = utc, type(result).__name__, result.reason
        self.complete = self.exact = self.delivered_nl = self.strokes = None
        self.lower_nl = self.upper_nl = self.upper_strokes = 0
        if isinstance(result, Delivered):
            self.complete, self.exact, self.delivered_nl = result.complete, result.exact, result.delivered_nl
            self.lower_nl, self.upper_nl = result.lower_nl, result.upper_nl
            self.strokes, self.upper_strokes, self.bad_strokes = result.strokes, result.strokes, result.bad_strokes
            self.worst_interval_us, self.worst_depth_um = result.worst_interval_us, result.worst_depth_um
        elif isinstance(result, Unknown):
            self.lower_nl, self.upper_nl, self.upper_strokes = result.lower_nl, result.upper_nl, result.upper_strokes
        else:
            self.complete, self.exact, self.delivered_nl, self.strokes = False, True, 0, 0


@dataclass(frozen=True, slots=True)
class Account:
    """All that a journal says, oldest first, and which state of it."""

    treatments: list[TreatmentLine]
    doses: list[DoseLine]
    rows: int
    head: str
    """The chain's value of the last row, hexadecimal."""


def read(journal: Journal) -> Account:
    """Everything in a journal, as far as it can be read: `verify` says whether it is what was written.

    Raises `JournalAltered` for a row that says nothing, `JournalError`.
    """
    rows = list(journal.rows())
    treatments: list[TreatmentLine] = []
    doses: dict[str, DoseLine] = {}
    for row in rows:
        try:
            _take(row, json.loads(row.data), treatments, doses)
        except (ValueError, KeyError, TypeError) as error:
            raise JournalAltered(
                f"journal {journal.path}: row {row.id} of {row.utc} ({row.kind}) does not read: {error!r}. Next: "
                "`mesoinjector journal verify`."
            ) from None
    return Account(treatments, list(doses.values()), len(rows), rows[-1].chain.hex() if rows else "")


def _take(row: Row, data: dict[str, Any], treatments: list[TreatmentLine], doses: dict[str, DoseLine]) -> None:
    if row.kind == "treatment":
        treatments.append(_begun(row, data))
    elif row.kind in ("ended", "resumed"):
        _end(_of(treatments, row.device, data["treatment"]), row, data)
    elif row.dose_id and row.kind == "intended":
        doses[row.dose_id] = _intended(row, data, treatments)
    elif row.dose_id and row.kind == FOREIGN:
        doses[row.dose_id] = _foreign(row, data)
    elif row.dose_id and row.dose_id in doses:
        _follow(doses[row.dose_id], row, data)


def _begun(row: Row, data: dict[str, Any]) -> TreatmentLine:
    plan = data.pop("plan")
    number = row.id % 0xFFFF + 1
    return TreatmentLine(row.device, number, row.utc, plan, data, data.get("patient_ref"), data.get("operator"))


def _end(treatment: TreatmentLine | None, row: Row, data: dict[str, Any]) -> None:
    """The newest end holds, until the treatment goes on."""
    if treatment and row.kind == "ended":
        treatment.ended_utc, treatment.as_asked, treatment.ended_by = row.utc, data["as_asked"], data["reason"]
    elif treatment:
        treatment.ended_utc = treatment.as_asked = treatment.ended_by = None


def _of(treatments: list[TreatmentLine], device: str, number: int) -> TreatmentLine | None:
    """The newest treatment of that number."""
    mine = (each for each in reversed(treatments) if (each.device, each.treatment) == (device, number))
    return next(mine, None)


def _intended(row: Row, data: dict[str, Any], treatments: list[TreatmentLine]) -> DoseLine:
    asked = Intended(**data)
    treatment = _of(treatments, row.device, asked.treatment)
    dose = DoseLine(
        dose_id=asked.dose_id,
        device=row.device,
        n=asked.n,
        kind=asked.kind,
        treatment=asked.treatment or None,
        patient_ref=treatment.patient_ref if treatment else None,
        operator=treatment.operator if treatment else None,
        zone=asked.zone,
        point=asked.point,
        asked_nl=asked.asked_nl,
        depth_um=asked.depth_um,
        asked_strokes=asked.strokes,
        rate_per_min=asked.rate_per_min,
        intended_utc=row.utc,
        upper_nl=asked.asked_nl,
        upper_strokes=asked.strokes,
    )
    if treatment:
        treatment.doses.append(dose)
        # given by hand behind its end: it has not ended
        treatment.ended_utc = treatment.as_asked = treatment.ended_by = None
    return dose


def _foreign(row: Row, data: dict[str, Any]) -> DoseLine:
    raw: dict[str, Any] = {**data, "dose_id": bytes.fromhex(data["dose_id"]), "boot_id": bytes.fromhex(data["boot_id"])}
    outcome = messages.OutcomeReply(**raw)
    dose = DoseLine(
        dose_id=data["dose_id"],
        device=row.device,
        n=outcome.n,
        kind=FOREIGN,
        treatment=None,
        patient_ref=None,
        operator=None,
        zone="",
        point=0,
        asked_nl=outcome.asked_nl,
        depth_um=0,
        asked_strokes=outcome.asked_strokes,
        rate_per_min=0,
        intended_utc=None,
    )
    result = results.from_outcome(outcome, outcome.asked_nl, outcome.asked_strokes)
    if result:
        dose.end(row.utc, result)
    return dose


def _follow(dose: DoseLine, row: Row, data: dict[str, Any]) -> None:
    """What a later row says of it."""
    dose.clock_set_back |= row.utc < (dose.ended_utc or dose.committed_utc or dose.intended_utc or "")
    if row.kind == "committed":
        dose.committed_utc, dose.reason = row.utc, "no end known yet"
    elif row.kind == "outcome":
        dose.end(row.utc, recorded(data))
    elif row.kind == "settled":
        dose.settled_by, dose.settled_because = data["operator"], data["reason"]
