"""The host as a component: the real Connection, Transaction and Journal, one event at a time.

What `Injector` and `Pump` do around them (repeat a request until it is answered, hand on events, STOP from another
thread, Ctrl-C) is done here without waiting. As with the device, a state is a number, and no pair runs twice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mesoinjector import errors, results, transaction
from mesoinjector.connection import STOP_BYTES, Connection
from mesoinjector.journal import Intended
from mesoinjector.keys import Key
from mesoprotocol import messages, wire
from tests.exploration.board import Board
from tests.exploration.books import Books

UID = Board.uid.hex()
SENDS = 2
"""Times that a request is sent before the line counts as dead."""
STOP_TRIES = 2

CLOSED, OPENING, READY = range(3)
SCRATCH = {
    *("_decoder", "_answers", "_tail", "events", "outcomes", "missing"),
    *("events_dropped", "events_lost", "frames", "dropped"),
    "clock",
}
"""Of a Connection: empty between two events, or kept here (`early`), counters that only people read, and what only
recordings look at.
"""


class Outcome(NamedTuple):
    """What came of an event."""

    state: int
    sent: tuple[bytes, ...]


class View(NamedTuple):
    """What the exploration must know of a state."""

    mode: int
    asks: bool
    waits: bool
    stopping: bool
    stopped: bool
    """stop() has returned, and nobody has asked to clear since."""
    committed: bool
    """A dose is between COMMIT and its end."""
    may_dose: bool
    may_look: bool
    beats: bool
    unresolved: bool
    book: int
    doses: int


class Host:
    """One program after another, with one journal and, if the device has keys, with the operator's."""

    def __init__(self, operator: Key | None) -> None:
        self.operator = operator
        self.journal = Books()
        self.connection = Connection()
        self._fields = tuple(k for k in vars(self.connection) if k not in SCRATCH)
        self.transaction: transaction.Transaction | None = None
        self.wait = False
        self.early: messages.OutcomeEvent | None = None
        """An outcome that came while something else was asked."""
        self.mode = CLOSED
        self.asking: tuple[str, Any, int, bytes, int] | None = None
        """For whom, what, seq, bytes, times sent."""
        self.stopping: tuple[int, int] | None = None
        """STOP count known before, tries left."""
        self.stopped = False
        self.abandoned = False
        self.looking: tuple[Any, ...] = ()
        """Requests that a person who looks at the device still has to make."""
        self.next_n = 1
        self.stop_count = 0
        """Known when the device was opened."""
        self.doses = 0
        self.openings = 0
        self._sent: list[bytes] = []
        self._numbers: dict[tuple, int] = {}
        self._saved: list[tuple] = []
        self.views: list[View] = []
        self._done: dict[tuple, Outcome] = {}
        self._keys: dict[tuple[int, int], int] = {}
        self._key_numbers: dict[tuple, int] = {}
        self.first = self._keep()

    # --- States -----------------------------------------------------------------------------------------

    PLAIN = (
        "wait",
        "early",
        "mode",
        "asking",
        "stopping",
        "stopped",
        "abandoned",
        "looking",
        "next_n",
        "stop_count",
        "doses",
        "openings",
    )

    def _keep(self) -> int:
        connection = vars(self.connection)
        dose = vars(self.transaction) if self.transaction else None
        saved = (
            tuple([connection[k] for k in self._fields]),
            None if dose is None else tuple([(k, v) for k, v in dose.items() if k != "journal"]),
            tuple([getattr(self, k) for k in self.PLAIN]),
            self.journal.content,
        )
        number = self._numbers.setdefault(saved, len(self._saved))
        if number == len(self._saved):
            self._saved.append(saved)
            self.views.append(self._view())
        return number

    def _load(self, state: int) -> None:
        connection, dose, plain, content = self._saved[state]
        vars(self.connection).update(zip(self._fields, connection, strict=True))
        self.transaction = None
        if dose is not None:
            self.transaction = object.__new__(transaction.Transaction)
            vars(self.transaction).update(dose, journal=self.journal)
        vars(self).update(zip(self.PLAIN, plain, strict=True))
        self.journal.choose(content)

    def _view(self) -> View:
        idle = self.mode == READY and not self.asking and not self.transaction and not self.stopping
        unresolved = self.journal.open_doses(UID)
        phase = self.transaction.phase if self.transaction else transaction.NEW
        under_way = phase in (transaction.COMMITTING, transaction.WAITING, transaction.ASKING)
        return View(
            mode=self.mode,
            asks=self.asking is not None,
            waits=self.wait and not self.asking,
            stopping=self.stopping is not None,
            stopped=self.stopped,
            committed=under_way,
            may_dose=idle and not unresolved and not self.looking,
            may_look=idle and not self.looking,
            beats=under_way and not self.abandoned,
            unresolved=any(not _is_final(self.journal.result(dose.dose_id)) for dose in unresolved),
            book=self.journal.content,
            doses=self.doses,
        )

    def key(self, state: int, now: int) -> int:
        """A number that two states share if they differ only in when they are."""
        number = self._keys.get((state, now))
        if number is None:
            connection, dose, plain, content = self._saved[state]
            fields = dict(zip(self._fields, connection, strict=True))
            if fields["_tick"] is not None:
                fields["_tick"] -= fields["_tick_at"]
                fields["_tick_at"] -= now
            if fields["hello"]:
                fields["hello"] = fields["hello"]._replace(time=0)  # seen when it came, never again
            rest = dict(zip(self.PLAIN, plain, strict=True))
            if rest["asking"]:
                owner, message, seq, _, sent = rest["asking"]
                if isinstance(message, messages.Commit):
                    message = message._replace(not_after=message.not_after - now)
                rest["asking"] = owner, message, seq, sent
            # a dose's own deadlines are farther away than any run is long; they are reached by `tired`
            dose = dose and tuple([(k, v) for k, v in dose if not k.endswith("_us")])
            whole = tuple(fields.values()), dose, tuple(rest.values()), content
            number = self._keys[state, now] = self._key_numbers.setdefault(whole, len(self._key_numbers))
        return number

    # --- Events -----------------------------------------------------------------------------------------

    def apply(self, state: int, now: int, event: str, data: bytes = b"") -> Outcome:
        """Let one event happen: `get` (a frame), `open`, `dose`, `again`, `due`, `beat`, `stop`, `tired`, ..."""
        key = state, now, event, data
        outcome = self._done.get(key)
        if outcome is None:
            outcome = self._done[key] = self.run(*key)
        return outcome

    def run(self, state: int, now: int, event: str, data: bytes) -> Outcome:
        """The same without memory."""
        self._load(state)
        self._sent = []
        getattr(self, "_" + event)(now, data)
        return Outcome(self._keep(), tuple(self._sent))

    def done(self) -> list[tuple[tuple, Outcome]]:
        """Every event that has happened, and what came of it."""
        return list(self._done.items())

    def _get(self, now: int, data: bytes) -> None:
        self.connection.receive(data, now)
        while self.connection.events:
            event = self.connection.events.popleft()
            mine = self.transaction.dose.dose_id if self.transaction else ""
            if isinstance(event, messages.OutcomeEvent) and event.dose_id.hex() == mine:
                self.early = event
        if self.asking and self.asking[0] == "hello" and self.connection.hello is not None:
            self.asking = None
            if self.operator:
                self._ask("auth", self.connection.auth(self.operator))
            else:
                self._opened(self.connection.hello)
        if self.asking:
            seq = self.asking[2]
            answer = self.connection.answer(seq)
            if answer is not None:
                self._answered(answer, now)
        self.connection._answers.clear()
        self._go_on(now)

    def _open(self, now: int, _: bytes) -> None:
        self.connection.__init__()  # type: ignore[misc]
        self._forget()
        self.openings += 1
        self.mode = OPENING
        data = self.connection.greet(b"nonce%03d" % self.openings, "exploration")
        self.asking = "hello", None, 0, data, 1
        self._sent.append(data)

    def _dose(self, now: int, _: bytes) -> None:
        self.doses += 1
        dose_id = b"dose%04d" % self.doses
        request = messages.Prepare(dose_id, self.next_n, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 0)
        dose = Intended(dose_id.hex(), self.next_n, "dose", 1, "cheek", 0, 20_000, 1_000)
        self.transaction = transaction.Transaction(self.journal, UID, dose)
        self._perform("dose", self.transaction.begin(request, self.connection.hello.boot_id), now)

    def _again(self, now: int, _: bytes) -> None:
        """No answer in time: the same bytes again, or nothing more."""
        assert self.asking is not None
        owner, message, seq, data, sent = self.asking
        if sent < SENDS:
            self.asking = owner, message, seq, data, sent + 1
            self._sent.append(data)
        else:
            self.asking = None
            self._failed(owner, errors.ReplyTimeout("no answer"), now)
            self._go_on(now)

    def _due(self, now: int, _: bytes) -> None:
        assert self.transaction is not None
        self.wait = False
        self._perform("dose", self.transaction.due(now), now)

    def _beat(self, now: int, _: bytes) -> None:
        assert self.transaction is not None
        self._sent.append(self.connection.heartbeat(bytes.fromhex(self.transaction.dose.dose_id)))

    def _stop(self, now: int, _: bytes) -> None:
        """stop(), in another thread."""
        before = self.connection.stop_answer
        self.stopping = before.stop_count if before else self.stop_count, STOP_TRIES
        self._send_stop()
        self._go_on(now)

    def _tired(self, now: int, _: bytes) -> None:
        """Ctrl-C, or the longest time that a dose may take has passed."""
        assert self.transaction is not None
        self.asking = None
        self.abandoned = True
        self._perform("dose", self.transaction.give_up(now), now)
        self._go_on(now)

    def _look(self, now: int, _: bytes) -> None:
        """A person has looked at the handpiece: what is latched is cleared, what was interrupted acknowledged."""
        self._ask("look", messages.Status())

    def _crash(self, now: int, _: bytes) -> None:
        self.connection.__init__()  # type: ignore[misc]
        self._forget()

    # --- What follows -----------------------------------------------------------------------------------

    def _forget(self) -> None:
        self.transaction = None
        self.wait = False
        self.early = None
        self.mode = CLOSED
        self.asking = None
        self.stopping = None
        self.abandoned = False
        self.looking = ()

    def _send_stop(self) -> None:
        self._sent.append(STOP_BYTES)
        if self.transaction:
            self.transaction.hurry()

    def _ask(self, owner: str, message: Any) -> None:
        seq, data = self.connection.request(message)
        self.asking = owner, message, seq, data, 1
        self._sent.append(data)

    def _perform(self, owner: str, action: transaction.Action, now: int) -> None:
        if isinstance(action, transaction.Ask):
            self._ask(owner, action.message)
        elif isinstance(action, transaction.Ended):
            self._ended(owner, action)
        else:
            if isinstance(action, transaction.SendStop):
                self._sent.append(STOP_BYTES)
            self.wait = True

    def _ended(self, owner: str, ended: transaction.Ended) -> None:
        self.transaction = None
        self.early = None
        self.wait = False
        if ended.used is not None and owner == "dose":
            self.next_n = ended.result.n + 1 if ended.used else ended.result.n
        if self.abandoned or isinstance(ended.error, errors.UnaccountedDose | errors.LinkError):
            self._forget()
        elif isinstance(ended.result, results.Unknown):
            self._forget()  # every new dose is refused: the device must be opened again, or the dose acknowledged

    def _answered(self, answer: Any, now: int) -> None:
        assert self.asking is not None
        owner, message, _, _, _ = self.asking
        self.asking = None
        if answer.status:
            self._failed(owner, errors.refusal(answer.status, type(message).__name__), now)
        elif owner == "auth":
            assert self.operator
            assert self.connection.accept(self.operator, answer)
            self._opened(answer)
        elif owner in ("dose", "resume"):
            assert self.transaction is not None
            tick = self.connection.device_tick(now)
            self._perform(owner, self.transaction.answered(answer, now, tick), now)
        elif owner == "stop":
            assert self.stopping is not None
            known, tries = self.stopping
            if transaction.has_stopped(answer, known):
                self.stopping = None
                self.stopped = True
            elif tries > 1:
                self.stopping = known, tries - 1
                self._send_stop()
            else:
                self.stopping = None
        else:
            self._looked(message, answer)

    def _looked(self, message: Any, answer: Any) -> None:
        if isinstance(message, messages.Status):
            steps: list[Any] = []
            if answer.latches & ~wire.LATCH_INTERRUPTED:
                steps.append(messages.Clear(answer.latches, answer.latch_count))
            for dose in self.journal.open_doses(UID):
                steps.append(messages.Ack(dose.n, "operator"))
                steps.append(messages.Query(bytes.fromhex(dose.dose_id), dose.n))
            self.looking = tuple(steps)
        elif isinstance(message, messages.Query) and answer.dose_state == wire.DOSE_INTERRUPTED:
            self.journal.close_dose(UID, results.measured(answer))
        if self.looking:
            step, *rest = self.looking
            self.looking = tuple(rest)
            if isinstance(step, messages.Clear):
                self.stopped = False
            self._ask("look", step)

    def _failed(self, owner: str, error: errors.MesoError, now: int) -> None:
        if owner == "dose":
            assert self.transaction is not None
            if isinstance(error, errors.LinkError | errors.DeviceError | errors.AuthError):
                self._perform("dose", self.transaction.failed(error, now), now)
            elif self.transaction.phase == transaction.PREPARING:
                self._forget()  # the program ends
            else:
                self._tired(now, b"")
        elif owner == "stop":
            self.stopping = None
        elif owner == "look":
            self.looking = ()
        if isinstance(error, errors.LinkError) or owner in ("auth", "resume"):
            self._forget()

    def _opened(self, reply: messages.HelloReply | messages.AuthReply) -> None:
        self.mode = READY
        self.next_n = reply.next_n
        self.stop_count = reply.stop_count

    def _go_on(self, now: int) -> None:
        """Whoever waits for the line to be free, or for an event."""
        if self.mode != READY or self.asking:
            return
        if self.stopping:
            self._ask("stop", messages.Status())
        elif self.transaction is None and not self.looking:
            self._resume(now)
        elif self.transaction and self.wait and self.early:
            outcome, self.early, self.wait = self.early, None, False
            self._perform("dose", self.transaction.heard(outcome, now), now)
        elif self.transaction and self.wait and self.transaction.hurried:
            self._due(now, b"")

    def _resume(self, now: int) -> None:
        """Right after opening: doses of before are asked for by their ids."""
        for dose in self.journal.open_doses(UID):
            if not _is_final(self.journal.result(dose.dose_id)):
                self.transaction = transaction.Transaction(self.journal, UID, dose)
                self._perform("resume", self.transaction.resume(), now)
                if self.asking:
                    return


def _is_final(result: results.Result | None) -> bool:
    """Whether asking again would say nothing more; an interrupted dose waits for a person."""
    if isinstance(result, results.Unknown):
        return result.reason in ("interrupted", "older than the device remembers")
    return result is not None
