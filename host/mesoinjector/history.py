"""What a journal says of earlier treatments, of a device or of a patient. Nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mesoinjector.journal import Intended, Journal
from mesoinjector.results import Delivered, NotDelivered, Result

PATIENT = "patient_ref"
"""What of a treatment joins it to a person, in whose records it stands."""

AWAY = ("prime", "home", "dry")
"""Kinds of doses of which nothing reaches a patient."""


@dataclass(slots=True)
class Given:
    """One dose or run that was asked for."""

    asked: Intended
    utc: datetime
    """When it ended, as far as this is known; else when it was asked for."""
    result: Result | None = None
    """The newest; None while it has none."""

    @property
    def point(self) -> int:
        """Of its plan; 0 is none. A test is its plan's only one."""
        return 1 if self.asked.kind == "test" else self.asked.point

    @property
    def moved(self) -> bool:
        """Whether something was, or may have been, delivered."""
        return not isinstance(self.result, NotDelivered)

    @property
    def whole(self) -> bool:
        """Whether it is certain that it was given as asked."""
        return isinstance(self.result, Delivered) and self.result.complete


@dataclass(slots=True)
class Past:
    """One treatment, with all that was asked for in it, oldest first."""

    utc: datetime
    device: str
    number: int
    plan: str
    """Its text."""
    about: dict[str, Any]
    """Of its session, if somebody was treated; and what the device ran."""
    doses: list[Given] = field(default_factory=list)
    skipped: set[int] = field(default_factory=set)
    """Points that an operator has said are not to be given any more."""
    ended: str | None = None
    """How its last part ended: `complete`, or why early; None if nobody has said, or while it goes on."""
    disturbed: bool = False
    """Something was given in it that this journal did not ask for."""

    def given(self, *kinds: str) -> list[Given]:
        """Doses of some kinds of which something was, or may have been, delivered."""
        return [dose for dose in self.doses if dose.asked.kind in kinds and dose.moved]


def treatments(journal: Journal) -> list[Past]:
    """All treatments, oldest first."""
    found: list[Past] = []
    latest: dict[str, Past] = {}
    doses: dict[str, Given] = {}
    for row, utc, kind, device, dose_id, data in journal.entries():
        when = datetime.fromisoformat(utc)
        if kind == "treatment":
            about = {key: value for key, value in data.items() if key != "plan"}
            latest[device] = Past(when, device, row % 0xFFFF + 1, data["plan"], about)
            found.append(latest[device])
        elif kind == "intended" and (of := _of(found, device, data["treatment"])):
            doses[data["dose_id"]] = Given(Intended(**data), when)
            of.doses.append(doses[data["dose_id"]])
            of.ended = None
        elif kind == "outcome" and dose_id in doses:
            doses[dose_id].utc = when
            doses[dose_id].result = journal.result(dose_id)
        elif kind == "skipped" and device in latest and data["treatment"] == latest[device].number:
            latest[device].skipped.update(data["points"])
        elif kind in ("ended", "resumed") and (of := _of(found, device, data["treatment"])):
            of.ended = "complete" if data.get("as_asked") else data.get("reason")
        elif kind == "foreign" and device in latest:
            latest[device].disturbed = True
    return found


def _of(found: list[Past], device: str, number: int) -> Past | None:
    """The newest treatment of that number: the device may have refused those that were begun since."""
    return next((past for past in reversed(found) if (past.device, past.number) == (device, number)), None)


def latest(journal: Journal, device: str) -> Past | None:
    """The treatment that a device is in, as far as this journal knows."""
    return next((past for past in reversed(treatments(journal)) if past.device == device), None)


def of_patient(journal: Journal, patient: str) -> list[Past]:
    """All treatments of a patient, on whatever device, oldest first."""
    return [past for past in treatments(journal) if past.about.get(PATIENT) == patient]
