"""The protocol's host side, without I/O: bytes and times go in, bytes and messages come out.

It owns no port, no thread and no clock. One request is in flight at a time; an answer is matched by session,
seq and message, a late or strange one is dropped and counted.
"""

from __future__ import annotations

import hmac
from collections import deque
from typing import Any, NamedTuple

from mesoinjector.clock import DeviceClock
from mesoinjector.errors import SessionLost
from mesoinjector.keys import Key
from mesoprotocol import frame, messages, packing, stream, typed, wire

TAIL_KEPT = 400
"""Bytes that are kept to tell a MicroPython prompt from silence."""
EVENTS_KEPT = 4096
"""Events that wait for a listener; beyond that the oldest is dropped and counted."""
OUTCOMES_KEPT = 16
MISSING_KEPT = 64
"""Numbers of events that did not come and are still to be asked for; beyond that they are counted as lost."""
LAST_SEQ = 0xC000
"""From here on a session is as good as spent, and another is opened, unless a dose is under way: what is left is enough
for the longest one."""

STOP_BYTES = typed.write_request(messages.Stop(), 0, 0)
"""STOP, constant: any program, signal handler or terminal can send it."""


PROOF = 16
"""Bytes of a proof in AUTH."""


class Losses(NamedTuple):
    """What this host has not passed on since it opened the line."""

    refused: int
    """Pieces that are no whole frame."""
    dropped: int
    """Frames that came late, or that this host does not know."""
    events_dropped: int
    """Events that nobody took in time."""
    events_lost: int
    """Events that did not come and that the device does not keep any more."""


