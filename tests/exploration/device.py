"""The device as a component: the real firmware on the model board, one event at a time.

A state is a number. `Device.apply` loads it, lets the event happen, runs the firmware until it waits, and remembers
what came of it: the firmware is a function of its state, the time and the event, and never runs twice for the same.
"""

from __future__ import annotations

from typing import NamedTuple

from mesofirmware import clock
from mesofirmware.peer import Peer
from mesoinjector import keys
from mesoinjector.connection import Connection
from mesoprotocol import frame, limits, messages, typed, wire
from tests.exploration import board, frames, witness
from tests.exploration.vectors import Graph

SCRATCH = frozenset(
    {
        # written from the frame in hand before it is read, all frames being whole
        *(f"Link.{name}" for name in ("_rx", "_at", "_end", "_reader", "_builder", "body", "bad", "dropped")),
        *(f"Link.{name}" for name in ("major", "msg_id", "seq", "session", "length", "is_tagged")),
        *(f"Session.{name}" for name in ("_args", "_one", "_two")),
        *(f"Answers.{name}" for name in ("_status", "_outcome", "_asked_id", "_records", "_strokes")),
        *(f"Answers.{name}" for name in ("_time", "_event", "fields", "values")),
        *(f"Access.{name}" for name in ("_mac", "_challenge")),
        *(f"Mac.{name}" for name in ("_hash", "value")),
        "Peer._pad",
        *(f"App.{name}" for name in ("_phase", "_sample", "_records", "_record_bytes", "_stream")),
        *(f"Records.{name}" for name in ("_buf", "_check")),
        *(f"Ledger.{name}" for name in ("intent", "outcome", "_mark")),
        "Metered._counted",
        # runs and homing are not explored, nor is reading events again
        "Transaction.fractional",
        "Transaction.homing",
        "App._strokes_sent",
        *(f"Events.{name}" for name in ("_ids", "_lengths", "_payloads", "newest")),
    }
)
"""What is no part of a state, with the reason."""

HEADS = {"Mac._inner": 64, "Mac._outer": 64}
"""Of these bytearrays only the first bytes are kept from one frame to the next: a session's key."""

OPERATOR = keys.Key(wire.ROLE_OPERATOR, b"operator" * 4)
SERVICE = keys.Key(wire.ROLE_SERVICE, b"services" * 4)

