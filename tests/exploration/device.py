"""The device as a component: the real firmware on the model board, one event at a time.

A state is a number. `Device.apply` loads it, lets the event happen, runs the firmware until it waits, and remembers
what came of it: the firmware is a function of its state, the time and the event, and never runs twice for the same.
"""

from __future__ import annotations

from typing import NamedTuple

from mesofirmware import clock
from mesoinjector.connection import Connection
from mesoprotocol import limits, messages, wire
from tests.exploration import board, frames, witness
from tests.exploration.vectors import Graph

SCRATCH = frozenset(
    {
        # written from the frame in hand before it is read, all frames being whole
        *(f"Link.{name}" for name in ("_rx", "_at", "_end", "_reader", "_builder", "body", "bad", "dropped")),
        *(f"Link.{name}" for name in ("major", "msg_id", "seq", "session", "length")),
        *(f"Session.{name}" for name in ("_args", "_status", "_outcome", "_records", "_views", "_strokes")),
        *(f"Session.{name}" for name in ("_one", "_two")),
        *(f"App.{name}" for name in ("_phase", "_sample", "_records", "_record_bytes", "_record_views")),
        *(f"Records.{name}" for name in ("_buf", "_check")),
        *(f"Ledger.{name}" for name in ("intent", "outcome", "_mark")),
        # runs are not explored
        "Transaction.fractional",
        "App._strokes_sent",
    }
)
"""What is no part of a state, with the reason."""

TIMES = (
    "Transaction._prepared_at",
    "Transaction._armed_at",
    "Transaction._heard_at",
    "Metered._since",
)
"""Looked at while a dose is in hand, and only as the time since."""
UNSEEN_TIMES = (
    # always now
    "Clock.now",
    # not looked at in what is explored: no runs, no telemetry, both trigger lines at once, contact steady at once
    "Transaction._held_at",
    "Gate._contact_at",
    "Gate._pressed_at",
    "App._sampled_at",
    # how long a dose took: written into its record, never compared
    "Clock.ms",
    "Clock._rest_us",
    "Transaction._now_ms",
    "Transaction._started_ms",
)

LONGEST_CHAIN = 12


class Outcome(NamedTuple):
    """What came of an event."""

    state: int
    now: int
    sent: tuple[bytes, ...]
    violation: str


class View(NamedTuple):
    """What the exploration must know of a state."""

    wake_at: int
    """When the firmware wants to look again; -1 for never."""
    busy: bool
    pressed: bool
    state: int
    in_hand: bytes
    """The dose that is armed or moves; empty if none does."""
    moved: dict[bytes, int]


