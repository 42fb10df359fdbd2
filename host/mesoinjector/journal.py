"""What this host has asked and learned, on disk before anything follows from it.

SQLite, WAL, synchronous FULL, append-only: rows are never changed or removed (triggers see to it). A dose is
`intended` before its first byte leaves, `committed` before COMMIT's first byte leaves, and has an `outcome` at
the end. An `intended` dose without `committed` may be called NotDelivered without asking; nothing else may. An
Unknown dose whose device is gone, or has forgotten it, is `settled` by a person, and stays Unknown.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from mesoinjector.errors import JournalError, PlanError, ResultNotKept
from mesoinjector.journal_file import JournalFile, default_path
from mesoinjector.results import Delivered, NotDelivered, Result, Unknown

__all__ = ["Intended", "Journal", "JournalError", "default_path"]

REFERENCE = re.compile(r"[A-Za-z0-9-]{1,36}", re.ASCII)
"""What stands for a person: opaque, as long as a UUID at most."""
REFERENCES = ("patient_ref", "operator")


@dataclass(frozen=True, slots=True)
class Intended:
    """A dose or run as it was asked for."""

    dose_id: str
    n: int
    kind: str
    """`dose`, `prime`, `test`, `repeat`, `perfusion` or `fractional`."""
    treatment: int
    zone: str
    point: int
    asked_nl: int
    depth_um: int
    strokes: int = 0
    rate_per_min: int = 0
    needles: int = 0
    area_cm2: int = 0
    """Of a fractional run, as are the needles; 0 in journals of before."""

    def not_delivered(self, reason: str) -> NotDelivered:
        """Nothing of it was given, and that is certain."""
        return NotDelivered(self.dose_id, self.n, reason, self.asked_nl)

    def unknown(self, reason: str) -> Unknown:
        """Anything between nothing and all of it may have been given."""
        return Unknown(self.dose_id, self.n, reason, self.asked_nl, 0, self.asked_nl, self.strokes)


def recorded(outcome: dict[str, Any]) -> Result:
    """The result that an `outcome` row's data says."""
    classes = {"Delivered": Delivered, "NotDelivered": NotDelivered, "Unknown": Unknown}
    result: Result = classes[outcome["result"]](**{name: value for name, value in outcome.items() if name != "result"})
    return result