class Connection:
    """One session at most. Times are microseconds of the link's clock."""

    def __init__(self) -> None:
        self._decoder = stream.Decoder()
        self._nonce = b""
        self._key = b""
        self._seq = 0
        self._asked = 0
        self._beat = 0
        self._event: int | None = None
        self._tick: int | None = None
        self._tick_at = 0
        self.clock: DeviceClock = DeviceClock()
        self._answers: dict[int, Any] = {}
        self._tail = b""
        self.session: int = 0
        self.hello: messages.HelloReply | None = None
        self.stop_answer: messages.StopReply | None = None
        self.events: deque[Any] = deque(maxlen=EVENTS_KEPT)
        self.outcomes: dict[bytes, messages.OutcomeEvent] = {}
        """How doses have ended, by their ids, whether or not a listener was told yet."""
        self.events_dropped: int = 0
        self.missing: deque[int] = deque()
        self.events_lost: int = 0
        self.frames: int = 0
        self.dropped: int = 0

    # --- Out ------------------------------------------------------------------------------------------

    def greet(self, nonce: bytes, client: str) -> bytes:
        """HELLO with a fresh nonce; what was received before it is forgotten."""
        self._nonce = nonce
        self.session = 0
        self.hello = None
        self._key = b""
        self._answers.clear()
        self._event = None
        self.missing.clear()
        hello = messages.Hello(nonce, wire.MAJOR, wire.MAJOR, client)
        return b"\0\0" + typed.write_request(hello, 0, 0)

    def request(self, message: Any) -> tuple[int, bytes]:
        """The seq and bytes of a request. The same bytes may be sent again; a new call is a new request.

        Raises `SessionLost` once the session's numbers are used up.
        """
        if self._seq == 0xFFFF:
            raise SessionLost("the numbers of this session are used up. Next: open the device again.")
        self._seq += 1
        self._asked = messages.REQUESTS[type(message)][0]
        self._answers.clear()
        if self._key and isinstance(message, messages.Provision):
            message = message._replace(key=self._covered(message))
        return self._seq, self._write(message, self._seq)

    @property
    def is_spent(self) -> bool:
        """Whether this session's numbers run out: another one is to be opened, unless a dose is under way."""
        return self._seq >= LAST_SEQ

    def auth(self, key: Key) -> messages.Auth:
        """The proof that this host has `key`, as HELLO's answer challenges it."""
        return messages.Auth(key.role, self._code(b"meso1 host", key)[:PROOF])

    def accept(self, key: Key, reply: messages.AuthReply) -> bool:
        """Whether the device has `key` too; if so requests are tagged from now on."""
        if not hmac.compare_digest(self._code(b"meso1 device", key)[:PROOF], reply.proof):
            return False
        self._key = self._code(b"meso1 session", key)
        return True

    def _write(self, message: Any, seq: int) -> bytes:
        return typed.write_request(message, seq, self.session, self._tag if self._key else None)

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[: frame.TAG]

    def _covered(self, message: messages.Provision) -> bytes:
        """The key in a request under the pad that is this request's alone."""
        size = packing.Layout(wire.PROVISION_FIELDS).size
        kind = frame.REQUEST | frame.TAGGED
        header = packing.HEAD.pack(wire.MAJOR, kind, wire.PROVISION, self._seq, self.session, size)
        pad = hmac.digest(self._key, b"meso1 pad" + header, "sha256")
        return bytes(a ^ b for a, b in zip(message.key, pad, strict=True))

    def _code(self, label: bytes, key: Key) -> bytes:
        assert self.hello is not None
        challenge = label + bytes((key.role,)) + self._nonce + self.hello.device_nonce + self.hello.uid
        return hmac.digest(key.secret, challenge, "sha256")

    def heartbeat(self, dose_id: bytes) -> bytes:
        """A heartbeat for a dose that somebody waits for; it echoes the device tick last seen."""
        self._beat += 1
        beat = messages.Heartbeat(self._beat, self._tick or 0, dose_id)
        return self._write(beat, 0)

    def device_tick(self, now_us: int) -> int:
        """The device's tick now, as far as it is known: the last one seen plus the time since. Never ahead by
        more than the drift of two crystals, behind by the line's delay.
        """
        if self._tick is None:
            raise ValueError("no device time was seen yet")
        return (self._tick + now_us - self._tick_at) & 0x3FFFFFFF

    # --- In -------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> None:
        """Take received bytes. Garbage is counted and never raises."""
        decoder = self._decoder
        unread = decoder.unknown + decoder.malformed
        for received in decoder.feed(data):
            if received.kind == frame.REQUEST:
                self.dropped += 1  # the line echoes
                continue
            self.frames += 1
            self._take(received, now_us)
        self.dropped += decoder.unknown + decoder.malformed - unread
        self._tail = (self._tail + data)[-TAIL_KEPT:]

    def answer(self, seq: int) -> Any:
        """The answer to request `seq`, once; None if it has not come."""
        return self._answers.pop(seq, None)

    @property
    def losses(self) -> Losses:
        """What was not passed on."""
        return Losses(self._decoder.bad, self.dropped, self.events_dropped, self.events_lost)

    @property
    def tail(self) -> str:
        """The last that was received, as text: a traceback or a prompt shows here."""
        return self._tail.decode("utf-8", "replace")

    def _take(self, received: typed.Frame, now_us: int) -> None:
        message = received.message
        if isinstance(message, messages.HelloReply):
            if message.nonce == self._nonce and self.hello is None:
                self.hello = message
                self.session = message.session
                self._seq = 0
                self._beat = 0
                self._see(message.time & 0x3FFFFFFF, now_us)
            return
        if isinstance(message, messages.StopReply):
            self.stop_answer = message
            return
        if received.session != self.session or not self.session:
            self.dropped += 1
            return
        if isinstance(message, messages.HeartbeatReply):
            self._see(message.tick, now_us)
        elif received.kind == frame.REPLY:
            if isinstance(message, messages.StatusReply):
                self._see(message.time & 0x3FFFFFFF, now_us)
            if received.seq == self._seq and received.msg_id == self._asked:
                self._answers[received.seq] = message
            else:
                self.dropped += 1
        else:
            if isinstance(message, (messages.Telemetry, messages.PhaseEvent, messages.AlarmEvent)):
                self._see(message.time & 0x3FFFFFFF, now_us)
            if self._is_new(received.seq, received.kind == frame.EVENT):
                self.add_event(message)

    def begin_events(self, newest: int) -> None:
        """Events are counted from here: `newest` is the number of the last one before."""
        self._event = newest

    def add_event(self, message: Any) -> None:
        """Put an event where listeners get it."""
        if isinstance(message, messages.OutcomeEvent):
            self.outcomes[message.dose_id] = message
            if len(self.outcomes) > OUTCOMES_KEPT:
                del self.outcomes[next(iter(self.outcomes))]
        if len(self.events) == EVENTS_KEPT:
            self.events_dropped += 1
        self.events.append(message)

    def _is_new(self, number: int, is_event: bool) -> bool:
        """Whether an event, or a stream frame that follows event `number`, is to be told; notes gaps before it."""
        ahead = (number - self._event) & 0xFFFF if self._event is not None else 0
        if 0 < ahead < 0x8000:
            first_missing = number - ahead + 1
            for i in range(first_missing, number if is_event else number + 1):
                self.missing.append(i & 0xFFFF)
            while len(self.missing) > MISSING_KEPT:
                self.missing.popleft()
                self.events_lost += 1
            self._event = number
            return True
        if not is_event or self._event is None:
            return True
        if number in self.missing:
            self.missing.remove(number)
            return True
        return False  # told before: a repeated frame

    def _see(self, tick: int, now_us: int) -> None:
        self._tick = tick
        self._tick_at = now_us
