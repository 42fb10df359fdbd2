"""Any bytes through the decoders of both sides, bare or behind right stuffing and CRC.

Nothing raises, each frame that the device takes is, byte for byte, the one encoding of its content, and nothing
piles up.
"""

from __future__ import annotations

from mesoprotocol import frame, packing, stream, wire
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
        self._host = Host()
        self._inputs = 0
        self._held = 0
        self.frames = 0

    def run(self, data: bytes) -> None:
        """One input."""
        line = bytearray(b"\0")
        script = Script(data)
        while script:
            if script.number() % 2 == RAW:
                line += script.take(script.number())
            else:
                line += self._framed(script)
        line.append(0)
        at = 0
        while at < len(line):
            at = self._reader.feed(line, at, len(line))
            if self._reader.length:
                self._take(line)
        self._host.receive(bytes(line))
        self._inputs += 1
        if self._inputs % LOOK == 0:
            self._held = self._held or held(self._host)
            assert held(self._host) < self._held + GROWTH_MAX, "what the host holds has grown"

    def _framed(self, script: Script) -> bytes:
        kind = script.number() % 5
        msg_id, seq, session = (script.number(2) for _ in range(3))
        payload = script.take(script.number() % (frame.PAYLOAD_MAX + 1))
        return encoded(kind if kind < 4 else frame.REQUEST | frame.TAGGED, msg_id, seq, session, payload, b"fuzz-tag")

    def _take(self, line: bytearray) -> None:
        """The frame in the reader: it is one of the line's, and the host either reads it or says that it cannot."""
        self.frames += 1
        body, length = self._reader.body, self._reader.length
        msg_id, seq, session = (int.from_bytes(body[i : i + 2], "little") for i in (2, 4, 6))
        payload, tag = bytes(body[frame.HEADER : length]), bytes(body[length : length + frame.TAG])
        wire_bytes = encoded(body[1], msg_id, seq, session, payload, tag)
        assert wire_bytes in line, "a frame was taken that was not there"
        decoder = stream.Decoder()
        taken = decoder.feed(wire_bytes)
        assert len(taken) + decoder.unknown + decoder.malformed == 1 and not decoder.bad, "the host refuses it"


def encoded(kind: int, msg_id: int, seq: int, session: int, payload: bytes, tag: bytes) -> bytes:
    """A frame of these parts; the tag counts in tagged ones only."""
    tagger = (lambda _: tag) if kind & frame.TAGGED else None
    return packing.encode(kind & ~frame.TAGGED, msg_id, seq, session, payload, tagger)
