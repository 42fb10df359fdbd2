"""One dose or run from its id to its result, as a state machine without I/O.

It is told what happened (an answer, a refusal, an event, that time has passed) and says what to do next: `Ask`,
`Wait`, `SendStop`, or nothing more: `Ended`. It writes the journal itself, before it asks for what depends on it.
Its plain attributes are its whole state.
"""

from __future__ import annotations

from dataclasses import dataclass

from mesoinjector import errors, planning, results
from mesoinjector.journal import Intended, Journal
from mesoprotocol import limits, messages, wire

QUERY_US = 1_000_000
"""How often a dose under way is asked for, besides listening to its events."""
NOT_AFTER_US = 2_000_000
"""How long a COMMIT may be on its way."""
GIVING_UP_US = 15_000_000
"""Wait for the end after STOP: dispensing, settling (5 s) and coming to rest (5 s)."""

HELD = ("fractional", "repeat", "perfusion", "dry")
"""Kinds that the released trigger holds: they take as long as somebody holds them up, at most this long."""

NEW, PREPARING, COMMITTING, WAITING, ASKING, RESUMING, ENDED = range(7)

Request = messages.Prepare | messages.PrepareSeries | messages.PrepareRun | messages.PrepareDry | messages.PrepareHome
Plan = (
    messages.PrepareReply
    | messages.PrepareSeriesReply
    | messages.PrepareRunReply
    | messages.PrepareDryReply
    | messages.PrepareHomeReply
)
Answer = Plan | messages.CommitReply | messages.OutcomeReply


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this request until it is answered; say `answered` or `failed`."""

    message: Request | messages.Commit | messages.Query


@dataclass(frozen=True, slots=True)
class Wait:
    """Listen until this time of the link's clock, or until `hurried`; say `heard` or `due`."""

    until_us: int