TIMES = (
    "Transaction._prepared_at",
    "Transaction._armed_at",
    "Transaction._heard_at",
    "Metered._since",
    "Metered._began",
    "Safety._since",
)
"""Looked at while a dose is in hand, and only as the time since."""
UNSEEN_TIMES = (
    # always now
    "Clock.now",
    "Safety._now",
    # not looked at in what is explored: no runs, no telemetry, no wrong proofs, both trigger lines at once, contact
    # steady at once
    "Transaction._held_at",
    "Access._failed_ms",
    "Gate._contact_at",
    "Gate._pressed_at",
    "App._sampled_at",
    # the safety channel looks at nothing here; a wake that is late is told, and changes nothing else
    "Safety._fed_at",
    "Safety._looked_at",
    "Safety._home_at",
    "App._due_at",
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
    reason: int
    """Why the plunger has stopped, or will have; COMPLETE if nothing is in the way."""


class Device:
    """One firmware, all of its states; if `keyed`, with the keys of both roles."""

    def __init__(self, keyed: bool) -> None:
        self.keyed = keyed
        self.board = board.Board()
        self.witness = witness.Witness(self.board)
        self.app = witness.boot(self.board, self.witness)
        self.app._ledger.start_treatment(1)
        for key in (SERVICE, OPERATOR) if keyed else ():
            self.app._access._keys.provision(key.role, key.secret, 0)
        self.graph = Graph(self.app, SCRATCH, HEADS)
        access = self.app._access
        self._peers = access._command, access._guest
        self._twins = [self._slots_of(peer) for peer in self._peers]
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
        self._clock = self.graph.slot_of(self.app._clock.pair)
        self._hello = self.graph.slot_of(access._hello)
        self._cached_n = self.graph.where["Peer.cached_n"][1]
        self._run(0, None)
        self.first = self._keep()

    # --- States -----------------------------------------------------------------------------------------

    def _slots_of(self, peer: Peer) -> list[int]:
        return [self.graph.slot_of(holder) for holder in (vars(peer), peer.mac._inner, peer.mac._outer, peer.cached)]

    def _keep(self) -> int:
        leaves = list(self.graph.save())
        if self.app._access._command is not self._peers[0]:
            # the guest has taken command: what counts is who is what, not which object
            for one, other in zip(*self._twins, strict=True):
                leaves[one], leaves[other] = leaves[other], leaves[one]
        parts = (*leaves, *self.board.save(), self.witness.save())
        saved = (*(self._parts.setdefault(part, part) for part in parts), self._wake_at)
        number = self._numbers.setdefault(saved, len(self._saved))
        if number == len(self._saved):
            self._saved.append(saved)
            held = self.app._transaction.state
            in_hand = bytes(self.app._transaction.plan.dose_id) if held >= wire.STATE_ARMED else b""
            pressed = bool(self.board.levels & board.BOTH)
            busy = self.board.plunger.busy()
            moved = dict(self.witness.moved)
            reason = self.app._transaction.metered.reason if held > wire.STATE_ARMED else wire.REASON_COMPLETE
            self.views.append(View(self._wake_at, busy, pressed, held, in_hand, moved, reason))
        return number

    def _load(self, state: int) -> None:
        saved = self._saved[state]
        n = len(self.graph.slots)
        access = self.app._access
        access._command, access._guest = self._peers
        self.app._events.newest = 0
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
            saved[self._clock] = saved[self._hello] = ()
            heard_at = saved[-1][3]
            saved[-1][3] = now - heard_at if in_hand else 0
            for peer, _, _, cached in self._twins:
                kept = saved[peer][self._cached_n]
                saved[cached] = frames.timeless(saved[cached], now) if kept else b""
            whole = tuple(tuple(part) if isinstance(part, list) else part for part in saved)
            number = self._keys[state, now] = self._key_numbers.setdefault(whole, len(self._key_numbers))
        return number

    # --- Events -----------------------------------------------------------------------------------------

    def apply(self, state: int, now: int, event: str, data: bytes = b"") -> Outcome:
        """Let one event happen: `get` (a frame), `wake`, `move`, `press`, `release`, `reset`, ..."""
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
        fresh = Graph(witness.boot(self.board, self.witness), SCRATCH, HEADS)
        self.witness.app = self.app
        self.app._access._command, self.app._access._guest = self._peers
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
        if connection.hello is None:
            return []
        if self.keyed:
            seq, auth = connection.request(connection.auth(OPERATOR))
            ask(auth)
            while self._wake_at >= 0 and self.app._transaction.state != wire.STATE_IDLE:
                now = self._wake_at
                ask(auth)
            reply = connection.answer(seq)
            if reply is None or reply.status or not connection.accept(OPERATOR, reply):
                return []
        for _ in range(limits.LEDGER_DOSES):
            self.board.press(False)
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

    def _stranger(self, now: int, _: bytes) -> list[bytes]:
        """Somebody without a key greets the device."""
        self._run(now, Connection().greet(b"stranger", "keyless"), genuine=False)
        return []

    def _forge(self, now: int, _: bytes) -> list[bytes]:
        """Somebody without a key has read the line, and sends what the host would: a COMMIT, a heartbeat."""
        peer = self.app._access._command
        plan = self.app._transaction.plan
        dose_id, boot_id = bytes(plan.dose_id), self.board.boot_id
        commit = messages.Commit(dose_id, bytes(plan.crc), boot_id, now + 1000)
        beat = messages.Heartbeat(peer.beat + 1, now, dose_id)
        refused = []
        for tagger in (None, lambda _: bytes(frame.TAG)):
            refused += self._run(now, typed.write_request(commit, peer.seq + 1, peer.number, tagger), genuine=False)
            refused += self._run(now, typed.write_request(beat, 0, peer.number, tagger), genuine=False)
        return list(dict.fromkeys(refused))

    def _run(self, now: int, data: bytes | None, genuine: bool = True) -> list[bytes]:
        """Give the firmware what has come, and let it do what is due. What is not `genuine` allows nothing."""
        self.board.time = now
        request = None
        if data is not None:
            request = frames.parse(data)
            if genuine:
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
        # at rest it only makes its outputs safe again, every second
        at_rest = wait >= clock.FOREVER or self.app._transaction.state == wire.STATE_IDLE
        self._wake_at = -1 if at_rest else now + wait
        sent = [each for each in self.board.sent if board.is_of_interest(each)]
        self.witness.after(request, [frames.parse(each) for each in sent])
        return sent
