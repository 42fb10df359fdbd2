"""How a dose or a run ended. Unknown is not failed: while one stands, no new dose is given."""

from __future__ import annotations

from dataclasses import dataclass

from mesoprotocol import messages, wire


@dataclass(frozen=True, slots=True)
class Delivered:
    """Something was delivered, and how much is known. Volumes in nl."""

    dose_id: str
    n: int
    complete: bool
    """As asked; False for a dose or run that ended early."""
    exact: bool
    """Measured; False if only the bounds hold."""
    reason: str
    asked_nl: int
    delivered_nl: int
    lower_nl: int
    upper_nl: int
    needle_home: bool
    drip: bool
    asked_strokes: int = 0
    strokes: int = 0
    bad_strokes: int = 0
    worst_interval_us: int = 0
    worst_depth_um: int = 0

    @property
    def delivered_ml(self) -> float:
        """Best estimate, ml."""
        return self.delivered_nl / 1e6


@dataclass(frozen=True, slots=True)
class NotDelivered:
    """Nothing was delivered, and that is certain."""

    dose_id: str
    n: int
    reason: str
    asked_nl: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say yet. It counts as delivered up to `upper_nl` until the device is asked."""

    dose_id: str
    n: int
    reason: str
    asked_nl: int
    lower_nl: int
    upper_nl: int
    upper_strokes: int = 0
    """Punctures of a run: not more than this."""


Result = Delivered | NotDelivered | Unknown


def from_outcome(
    outcome: messages.OutcomeEvent | messages.OutcomeReply, asked_nl: int, asked_strokes: int
) -> Result | None:
    """The result that an outcome says of what was asked for; None while the dose is not ended."""
    state = outcome.dose_state
    dose_id = outcome.dose_id.hex()
    reason = messages.REASON_NAMES.get(outcome.reason, str(outcome.reason)).lower()
    if state not in messages.FINAL_DOSE_STATES:
        return None
    if state in (wire.DOSE_NOT_FOUND, wire.DOSE_EXPIRED):
        name = "never armed" if state == wire.DOSE_EXPIRED else "never seen by the device"
        return NotDelivered(dose_id, outcome.n, name, asked_nl)
    if state == wire.DOSE_FORGOTTEN:
        return Unknown(dose_id, outcome.n, "older than the device remembers", asked_nl, 0, asked_nl, asked_strokes)
    if state == wire.DOSE_INTERRUPTED and (outcome.upper_nl or outcome.strokes):
        bounds = outcome.lower_nl, outcome.upper_nl, outcome.strokes
        return Unknown(dose_id, outcome.n, "interrupted", asked_nl, *bounds)
    homed = outcome.mode == wire.MODE_HOME and state == wire.DOSE_DONE
    if outcome.upper_nl == 0 and (outcome.strokes == 0 or outcome.asked_nl) and not homed:
        return NotDelivered(dose_id, outcome.n, reason, asked_nl)
    return measured(outcome)


def measured(outcome: messages.OutcomeEvent | messages.OutcomeReply) -> Delivered:
    """An ended dose as delivered, with its amounts; inexact if it was interrupted."""
    return Delivered(
        dose_id=outcome.dose_id.hex(),
        n=outcome.n,
        complete=outcome.dose_state == wire.DOSE_DONE,
        exact=bool(outcome.flags & wire.FLAG_EXACT),
        reason=messages.REASON_NAMES.get(outcome.reason, str(outcome.reason)).lower(),
        asked_nl=outcome.asked_nl,
        delivered_nl=outcome.delivered_nl,
        lower_nl=outcome.lower_nl,
        upper_nl=outcome.upper_nl,
        needle_home=bool(outcome.flags & wire.FLAG_NEEDLE_HOME),
        drip=bool(outcome.flags & wire.FLAG_DRIP),
        asked_strokes=outcome.asked_strokes,
        strokes=outcome.strokes,
        bad_strokes=outcome.bad_strokes,
        worst_interval_us=outcome.worst_interval_us,
        worst_depth_um=outcome.worst_depth_um,
    )