@dataclass(frozen=True, slots=True)
class SendStop:
    """Send STOP once, then as `Wait`."""

    until_us: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more is to be done."""

    result: results.Result
    used: bool | None
    """Whether the dose has used its ledger number; None if nobody knows."""
    error: errors.MesoError | None = None
    """Why nothing was committed, or why the journal does not have the result."""


Action = Ask | Wait | SendStop | Ended


class Transaction:
    """One dose of one device: `begin` gives it, `resume` takes up one of an earlier program."""

    def __init__(self, journal: Journal, device: str, dose: Intended) -> None:
        self.journal = journal
        self.device = device
        self.dose = dose
        self.phase: int = NEW
        self.request: Request | None = None
        self.boot_id: bytes = b""
        self.deadline_us: int = 0
        self.query_at_us: int = 0
        self.giving_up: bool = False
        self.hurried: bool = False
        """STOP was sent by somebody: the dose is to be asked for at once."""

    def begin(self, request: Request, boot_id: bytes) -> Action:
        """Note the dose, then have it prepared."""
        self.journal.intend(self.device, self.dose)
        self.request = request
        self.boot_id = boot_id
        self.phase = PREPARING
        return Ask(request)

    def resume(self) -> Action:
        """What has become of it: as the journal knows for certain, else as the device says."""
        known = self.journal.result(self.dose.dose_id)
        if known is not None and (not isinstance(known, results.Unknown) or self.journal.settled(self.dose.dose_id)):
            self.phase = ENDED
            return Ended(known, isinstance(known, results.Delivered))
        if not self.journal.committed(self.dose.dose_id):
            return self._end(self.dose.not_delivered("never committed"), False)
        self.phase = RESUMING
        return self._query()

    # --- What happened --------------------------------------------------------------------------------

    def answered(self, answer: Answer, now_us: int, device_tick: int) -> Action:
        """The request was answered; `device_tick` is the device's time now."""
        if isinstance(answer, Plan):
            return self._prepared(answer, device_tick)
        if isinstance(answer, messages.OutcomeReply):
            return self.heard(answer, now_us)
        return self._committed(now_us)

    def failed(self, error: errors.MesoError, now_us: int) -> Action:
        """The request was refused, or never answered."""
        if self.phase == PREPARING:
            return self._refused(error)
        if self.phase == COMMITTING and isinstance(error, errors.DeviceError | errors.AuthError):
            # a refused COMMIT is not an answer to what became of the dose: QUERY is
            return self._committed(now_us)
        return self._unknown(str(error))

    def heard(self, outcome: messages.OutcomeEvent | messages.OutcomeReply, now_us: int) -> Action:
        """An outcome of this dose came, as an event or as the answer to a query."""
        result = results.from_outcome(outcome, self.dose.asked_nl, self.dose.strokes)
        if result is not None:
            return self._end(result, outcome.dose_state not in (wire.DOSE_NOT_FOUND, wire.DOSE_EXPIRED))
        if self.phase == RESUMING:
            self.phase = ENDED
            return Ended(self.dose.unknown("under way"), None)
        return self._wait(now_us)

    def due(self, now_us: int) -> Action:
        """The time of a `Wait` has come, or somebody has sent STOP: ask."""
        self.hurried = False
        self.query_at_us = now_us + QUERY_US
        self.phase = ASKING
        return self._query()

    def hurry(self) -> None:
        """STOP was sent. May be called from any thread."""
        self.hurried = True

    def give_up(self, now_us: int) -> Action:
        """Nobody waits any longer: stop, and find out what was delivered."""
        self.giving_up = True
        self.deadline_us = now_us + GIVING_UP_US
        self.query_at_us = now_us + QUERY_US
        self.phase = WAITING
        return SendStop(self.query_at_us)

    # --- What follows ---------------------------------------------------------------------------------

    def _query(self) -> Action:
        return Ask(messages.Query(bytes.fromhex(self.dose.dose_id), self.dose.n))

    def _prepared(self, plan: Plan, device_tick: int) -> Action:
        request = self.request
        try:
            if isinstance(plan, messages.PrepareRunReply | messages.PrepareDryReply):
                if isinstance(request, messages.PrepareRun | messages.PrepareDry):
                    planning.check_run(request, plan)
            elif isinstance(plan, messages.PrepareHomeReply):
                if isinstance(request, messages.PrepareHome):
                    planning.check_home(request, plan)
            elif isinstance(request, messages.Prepare | messages.PrepareSeries):
                planning.check_dose(request, plan)
        except errors.PlanError as error:
            return self._refused(error)
        not_after = (device_tick + NOT_AFTER_US) & 0x3FFFFFFF
        commit = messages.Commit(bytes.fromhex(self.dose.dose_id), plan.plan_crc, self.boot_id, not_after)
        self.journal.commit(self.device, self.dose.dose_id)
        self.phase = COMMITTING
        return Ask(commit)

    def _committed(self, now_us: int) -> Action:
        longest_ms = limits.ARMED_MS + limits.SETTLE_MAX_MS * 2 + 15_000
        longest_ms += limits.RUN_MAX_S * 1000 if self.dose.kind in HELD else 30_000
        self.deadline_us = now_us + longest_ms * 1000
        self.query_at_us = now_us + QUERY_US
        return self._wait(now_us)

    def _wait(self, now_us: int) -> Action:
        if now_us < self.deadline_us:
            self.phase = WAITING
            return Wait(self.query_at_us)
        if not self.giving_up:
            return self.give_up(now_us)
        return self._unknown("the dose has no end in time. Next: look at the handpiece; open the device again.")

    def _refused(self, error: errors.MesoError) -> Action:
        # without the journal's "committed" nothing can have moved, whatever the line did
        ended = self.dose.not_delivered(str(error))
        if isinstance(error, errors.DeviceError) and error.status == wire.S_STALE_VIEW:
            error = errors.UnaccountedDose(
                f"the device's ledger has grown since it was opened: {error} Next: open it again."
            )
        return self._end(ended, False, error)

    def _unknown(self, reason: str) -> Action:
        return self._end(self.dose.unknown(reason), None)

    def _end(self, result: results.Result, used: bool | None, error: errors.MesoError | None = None) -> Action:
        self.phase = ENDED
        if result != self.journal.result(self.dose.dose_id):
            try:
                self.journal.close_dose(self.device, result)
            except errors.ResultNotKept as unkept:
                error = error or unkept
        return Ended(result, used, error)


def has_stopped(status: messages.StatusReply, known_count: int) -> bool:
    """Whether a numbered answer, asked for after STOP was sent, shows a STOP that was not known before."""
    return bool(status.latches & wire.LATCH_STOPPED) and status.stop_count != known_count
