"""The host's decoder: received bytes in, messages out, a chunk at a time. It takes what `frame.Reader` takes, no more.

Bytes between two zeros are one frame or none. Memory is bounded whatever comes in, nothing raises.
"""

from __future__ import annotations

import struct
from typing import Any
from zlib import crc32

from mesoprotocol import frame, messages, typed, wire
from mesoprotocol.frame import REPLY, TAG, TAGGED
from mesoprotocol.packing import Layout, Malformed
from mesoprotocol.typed import Frame

STUFFED_MAX = frame.BODY_MAX + 1
CRC = 4
AT = 1 + frame.HEADER
"""Where the payload begins, behind the first code and the header."""
SEED = crc32(b"MESO")
"""The CRC begins here, and goes on with the major before the header: see `frame`."""
RESIDUE = 0x2144DF1C
"""CRC-32 of anything that ends with its own CRC-32, whatever the seed."""

_head = struct.Struct("<x2sHHHH").unpack_from
"""Major and kind, message id, seq, session, payload length; the zero behind it is the length's high byte."""
AROUND = {
    bytes((wire.MAJOR, kind)): AT + (TAG if kind & TAGGED else 0) + CRC
    for kind in (frame.REQUEST, frame.REQUEST | TAGGED, REPLY, frame.EVENT, frame.STREAM)
}
"""Bytes around the payload, first code included, by major and kind."""

REFUSAL = Layout(typed.REPLY_HEAD)
MESSAGES: dict[tuple[int, int], tuple[Any, Layout]] = {
    **{(frame.REQUEST, msg_id): (cls, layout) for cls, (msg_id, layout) in typed.LAYOUTS.items()},
    **{(REPLY, msg_id): (cls, Layout(typed.REPLY_HEAD + fields)) for msg_id, (cls, fields) in messages.REPLIES.items()},
    **{
        (kind, msg_id): (cls, Layout(fields))
        for kind in (frame.EVENT, frame.STREAM)
        for msg_id, (cls, fields) in messages.EVENTS.items()
    },
}
"""Tuple type and payload of each message, by kind and id."""

_new = tuple.__new__  # a named tuple's own constructor would count again what a layout has counted


class Decoder:
    """Finds and decodes the frames of one direction of a line."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self.bad = 0
        """Frames refused: stuffing, header or CRC."""
        self.unknown = 0
        """Whole frames of messages that this side does not know."""
        self.malformed = 0
        """Whole frames whose payload does not fit their message."""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that end within `data`."""
        chunks = (self._rest + data).split(b"\0")
        self._rest = chunks.pop()[: STUFFED_MAX + 1]  # one byte too many tells that it is too long
        found = []
        for chunk in chunks:
            if chunk:
                received = self._decoded(chunk)
                if received:
                    found.append(received)
        return found

    def _decoded(self, body: bytearray) -> Frame | None:
        n = len(body)
        at = body[0] if AT + CRC <= n <= STUFFED_MAX else n + 1
        body[0] = wire.MAJOR  # the first code stands for no zero; there the CRC's seed ends
        while at < n:
            code = body[at]
            body[at] = 0
            at += code
        if at != n or crc32(body, SEED) != RESIDUE:
            self.bad += 1
            return None
        start, msg_id, seq, session, length = _head(body)
        if length + AROUND.get(start, n + 1) != n:
            self.bad += 1
            return None
        kind = start[1]
        tag = b""
        if kind & TAGGED:
            kind ^= TAGGED
            tag = bytes(body[AT + length : -CRC])
        known = MESSAGES.get((kind, msg_id))
        if known is None:
            self.unknown += 1
            return None
        cls, layout = known
        if length == REFUSAL.size and kind == REPLY:
            # a refusal bears status and state alone
            cls, layout = typed.Refusal, REFUSAL
        try:
            message = _new(cls, layout.unpack(body, AT, length))
        except Malformed:
            self.malformed += 1
            return None
        if cls is typed.Refusal and message.status == wire.S_OK:
            self.malformed += 1
            return None
        return _new(Frame, (kind, msg_id, seq, session, message, tag))


def read_event(msg_id: int, payload: bytes) -> Any:
    """An event from its payload alone, as READ_EVENT gives it; None if it is not known here. Raises `Malformed`."""
    known = MESSAGES.get((frame.EVENT, msg_id))
    return _new(known[0], known[1].unpack(payload, 0, len(payload))) if known else None
