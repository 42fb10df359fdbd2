"""Any requests, in any order, at any time, to the whole device in its simulated world.

The firmware never raises, and the plant is the witness that neither plunger nor needle moves but for a dose that
was prepared and committed in the session under way, and the plunger not further than planned.
"""

from __future__ import annotations

from typing import Any

from mesoinjector.connection import STOP_BYTES
from mesoprotocol import codec, frame, limits, messages, stream, typed, wire
from mesosim.world.trace import Untraced
from mesosim.world.world import START_US, World
from tests.fuzz.script import Script

REQUESTS = list(messages.REQUESTS.values())
CONTROLS = ("estop", "syringe", "cartridge", "drive_fault", "blocked", "index_dead", "one_line", "present", "reset")
RUN_US = 10_000_000
"""Virtual time that one input may take."""
BEAT_US = limits.HEARTBEAT_PERIOD_MS * 1000
TIME_US = 10_000
"""What one count of an input's time is worth."""
SENT_MAX = 4096
"""Bytes of one input that reach the device."""

RAW, FRAME, REQUEST, COMMIT, HELLO, BEATS, SILENCE, CONTROL, AGAIN, STOP = range(10)


def seeds() -> list[bytes]:
    """A prime and a dose, a run, and the same cut short by everything that cuts a dose short."""
    treatment = bytes((HELLO, 1)) + _asked(messages.SetDate(9_600)) + _asked(messages.StartTreatment(1))
    prime = _asked(messages.Prepare(b"prime...", 1, 30_000, 0, wire.MODE_PRIME, 1, 0, 0)) + bytes((COMMIT,))
    dose = _asked(messages.Prepare(b"dose....", 2, 20_000, 1_000, wire.MODE_SINGLE, 1, 6, 1)) + bytes((COMMIT,))
    run = _asked(messages.PrepareRun(b"run.....", 1, 20, 1_000, 900, 6, 16, 40, 60)) + bytes((COMMIT,))
    short, long = bytes((BEATS, 120)), bytes((BEATS, 255, BEATS, 150))
    cuts = [bytes((SILENCE, 50)), bytes((STOP,)), bytes((HELLO, 2)), bytes((AGAIN,)), bytes((COMMIT,))]
    cuts += [bytes((CONTROL, i, 1)) for i in range(len(CONTROLS))]
    asked = b"".join(bytes((REQUEST, i)) + bytes(codec.size(fields)) for i, (_, fields) in enumerate(REQUESTS))
    whole = [treatment + prime + long + dose + long, treatment + run + long, treatment + asked]
    uncommitted = [begun[:-1] + word + long for begun in (prime, run) for word in (b"", bytes((HELLO, 2, COMMIT)))]
    whole += [treatment + begun for begun in uncommitted]
    return whole + [treatment + begun + short + cut + short for begun in (prime, run) for cut in cuts]


def _asked(request: Any) -> bytes:
    """The script's words for a request."""
    msg_id, fields = messages.REQUESTS[type(request)]
    which = REQUESTS.index((msg_id, fields))
    buf = bytearray(frame.BODY_MAX)
    return bytes((REQUEST, which)) + bytes(buf[: codec.write(fields, typed.raw_values(fields, request), buf, 0)])


