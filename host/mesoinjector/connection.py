"""The protocol's host side, without I/O: bytes and times go in, bytes and messages come out.

It owns no port, no thread and no clock. One request is in flight at a time; an answer is matched by session
and seq, a late or strange one is dropped and counted.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from mesoprotocol import frame, messages, typed, wire

JUNK_KEPT = 400
"""Bytes outside frames that are kept to tell a MicroPython prompt from silence."""
EVENTS_KEPT = 4096
"""Events that wait for a listener; beyond that the oldest is dropped and counted."""

STOP_BYTES = typed.write_request(frame.Builder(wire.MAJOR), messages.Stop(), 0, 0)
"""STOP, constant: any program, signal handler or terminal can send it."""


class Connection:
    """One session at most. Times are microseconds of the link's clock."""

    def __init__(self) -> None:
        self._builder = frame.Builder(wire.MAJOR)
        self._reader = frame.Reader((wire.MAJOR,))
        self._nonce = b""
        self._seq = 0
        self._beat = 0
        self._tick: int | None = None
        self._tick_at = 0
        self._answers: dict[int, Any] = {}
        self._junk = b""
        self.session = 0
        self.hello: messages.HelloReply | None = None
        self.stop_answer: messages.StopReply | None = None
        self.events: deque[Any] = deque(maxlen=EVENTS_KEPT)
        self.events_dropped = 0
        self.frames = 0
        self.dropped = 0

    # --- Out ------------------------------------------------------------------------------------------

    def greet(self, nonce: bytes, client: str) -> bytes:
        """HELLO with a fresh nonce; what was received before it is forgotten."""
        self._nonce = nonce
        self.session = 0
        self.hello = None
        self._answers.clear()
        hello = messages.Hello(nonce, wire.MAJOR, wire.MAJOR, client)
        return b"\0\0" + typed.write_request(self._builder, hello, 0, 0)

    def request(self, message: Any) -> tuple[int, bytes]:
        """The seq and bytes of a request. The same bytes may be sent again; a new call is a new request."""
        self._seq += 1
        self._answers.clear()
        return self._seq, typed.write_request(self._builder, message, self._seq, self.session)

    def heartbeat(self, dose_id: bytes) -> bytes:
        """A heartbeat for a dose that somebody waits for; it echoes the device tick last seen."""
        self._beat += 1
        beat = messages.Heartbeat(self._beat, self._tick or 0, dose_id)
        return typed.write_request(self._builder, beat, 0, self.session)

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
        buf = bytearray(data)
        at = 0
        bad = self._reader.bad
        while at < len(buf):
            at = self._reader.feed(buf, at, len(buf))
            if self._reader.length:
                self._take(now_us)
        if self._reader.bad != bad or not self.frames:
            self._junk = (self._junk + data)[-JUNK_KEPT:]

    def answer(self, seq: int) -> Any:
        """The answer to request `seq`, once; None if it has not come."""
        return self._answers.pop(seq, None)

    @property
    def junk(self) -> str:
        """What came outside frames, as text: a traceback or a prompt shows here."""
        return self._junk.decode("utf-8", "replace")

    def _take(self, now_us: int) -> None:
        try:
            received = typed.read_frame(self._reader.body, self._reader.length)
        except typed.Malformed:
            self.dropped += 1
            return
        if received is None:
            self.dropped += 1
            return
        self.frames += 1
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
            if received.seq == self._seq:
                self._answers[received.seq] = message
            else:
                self.dropped += 1
        else:
            if isinstance(message, (messages.Telemetry, messages.PhaseEvent)):
                self._see(message.time & 0x3FFFFFFF, now_us)
            if len(self.events) == EVENTS_KEPT:
                self.events_dropped += 1
            self.events.append(message)

    def _see(self, tick: int, now_us: int) -> None:
        self._tick = tick
        self._tick_at = now_us