class Journal(JournalFile):
    """One journal. Methods that write return only when the row is on disk, or raise `JournalError`."""

    # --- Writing --------------------------------------------------------------------------------------

    def start_treatment(self, device: str, plan: str, about: dict[str, Any] | None = None) -> int:
        """A treatment's number, 1 .. 65535: never that of the treatment before.

        `about` is kept with it, as JSON. Persons are opaque references in it: `patient_ref` and `operator` have
        letters, digits and dashes, 36 at most. Raises `PlanError`.
        """
        about = about or {}
        for name in REFERENCES:
            if name in about and not (isinstance(about[name], str) and REFERENCE.fullmatch(about[name])):
                raise PlanError(
                    f"{name}: must be 1 to 36 letters, digits and dashes that only your own records join to a person. "
                    "Nothing was sent."
                )
        row = self._append("treatment", device, None, {**about, "plan": plan})
        return row % 0xFFFF + 1

    def resume_treatment(self, device: str, treatment: int) -> None:
        """A treatment goes on: what was noted of its end no longer holds."""
        self._append("resumed", device, None, {"treatment": treatment})

    def end_treatment(self, device: str, treatment: int, as_asked: bool, reason: str) -> None:
        """A treatment is over: all of its plan was given, or it ended early, and why."""
        self._append("ended", device, None, {"treatment": treatment, "as_asked": as_asked, "reason": reason})

    def note_skipped(self, device: str, treatment: int, points: list[int]) -> None:
        """An operator leaves points of a treatment as they are."""
        self._append("skipped", device, None, {"treatment": treatment, "points": points})

    def intend(self, device: str, dose: Intended) -> None:
        """Before the first byte of PREPARE."""
        self._append("intended", device, dose.dose_id, asdict(dose))

    def commit(self, device: str, dose_id: str) -> None:
        """Before the first byte of COMMIT. Raises `JournalError` for a dose that has ended."""
        if self.result(dose_id) is not None:
            raise JournalError(
                f"journal {self.path}: dose {dose_id} has ended. Nothing was committed. Next: a new one."
            )
        self._append("committed", device, dose_id, {})

    def close_dose(self, device: str, result: Result) -> None:
        """The end of a dose; an Unknown one stays open and may be closed later by another result.

        Raises `ResultNotKept`.
        """
        try:
            self._append("outcome", device, result.dose_id, {"result": type(result).__name__, **asdict(result)})
        except JournalError as error:
            raise ResultNotKept(result, error) from None

    def settle(self, dose_id: str, operator: str, reason: str) -> Result:
        """A person says that nobody will ever know about a dose: its device is gone, or has forgotten it.

        It stays Unknown for ever, counts up to its upper bound, and new doses are given again. One that was
        never committed is NotDelivered, whoever is gone. Raises `PlanError` if it has ended already.
        """
        row = self._row("SELECT device, data FROM entry WHERE dose_id = ? AND kind = 'intended'", (dose_id,))
        if row is None:
            raise PlanError(f"dose {dose_id} is not in the journal {self.path}.")
        if not operator or not reason:
            raise PlanError("who settles a dose, and why, must be said: operator and reason.")
        device, dose = row[0], Intended(**json.loads(row[1]))
        self.hold(device)
        result = self.result(dose_id)
        if result is not None and (not isinstance(result, Unknown) or self.settled(dose_id)):
            raise PlanError(f"dose {dose_id} has ended: {type(result).__name__}, {result.reason}.")
        if not self.committed(dose_id):
            result = dose.not_delivered("never committed")
            self.close_dose(device, result)
            return result
        if result is None:
            result = dose.unknown("settled without the device")
            self.close_dose(device, result)
        self._append("settled", device, dose_id, {"operator": operator, "reason": reason})
        return result

    def note_foreign(self, device: str, outcome: dict[str, Any]) -> None:
        """An entry of the device's ledger that this journal did not ask for."""
        self._append("foreign", device, outcome["dose_id"], outcome)

    def note_cartridge(self, device: str, chip: str, treatment: int) -> None:
        """A cartridge is used, in a treatment of a device."""
        self._append("cartridge", device, None, {"chip": chip, "treatment": treatment})

    def cartridge(self, chip: str) -> tuple[str, int] | None:
        """In which device and treatment a cartridge was used first."""
        row = self._row(
            "SELECT device, json_extract(data, '$.treatment') FROM entry "
            "WHERE kind = 'cartridge' AND json_extract(data, '$.chip') = ? ORDER BY id LIMIT 1",
            (chip,),
        )
        return (row[0], row[1]) if row else None

    def note_calibration(self, device: str, change: dict[str, Any]) -> int:
        """A device's settings are about to be written: `former` and `wanted` ones, who, why, what was measured."""
        return self._append("calibration", device, None, change)

    # --- Reading --------------------------------------------------------------------------------------

    def calibrations(self, device: str) -> list[tuple[int, str, dict[str, Any]]]:
        """What was noted of a device's calibration: row, UTC, change; oldest first."""
        rows = self._rows(
            "SELECT id, utc, data FROM entry WHERE device = ? AND kind = 'calibration' ORDER BY id", (device,)
        )
        return [(row, utc, json.loads(data)) for row, utc, data in rows]

    def intended(self, dose_id: str) -> Intended | None:
        """A dose as it was asked for."""
        row = self._row("SELECT data FROM entry WHERE dose_id = ? AND kind = 'intended'", (dose_id,))
        return Intended(**json.loads(row[0])) if row else None

    def committed(self, dose_id: str) -> bool:
        """Whether COMMIT may have left."""
        row = self._row("SELECT 1 FROM entry WHERE dose_id = ? AND kind = 'committed'", (dose_id,))
        return row is not None

    def settled(self, dose_id: str) -> bool:
        """Whether a person has said that nobody will ever know."""
        row = self._row("SELECT 1 FROM entry WHERE dose_id = ? AND kind = 'settled'", (dose_id,))
        return row is not None

    def result(self, dose_id: str) -> Result | None:
        """The newest result of a dose; None if it has none."""
        row = self._row(
            "SELECT data FROM entry WHERE dose_id = ? AND kind = 'outcome' ORDER BY id DESC LIMIT 1",
            (dose_id,),
        )
        if row is None:
            return None
        return recorded(json.loads(row[0]))

    def open_doses(self, device: str) -> list[Intended]:
        """Doses of a device that have no result yet, or an Unknown one that nobody has settled; oldest first."""
        rows = self._rows(
            """SELECT data FROM entry AS i WHERE kind = 'intended' AND device = ? AND coalesce(
                   (SELECT json_extract(data, '$.result') FROM entry
                    WHERE dose_id = i.dose_id AND kind = 'outcome' ORDER BY id DESC LIMIT 1), 'Unknown'
               ) = 'Unknown' AND NOT EXISTS (
                   SELECT 1 FROM entry WHERE dose_id = i.dose_id AND kind = 'settled'
               ) ORDER BY id""",
            (device,),
        )
        return [Intended(**json.loads(row[0])) for row in rows]

    def last_n(self, device: str) -> int:
        """The highest ledger number of a device that this journal knows to be used; 0 if none."""
        row = self._row(
            """SELECT coalesce(max(json_extract(data, '$.n')), 0) FROM entry
               WHERE device = ? AND (kind = 'foreign'
                   OR kind = 'outcome' AND json_extract(data, '$.result') = 'Delivered')""",
            (device,),
        )
        return int(row[0]) if row else 0

    def knows(self, device: str, dose_id: str) -> bool:
        """Whether a dose of a device was asked for, or noted, here."""
        row = self._row("SELECT 1 FROM entry WHERE device = ? AND dose_id = ? LIMIT 1", (device, dose_id))
        return row is not None