class Device:
    """One device, what was asked of it, and what it may therefore do."""

    def __init__(self) -> None:
        self._world = World(1, Untraced())
        self._decoder = stream.Decoder()
        self._builder = frame.Builder(wire.MAJOR)
        self._t = 0
        self._sent = b""
        self._bytes_left = SENT_MAX
        self._session = self._seq = self._beat = self._nonce = 0
        self._dose_id = self._plan_crc = self._boot_id = b""
        self._answered: set[tuple[int, int]] = set()
        self._prepared = self._committed = False
        self._planned_steps = 0
        self._steps_max = self._place()[0]
        self._placed = self._place()
        self.most_nl = 0
        """What has left the needle, by the plant."""

    def run(self, data: bytes) -> None:
        """One input."""
        script = Script(data)
        while script and self._t < RUN_US and self._bytes_left > 0:
            self._do(script.number() % (STOP + 1), script)
        self._pass(BEAT_US)

    def _do(self, what: int, script: Script) -> None:
        if what == RAW:
            self._send(script.take(script.number()))
        elif what == FRAME:
            kind, msg_id, seq, session = script.number() % 4, script.number(2), script.number(2), script.number(2)
            n = script.number() % (frame.PAYLOAD_MAX + 1)
            self._send(self._framed(kind, msg_id, seq, session, script.take(n)))
        elif what == REQUEST:
            msg_id, fields = REQUESTS[script.number() % len(REQUESTS)]
            buf = bytearray(frame.BODY_MAX)
            self._request(msg_id, bytes(buf[: codec.write(fields, script.values(fields), buf, 0)]))
        elif what == COMMIT:
            not_after = (self._tick() + 1_000_000) & 0x3FFFFFFF
            self._request(wire.COMMIT, self._dose_id + self._plan_crc + self._boot_id + not_after.to_bytes(4, "little"))
        elif what == HELLO:
            self._nonce = script.number()
            nonce = b"nonce.." + bytes((self._nonce,))
            self._send(typed.write_request(messages.Hello(nonce, wire.MAJOR, wire.MAJOR, "fuzz"), 0, 0))
        elif what == BEATS:
            for _ in range(script.number() * TIME_US // BEAT_US):
                self._beat += 1
                beat = messages.Heartbeat(self._beat, self._tick(), self._dose_id or bytes(8))
                self._send(typed.write_request(beat, 0, self._session))
                self._pass(BEAT_US)
        elif what == SILENCE:
            self._pass(script.number() * TIME_US)
        elif what == CONTROL:
            name = CONTROLS[script.number() % len(CONTROLS)]
            self._world.control(name, script.number() % 2)
            if name == "reset":
                self._nothing_in_hand()
        elif what == AGAIN:
            self._send(self._sent)
        else:
            self._send(STOP_BYTES)

    # --- Out ------------------------------------------------------------------------------------------

    def _framed(self, kind: int, msg_id: int, seq: int, session: int, payload: bytes) -> bytes:
        self._builder.body[frame.HEADER : frame.HEADER + len(payload)] = payload
        return bytes(self._builder.wire[: self._builder.build(kind, msg_id, seq, session, len(payload))])

    def _request(self, msg_id: int, payload: bytes) -> None:
        self._seq = (self._seq + 1) & 0xFFFF
        if msg_id in (wire.PREPARE, wire.PREPARE_RUN, wire.PREPARE_DRY, wire.PREPARE_HOME):
            self._dose_id = payload[:8]
        self._send(self._framed(frame.REQUEST, msg_id, self._seq, self._session, payload))

    def _send(self, data: bytes) -> None:
        self._sent = data
        self._bytes_left -= len(data)
        self._pass(1_000, data)

    def _tick(self) -> int:
        return (START_US + self._t) & 0x3FFFFFFF

    # --- In -------------------------------------------------------------------------------------------

    def _pass(self, us: int, data: bytes = b"") -> None:
        """Time passes, at the beginning of which the device receives `data`; it is watched and heard."""
        end = self._t + us
        while True:
            self._t, answer = self._world.run(end, data)
            data = b""
            self._watch()
            for heard in self._decoder.feed(answer):
                self._hear(heard)
            if self._t >= end:
                return

    def _place(self) -> tuple[int, int]:
        account: dict[str, int] = self._world.control("account", 0)
        self.most_nl = account["tip_nl"]
        return account["plunger_steps"], account["punctures"]

    def _watch(self) -> None:
        place = self._place()
        if place != self._placed:
            assert self._prepared and self._committed, f"{self._placed} became {place} without PREPARE and COMMIT"
            assert place[0] <= self._steps_max, f"the plunger is at {place[0]}, planned were {self._steps_max}"
        self._placed = place

    def _nothing_in_hand(self) -> None:
        self._prepared = self._committed = False

    def _hear(self, heard: typed.Frame) -> None:
        message = heard.message
        if isinstance(message, messages.PhaseEvent) and message.state == wire.STATE_IDLE:
            self._nothing_in_hand()
        elif isinstance(message, messages.HelloReply) and message.session != self._session:
            self._session, self._seq, self._beat, self._boot_id = message.session, 0, 0, message.boot_id
            if not message.capabilities & wire.CAPABILITY_KEYED:
                self._nothing_in_hand()
        elif heard.kind == frame.REPLY and (heard.session, heard.seq) not in self._answered:
            if isinstance(
                message,
                (messages.PrepareReply, messages.PrepareRunReply, messages.PrepareDryReply, messages.PrepareHomeReply),
            ):
                self._prepared = True
                self._plan_crc = message.plan_crc
                self._planned_steps = message.steps if isinstance(message, messages.PrepareReply) else 0
            elif isinstance(message, messages.CommitReply) and self._prepared and not self._committed:
                self._committed = True
                self._steps_max += self._planned_steps
            if heard.seq:
                self._answered.add((heard.session, heard.seq))


class Target:
    """A new device for each input."""

    def run(self, data: bytes) -> None:
        """One input."""
        Device().run(data)