class Device:
    """One firmware, all of its states."""

    def __init__(self) -> None:
        self.board = board.Board()
        self.witness = witness.Witness(self.board)
        self.app = witness.boot(self.board, self.witness)
        self.app._ledger.start_treatment(1)
        self.graph = Graph(self.app, SCRATCH)
        self._wake_at = -1
        self._numbers: dict[tuple, int] = {}
        self._saved: list[tuple] = []
        self.views: list[View] = []
        self._parts: dict[tuple, tuple] = {}
        self._done: dict[tuple, Outcome] = {}
        self._keys: dict[tuple[int, int], int] = {}
        self._key_numbers: dict[tuple, int] = {}
        self._times = [self.graph.where[name] for name in TIMES]
        self._unseen = [self.graph.where[name] for name in UNSEEN_TIMES]
        self._cached = self.graph.slot_of(self.app._link._cached)
        self._clock = self.graph.slot_of(self.app._clock.pair)
        self._run(0, None)
        self.first = self._keep()

    # --- States -----------------------------------------------------------------------------------------

    def _keep(self) -> int:
        parts = (*self.graph.save(), *self.board.save(), self.witness.save())
        saved = (*(self._parts.setdefault(part, part) for part in parts), self._wake_at)
        number = self._numbers.setdefault(saved, len(self._saved))
        if number == len(self._saved):
            self._saved.append(saved)
            held = self.app._transaction.state
            in_hand = bytes(self.app._transaction.plan.dose_id) if held >= wire.STATE_ARMED else b""
            pressed = bool(self.board.levels & board.BOTH)
            busy = self.board.plunger.busy()
            self.views.append(View(self._wake_at, busy, pressed, held, in_hand, dict(self.witness.moved)))
        return number

    def _load(self, state: int) -> None:
        saved = self._saved[state]
        n = len(self.graph.slots)
        self.graph.load(saved[:n])
        self.board.load(saved[n:-2])
        self.witness.load(saved[-2])
        self._wake_at = saved[-1]

    def key(self, state: int, now: int) -> int:
        """A number that two states share if they differ only in when they are."""
        number = self._keys.get((state, now))
        if number is None:
            saved = [list(part) if isinstance(part, tuple) else part for part in self._saved[state][:-1]]
            in_hand = self.views[state].state != wire.STATE_IDLE
            for slot, place in self._times:
                saved[slot][place] = now - saved[slot][place] if in_hand else 0
            for slot, place in self._unseen:
                saved[slot][place] = 0
            saved[self._clock] = ()
            heard_at = saved[-1][3]
            saved[-1][3] = now - heard_at if in_hand else 0
            cached = saved[self._cached]
            saved[self._cached] = frames.timeless(cached, now) if any(cached) else b""
            whole = tuple(tuple(part) if isinstance(part, list) else part for part in saved)
            number = self._keys[state, now] = self._key_numbers.setdefault(whole, len(self._key_numbers))
        return number

    # --- Events -----------------------------------------------------------------------------------------

    def apply(self, state: int, now: int, event: str, data: bytes = b"") -> Outcome:
        """Let one event happen: `get` (a frame), `wake`, `move`, `press`, `release`, `reset`, `foreign`."""
        key = state, now, event, data
        outcome = self._done.get(key)
        if outcome is None:
            outcome = self._done[key] = self.run(*key)
        return outcome

    def run(self, state: int, now: int, event: str, data: bytes) -> Outcome:
        """The same without memory."""
        self._load(state)
        try:
            sent = getattr(self, "_" + event)(now, data)
            return Outcome(self._keep(), self.board.time, tuple(sent), "")
        except witness.Violation as violation:
            return Outcome(state, now, (), str(violation))

    def done(self) -> list[tuple[tuple, Outcome]]:
        """Every event that has happened, and what came of it."""
        return list(self._done.items())

    def _get(self, now: int, data: bytes) -> list[bytes]:
        return self._run(now, data)

    def _wake(self, now: int, _: bytes) -> list[bytes]:
        return self._run(now, None)

    def _move(self, now: int, _: bytes) -> list[bytes]:
        self.board.time = now
        self.board.plunger.move()
        return self._run(now, None)

    def _press(self, now: int, _: bytes) -> list[bytes]:
        self.board.press(True)
        return self._run(now, None)

    def _release(self, now: int, _: bytes) -> list[bytes]:
        self.board.press(False)
        return self._run(now, None)

    def _reset(self, now: int, _: bytes) -> list[bytes]:
        self.board.reset()
        self.witness.reset()
        self.board.time = now
        fresh = Graph(witness.boot(self.board, self.witness), SCRATCH)
        self.witness.app = self.app
        self.graph.load(fresh.save())
        return self._run(now, None)

    def _foreign(self, now: int, _: bytes) -> list[bytes]:
        """Another program, with a journal of its own, opens the device and gives as many doses as it remembers."""
        connection = Connection()

        def ask(data: bytes) -> None:
            for answer in self._run(now, data):
                connection.receive(answer, now)

        hello = connection.greet(b"stranger", "another")
        ask(hello)
        while connection.hello is None and self._wake_at >= 0 and self.app._transaction.state != wire.STATE_IDLE:
            now = self._wake_at
            self._run(now, None)
            ask(hello)
        for _ in range(limits.LEDGER_DOSES):
            self.board.press(False)
            if connection.hello is None:
                break
            dose_id = b"other%03d" % self.app._ledger.next_n
            n = self.app._ledger.next_n
            seq, data = connection.request(messages.Prepare(dose_id, n, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 0))
            ask(data)
            plan = connection.answer(seq)
            if plan is None or plan.status:
                break
            seq, data = connection.request(messages.Commit(dose_id, plan.plan_crc, self.board.boot_id, now + 1000))
            ask(data)
            self.board.press(True)
            self._run(now, None)
            while self.board.plunger.busy():
                self._move(now, b"")
            while self.app._transaction.state != wire.STATE_IDLE:
                ask(connection.heartbeat(dose_id))
                now = min(self._wake_at, now + 3 * limits.HEARTBEAT_PERIOD_MS * 1000)
                self._run(now, None)
        self.board.press(False)
        self._run(now, None)
        return []

    def _run(self, now: int, data: bytes | None) -> list[bytes]:
        """Give the firmware what has come, and let it do what is due."""
        self.board.time = now
        request = None
        if data is not None:
            request = frames.parse(data)
            self.witness.before(request)
            self.board.received.append(data)
        self.board.sent.clear()
        wait = 0
        for _ in range(LONGEST_CHAIN):
            wait = self.app.step(now)
            if wait > 0:
                break
        else:
            raise witness.Violation("the firmware does not come to rest")
        self._wake_at = now + wait if wait < clock.FOREVER else -1
        sent = [each for each in self.board.sent if board.is_of_interest(each)]
        self.witness.after(request, [frames.parse(each) for each in sent])
        return sent
