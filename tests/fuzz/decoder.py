"""Any bytes through the decoders of both sides, bare or behind right stuffing and CRC.

Nothing raises, each frame that the device takes is, byte for byte, the one encoding of its content, and nothing
piles up.
"""

from __future__ import annotations

from contextlib import suppress

from mesoprotocol import frame, typed, wire
from tests.fuzz.script import Script
from tests.garbage import GOLDEN, GROWTH_MAX, Host, held

RAW, FRAME = 0, 1
LOOK = 1000
"""Inputs between two looks at what the host holds."""


def seeds() -> list[bytes]:
    """Each golden frame, as it is on the wire and as what makes it."""
    bare = [bytes((RAW, len(wire_bytes))) + wire_bytes for wire_bytes in GOLDEN.values()]
    made = []
    for wire_bytes in GOLDEN.values():
        reader = frame.Reader((wire.MAJOR,))
        reader.feed(bytearray(wire_bytes), 0, len(wire_bytes))
        body = bytes(reader.body[: reader.length])
        made.append(bytes((FRAME,)) + body[1:9] + body[frame.HEADER :])
    return bare + made


class Target:
    """Both decoders, which live through all inputs."""

    def __init__(self) -> None:
        self._reader = frame.Reader((wire.MAJOR,))
        self._builder = frame.Builder(wire.MAJOR)
        self._host = Host()
        self._inputs = 0
        self._held = 0
        self.frames = 0

    def run(self, data: bytes) -> None:
        """One input."""
        stream = bytearray(b"\0")
        script = Script(data)
        while script:
            if script.number() % 2 == RAW:
                stream += script.take(script.number())
            else:
                stream += self._framed(script)
        stream.append(0)
        at = 0
        while at < len(stream):
            at = self._reader.feed(stream, at, len(stream))
            if self._reader.length:
                self._take(stream)
        self._host.receive(bytes(stream))
        self._inputs += 1
        if self._inputs % LOOK == 0:
            self._held = self._held or held(self._host)
            assert held(self._host) < self._held + GROWTH_MAX, "what the host holds has grown"

    def _framed(self, script: Script) -> bytes:
        kind = script.number() % 4
        msg_id, seq, session = (script.number(2) for _ in range(3))
        n = script.number() % (frame.PAYLOAD_MAX + 1)
        self._builder.body[frame.HEADER : frame.HEADER + n] = script.take(n)
        return bytes(self._builder.wire[: self._builder.build(kind, msg_id, seq, session, n)])

    def _take(self, stream: bytearray) -> None:
        """The frame in the reader: it is one of the stream's, and the host either reads it or says that it cannot."""
        self.frames += 1
        body, length = self._reader.body, self._reader.length
        n = length - frame.HEADER
        msg_id, seq, session = (int.from_bytes(body[i : i + 2], "little") for i in (2, 4, 6))
        self._builder.body[frame.HEADER : length] = body[frame.HEADER : length]
        end = self._builder.build(body[1], msg_id, seq, session, n)
        assert self._builder.wire[:end] in stream, "a frame was taken that was not there"
        with suppress(typed.Malformed):
            typed.read_frame(body, length)
