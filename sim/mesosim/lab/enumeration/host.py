"""A small host by script: it asks, feeds heartbeats, and on anything unexpected stops and asks what became of a dose.

It speaks the protocol and nothing else, in virtual time, and owns no thread, file or journal: a process that holds it
can be forked at any moment.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mesoprotocol import frame, limits, messages, stream, typed, wire
from mesosim.world.world import World

STOP = typed.write_request(messages.Stop(), 0, 0)
PROOF = 16
ANSWER_US = 150_000
"""How long an answer may take, handling and line; then the request is sent again."""
TRIES = 3
SETTLED_US = 20_000_000
"""After a STOP a dose has its OUTCOME within 5 s of settling and 5 s of coming to rest."""
OPEN_STATES = (wire.DOSE_PREPARED, wire.DOSE_ARMED, wire.DOSE_RUNNING, wire.DOSE_HELD)


class Unexpected(Exception):
    """Not what the script waits for; its words say what."""


@dataclass
class Dose:
    """A dose or run that was asked for, and what the device says became of it."""

    request: Any
    """The Prepare or PrepareRun."""
    before: dict[str, int]
    """The plant's account when it was asked for."""
    committed: bool = False
    outcome: Any = None
    """The `OutcomeReply` or `OutcomeEvent` that is final; None if the device does not say."""

    @property
    def dose_id(self) -> bytes:
        """The host's id."""
        dose_id: bytes = self.request.dose_id
        return dose_id

    @property
    def asked_nl(self) -> int:
        """Volume; 0 for a run."""
        return self.request.volume_nl if isinstance(self.request, messages.Prepare) else 0

    @property
    def asked_strokes(self) -> int:
        """Strokes; 0 for a dose."""
        return self.request.strokes if isinstance(self.request, messages.PrepareRun) else 0


