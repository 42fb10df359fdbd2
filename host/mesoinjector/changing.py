"""A device's settings are changed with their history: what stood, who changed it, why, and by which measurements.

The row is in the journal before the first byte leaves, so that what stood is never lost; what stood before row N can be
put back. A device that refuses leaves the row, which then names what was wanted and what still stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mesoinjector import errors
from mesoinjector.injector import Injector
from mesoinjector.journal import REFERENCE, Journal
from mesoinjector.service import Service
from mesoprotocol import messages

FIELDS = ("name", "carrier_zero_um", "pressure_zero_pa", "encoder_gain_ppm")


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a device's calibration history."""

    row: int
    utc: str
    kind: str
    """`set`, `dose`, `depth`, `pressure`, `put back` or `restore`."""
    operator: str
    why: str
    former: dict[str, Any]
    wanted: dict[str, Any]
    measured: dict[str, Any]


def values(settings: messages.SettingsReply) -> dict[str, Any]:
    """What is set, by name."""
    return {name: getattr(settings, name) for name in FIELDS}


def change(
    injector: Injector, kind: str, operator: str, why: str, wanted: dict[str, Any], measured: dict[str, Any]
) -> messages.SettingsReply:
    """Note what stands and what is wanted of it, then write; what `wanted` does not name stays. What is in force now.

    Raises `PlanError` without an operator or for a range, `JournalError`: then nothing was written. And as
    `Service.calibrate` does.
    """
    check(operator)
    service = Service(injector)
    service.check(**wanted)
    former = values(service.settings())
    row = {"kind": kind, "operator": operator, "why": why, "former": former, "wanted": {**former, **wanted}}
    injector.journal.note_calibration(injector.uid, {**row, "measured": measured})
    return service.calibrate(**wanted)


def check(operator: str) -> None:
    """Whether this may stand for somebody. Raises `PlanError`."""
    if not REFERENCE.fullmatch(operator):
        raise errors.PlanError(
            f"--operator {operator!r}: must be 1 to 36 letters, digits and dashes that only your own records join to a "
            "person. Nothing was written."
        )


def history(journal: Journal, device: str) -> list[Change]:
    """Every change that this journal knows of a device, oldest first."""
    return [Change(row, utc, **noted) for row, utc, noted in journal.calibrations(device)]


def restore(injector: Injector, row: int, operator: str) -> messages.SettingsReply:
    """Put back what a row of the history changed, as it stood before it; all else stays. Raises `PlanError` for
    another row; and as `change` does.
    """
    return change(injector, "restore", operator, f"what stood before {row}", before(injector, row), {})


def before(injector: Injector, row: int) -> dict[str, Any]:
    """What a row of the history changed, as it stood before. Raises `PlanError` for another row, or one without."""
    known = history(injector.journal, injector.uid)
    for each in known:
        if each.row == row:
            found = {name: each.former[name] for name, value in each.wanted.items() if value != each.former[name]}
            if not found:
                raise errors.PlanError(f"change {row} has changed nothing. Nothing was written.")
            return found
    rows = ", ".join(str(each.row) for each in known) or "none"
    raise errors.PlanError(
        f"{row} is no calibration of device {injector.uid} in the journal {injector.journal.path}; there are: {rows}. "
        "Nothing was written."
    )
