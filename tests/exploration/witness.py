"""What the plunger really did, and for whom: told by the board and by the line, never by what the firmware reports.

The rules as this side sees them: a dose id moves the plunger in one span, after a COMMIT of the live session and a
trigger seen released, and not after STOP, a reset, a new session (with keys: its AUTH), CLEAR, the release of the
trigger or its OUTCOME.
"""

from __future__ import annotations

from typing import Any

from mesofirmware.app import App
from mesoprotocol import codec, frame, limits, tick, wire
from tests.exploration.board import BOTH, Board
from tests.exploration.frames import Parsed

PL_PER_STEP = limits.PROFILES[0][limits.PROFILE_PL_PER_STEP]


class Violation(Exception):
    """A rule does not hold."""


class Witness:
    """Its attributes are plain values."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.app: Any = None
        self.moved: tuple[tuple[bytes, int], ...] = ()
        """Steps by dose id."""
        self.ended: frozenset[bytes] = frozenset()
        """Ids that may not move again."""
        self.session = 0
        self.committed: frozenset[bytes] = frozenset()
        """Ids whose COMMIT has come in this session, and since the last STOP or CLEAR."""
        self.claims = False
        """The frame at hand asks to take command."""
        self.heard_at = 0
        self.released = False
        self.interrupted = False
        """A reset has cut off a dose that had begun to move, and nobody has acknowledged it."""
        board.on_feed = self.feed
        board.on_steps = self.steps

    def save(self) -> tuple:
        return self.moved, self.ended, self.session, self.heard_at, self.committed, self.released, self.interrupted

    def load(self, saved: tuple) -> None:
        self.moved, self.ended, self.session, self.heard_at, self.committed, self.released, self.interrupted = saved
        self.claims = False

    def nanolitres(self) -> int:
        """All that was ever given."""
        return sum(nanolitres(steps) for _, steps in self.moved)

    # --- What the line and the board tell ---------------------------------------------------------------

    def before(self, request: Parsed) -> None:
        """A frame is about to reach the device."""
        access = self.app._access
        live = request.session == access._command.number != 0
        payload = request.payload
        if request.msg_id == wire.COMMIT and live:
            self.committed |= {payload[:8]}
            self.heard_at = self.board.time
        elif request.msg_id == wire.HEARTBEAT and live:
            start = codec.size(wire.HEARTBEAT_FIELDS[: wire.HEARTBEAT_ECHO_TICK])
            echo = int.from_bytes(payload[start : start + 4], "little")
            start = codec.size(wire.HEARTBEAT_FIELDS[: wire.HEARTBEAT_DOSE_ID])
            fresh = 0 <= tick.diff(self.board.time, echo) <= limits.HEARTBEAT_TIMEOUT_MS * 1000
            if fresh and payload[start : start + 8] in self.committed:
                self.heard_at = self.board.time
        elif request.msg_id == wire.STOP:
            self.committed = frozenset()
        elif request.msg_id == wire.AUTH:
            guest = access._guest
            self.claims = request.session == guest.number != 0 and request.seq > guest.seq and not access.waits

    def after(self, request: Parsed | None, replies: list[Parsed]) -> None:
        """The firmware has done what there was to do."""
        app = self.app
        state = app._transaction.state
        if app._access._command.number != self.session:
            self.session = app._access._command.number
            self.committed = frozenset()
        if self.claims and not any(reply.kind == frame.REPLY and reply.payload[:2] != b"\0\0" for reply in replies):
            self.committed = frozenset()
        self.claims = False
        for reply in replies:
            if reply.kind == frame.REPLY and reply.payload[:2] == b"\0\0":
                if reply.msg_id == wire.AUTH and reply.payload[2] != wire.STATE_IDLE:
                    raise Violation("AUTH is answered before what was in hand has ended")
                if reply.msg_id == wire.CLEAR and state == wire.STATE_IDLE:
                    self.committed = frozenset()
                if reply.msg_id == wire.ACK:
                    self.interrupted = False
        self.released = state == wire.STATE_ARMED and (self.released or not self.board.levels & BOTH)
        if state == wire.STATE_IDLE or not self.board.levels & BOTH:
            self.ended |= {dose_id for dose_id, _ in self.moved}
        if self.board.plunger.busy():
            if bytes(app._transaction.plan.dose_id) not in self.committed:
                raise Violation("the plunger goes on after STOP, CLEAR, a reset or a new session")
            if not self.board.levels & BOTH:
                raise Violation("the plunger goes on after the trigger was released")
        if app._ledger.corrupt:
            raise Violation("the ledger is corrupt")
        if state == wire.STATE_IDLE and app._ledger.counted_nl < self.nanolitres():
            raise Violation(f"{self.nanolitres()} nl were given, {app._ledger.counted_nl} are counted")

    def reset(self) -> None:
        """The power went."""
        dose_id = bytes(self.app._transaction.plan.dose_id)
        moved = {dose_id for dose_id, _ in self.moved}
        self.interrupted = self.interrupted or (dose_id in moved and dose_id not in self.ended)
        self.ended |= moved
        self.committed = frozenset()
        self.released = False

    def feed(self) -> None:
        """The firmware has queued steps of the plunger."""
        dose_id = bytes(self.app._transaction.plan.dose_id)
        if dose_id in self.ended:
            raise Violation(f"{dose_id.decode()} moves the plunger again after its end")
        if dose_id not in self.committed or self.app._access._command.number != self.session:
            raise Violation(f"{dose_id.decode()} moves the plunger without a COMMIT of the live session")
        if self.interrupted:
            raise Violation("a dose is given while an interrupted one is not acknowledged")
        if self.board.levels & BOTH != BOTH:
            raise Violation("the plunger moves without the trigger")
        if dose_id not in dict(self.moved):
            if not self.released:
                raise Violation("the plunger starts though the trigger was not seen released after ARMED")
            silent_us = tick.diff(self.board.time, self.heard_at)
            if silent_us > limits.HEARTBEAT_TIMEOUT_MS * 1000:
                raise Violation(f"the plunger starts {silent_us // 1000} ms after the host was last heard")
            self.moved = (*self.moved, (dose_id, 0))

    def steps(self, steps: int) -> None:
        """The plunger has made steps."""
        dose_id = bytes(self.app._transaction.plan.dose_id)
        self.moved = tuple((other, n + steps if other == dose_id else n) for other, n in self.moved)


def nanolitres(steps: int) -> int:
    """Volume of plunger steps; with the pressure at rest it has all left the needle."""
    return steps * PL_PER_STEP // 1000


def boot(board: Board, witness: Witness) -> App:
    """Start the firmware. The syringe counts as primed: a prime is a dose of its own, explored apart from this one."""
    app = App(board)
    app._transaction.primed = True
    witness.app = app
    return app