class Host:
    """One host and the doses it has asked for."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.t_us = 0
        self.doses: list[Dose] = []
        self.key: tuple[int, bytes] | None = None
        """Role and secret with which it opens a session."""
        self.stops: list[tuple[int, int]] = []
        """When a STOP was sent that was answered, and where the plunger was then."""
        self.hello: messages.HelloReply | None = None
        self.next_n = 1
        self._decoder = stream.Decoder()
        self._nonces = 0
        self._session = 0
        self._seq = 0
        self._beat = 0
        self._tick: tuple[int, int] | None = None
        """The device's tick last seen, and when."""
        self._secret = b""
        self._events: list[Any] = []
        self._act: Callable[[], None] | None = None
        self._act_us = 0

    # --- Time and frames ------------------------------------------------------------------------------

    def run(self, until_us: int, data: bytes = b"") -> list[typed.Frame]:
        """Advance to `until_us` or the device's next bytes; the frames that have come."""
        self.t_us, received = self.world.run(until_us, data)
        return self._decoder.feed(received)

    def rest(self, us: int) -> None:
        """Let time pass; what is said meanwhile is kept."""
        end = self.t_us + us
        while self.t_us < end:
            self._keep(self.run(end))

    def ask(self, message: Any) -> Any:
        """The answer to a request, a `Refusal` included. `Unexpected` if there is none."""
        self._seq += 1
        data = typed.write_request(message, self._seq, self._session, self._tag if self._secret else None)
        return self._exchange(data, typed.LAYOUTS[type(message)][0], self._seq)

    def do(self, message: Any) -> Any:
        """As `ask`; `Unexpected` if it is refused."""
        answer = self.ask(message)
        if answer.status != wire.S_OK:
            raise Unexpected(f"{type(message).__name__} refused: {answer.status}")
        return answer

    def _exchange(self, data: bytes, msg_id: int, seq: int) -> Any:
        for _ in range(TRIES):
            end = self.t_us + ANSWER_US
            frames = self.run(end, data)
            while True:
                answer = None
                for received in frames:
                    if received.kind == frame.REPLY and received.msg_id == msg_id and received.seq == seq:
                        answer = received.message
                self._keep(frames)
                if answer is not None:
                    return answer
                if self.t_us >= end:
                    break
                frames = self.run(end)
        raise Unexpected(f"no answer to message {msg_id}")

    def _keep(self, frames: list[typed.Frame]) -> None:
        for received in frames:
            if received.kind == frame.EVENT:
                self._events.append(received.message)
            elif isinstance(received.message, messages.HeartbeatReply):
                self._tick = received.message.tick, self.t_us

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, "sha256")[: frame.TAG]

    # --- Sessions -------------------------------------------------------------------------------------

    def open(self) -> messages.HelloReply:
        """HELLO, and AUTH if it has a key and the device has too."""
        self._nonces += 1
        self._seq, self._session, self._secret, self._beat = 0, 0, b"", 0
        nonce = b"host%04d" % self._nonces
        request = messages.Hello(nonce, wire.MAJOR, wire.MAJOR, "enumeration")
        hello: Any = self._exchange(b"\0" + typed.write_request(request, 0, 0), wire.HELLO, 0)
        if not isinstance(hello, messages.HelloReply):
            raise Unexpected(f"HELLO refused: {hello.status}")
        self.hello = hello
        self._session = hello.session
        self._tick = hello.time & 0x3FFFFFFF, self.t_us
        self.next_n = hello.next_n
        if self.key and hello.capabilities & wire.CAPABILITY_KEYED:
            self._prove(nonce, hello, *self.key)
        return hello

    def _prove(self, nonce: bytes, hello: messages.HelloReply, role: int, secret: bytes) -> None:
        def code(label: bytes) -> bytes:
            return hmac.digest(secret, label + bytes((role,)) + nonce + hello.device_nonce + hello.uid, "sha256")

        reply = self.do(messages.Auth(role, code(b"meso1 host")[:PROOF]))
        if reply.proof != code(b"meso1 device")[:PROOF]:
            raise Unexpected("the device has not proven itself")
        self._secret = code(b"meso1 session")

    # --- Doses ----------------------------------------------------------------------------------------

    def dose(self, request: Any, after_us: int = 0, act: Callable[[], None] | None = None) -> Dose:
        """Give a dose or run to its OUTCOME; `act` happens once, `after_us` after COMMIT.

        `request`: a Prepare or PrepareRun without id and number.
        """
        dose_id = b"dose%04d" % (len(self.doses) + 1)
        request = request._replace(dose_id=dose_id, n=self.next_n)
        dose = Dose(request, self.account())
        self.doses.append(dose)
        self.commit(dose)
        self.next_n += 1
        self._events.clear()
        self._act = act
        self._act_us = self.t_us + after_us
        self._wait_for(dose)
        return dose

    def give(self, request: Any, us: int) -> None:
        """Give a dose for `us` from its COMMIT on, and leave it alone then."""

        def leave() -> None:
            raise Unexpected("left alone")

        with contextlib.suppress(Unexpected):
            self.dose(request, us, leave)

    def commit(self, dose: Dose) -> None:
        """PREPARE and COMMIT."""
        plan = self.do(dose.request)
        assert self.hello
        assert self._tick
        tick, seen_us = self._tick
        not_after = (tick + self.t_us - seen_us + 4_000_000) & 0x3FFFFFFF
        dose.committed = True
        self.do(messages.Commit(dose.dose_id, plan.plan_crc, self.hello.boot_id, not_after))

    def _wait_for(self, dose: Dose) -> None:
        """Heartbeats until the OUTCOME, which is asked for if nothing is heard of it."""
        end = self.t_us + limits.ARMED_MS * 1000 + 60_000_000
        asked_us = self.t_us
        beat_us = self.t_us
        while dose.outcome is None:
            if self.t_us >= end:
                raise Unexpected("no end of the dose")
            if self._act and self.t_us >= self._act_us:
                act, self._act = self._act, None
                act()
            if self.t_us >= beat_us:
                beat_us = self.t_us + limits.HEARTBEAT_PERIOD_MS * 1000
                self._keep(self.run(beat_us, self._heartbeat(dose)))
            else:
                self._keep(self.run(beat_us))
            for event in self._events:
                if isinstance(event, messages.OutcomeEvent) and event.dose_id == dose.dose_id:
                    dose.outcome = event
            self._events.clear()
            if dose.outcome is None and self.t_us - asked_us > 1_000_000:
                asked_us = self.t_us
                self.query(dose)

    def _heartbeat(self, dose: Dose) -> bytes:
        assert self._tick
        self._beat += 1
        beat = messages.Heartbeat(self._beat, self._tick[0], dose.dose_id)
        return typed.write_request(beat, 0, self._session, self._tag if self._secret else None)

    def query(self, dose: Dose) -> None:
        """Ask what became of a dose; a final answer is kept."""
        answer = self.do(messages.Query(dose.dose_id, dose.request.n))
        if answer.dose_state not in OPEN_STATES:
            dose.outcome = answer

    def stop(self) -> None:
        """STOP, until it is answered or nobody answers."""
        sent_us = self.t_us
        self._exchange(STOP, wire.STOP, 0)
        self.stops.append((sent_us, self.account()["plunger_steps"]))

    # --- After all -------------------------------------------------------------------------------------

    def settle(self) -> list[str]:
        """After anything unexpected: STOP, QUERY until final, whatever restarts meanwhile; what went wrong in words."""
        told: list[str] = []
        end = self.t_us + SETTLED_US
        while True:
            try:
                self.stop()
                self.open()
                for dose in self.doses:
                    while dose.outcome is None:
                        self.query(dose)
                        if dose.outcome is None:
                            self.rest(500_000)
                return told
            except Unexpected as error:
                told.append(str(error))
                if self.t_us >= end:
                    return told
                self.rest(500_000)

    def account(self) -> dict[str, int]:
        """The plant's own account."""
        account: Any = self.world.control("account", 0)
        return dict(account)
