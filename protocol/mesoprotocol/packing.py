"""Payloads and frames out of whole values, for the host: the bytes of `codec` and `frame.Builder`, sooner.

A message's fields become one `struct`; what that cannot say (24 bits, text, time, ranges) is done beside it, on
those fields only.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from mesoprotocol import codec, frame, wire

Fields = tuple[tuple[int, int, int, int], ...]

HEAD = struct.Struct("<BBHHHH")
"""Major, kind, message id, seq, session, payload length; the zero behind it is the length's high byte."""
SEED = int.from_bytes(frame.frame_seed(wire.MAJOR), "little")
TIME_MASK = (1 << 53) - 1
"""Microseconds that reach the wire: 285 years."""

_INTEGERS = {(codec.UINT, 1): "B", (codec.UINT, 2): "H", (codec.UINT, 4): "I"}
_INTEGERS |= {(codec.INT, 1): "b", (codec.INT, 2): "h", (codec.INT, 4): "i"}
_CODES = tuple(bytes((n + 1,)) for n in range(frame.BODY_MAX + 1))
_ZERO = _CODES[0]


class Malformed(Exception):
    """A payload does not fit its message: other length, or a value out of range."""


class Layout:
    """One message's payload. Times are integers in microseconds, text is `str`, all else as in `codec`."""

    def __init__(self, fields: Fields) -> None:
        self.size = codec.size(fields)
        self._has_tail = bool(fields) and fields[-1][0] == codec.TAIL
        sized = fields[:-1] if self._has_tail else fields
        whole = struct.Struct("<" + "".join(_INTEGERS.get(field[:2]) or _other(*field[:2]) for field in sized))
        self._pack, self._unpack_from = whole.pack, whole.unpack_from
        self._ranges = [(i, low, high) for i, (kind, _, low, high) in enumerate(sized) if kind <= codec.INT]
        self._narrower = [(i, *span) for i, *span in self._ranges if tuple(span) != _span(*sized[i][:2])]
        self._writers = [(i, write) for i, (kind, n, *_) in enumerate(sized) if (write := _writer(i, kind, n))]
        self._readers = [(i, read) for i, (kind, n, *_) in enumerate(sized) if (read := _reader(kind, n))]

    def pack(self, values: Iterable[Any]) -> bytes:
        """The payload. Raises ValueError if a field is out of range."""
        raw = list(values)
        for i, low, high in self._ranges:
            if not low <= raw[i] <= high:
                raise ValueError(f"field {i}: {raw[i]} is not in {low}..{high}")
        for i, write in self._writers:
            raw[i] = write(raw[i])
        if not self._has_tail:
            return self._pack(*raw)
        tail: bytes = raw.pop()
        return self._pack(*raw) + tail

    def unpack(self, body: bytes | bytearray, at: int, n: int) -> Sequence[Any]:
        """The values in the `n` bytes from body[at] on. Raises `Malformed`."""
        if n != self.size and (n < self.size or not self._has_tail):
            raise Malformed(f"payload of {n} bytes, expected {self.size}")
        values: Any = self._unpack_from(body, at)
        if self._readers:
            values = list(values)
            for i, read in self._readers:
                values[i] = read(values[i])
        for i, low, high in self._narrower:
            if not low <= values[i] <= high:
                raise Malformed(f"field {i} is out of range")
        return (*values, bytes(body[at + self.size : at + n])) if self._has_tail else values


def encode(
    kind: int, msg_id: int, seq: int, session: int, payload: bytes, tagger: Callable[[bytes], bytes] | None = None
) -> bytes:
    """The wire bytes of one frame. `tagger`, if given, makes the tag out of header and payload."""
    if len(payload) > frame.PAYLOAD_MAX:
        raise ValueError(f"payload of {len(payload)} bytes, at most {frame.PAYLOAD_MAX}")
    if tagger:
        kind |= frame.TAGGED
    try:
        body = HEAD.pack(wire.MAJOR, kind, msg_id, seq, session, len(payload)) + payload
    except struct.error as error:
        raise ValueError(f"header of message 0x{msg_id:04x}, seq {seq}, session {session}: {error}") from None
    if tagger:
        body += tagger(body)
    body += zlib.crc32(body, SEED).to_bytes(4, "little")
    return b"\0" + b"".join([_CODES[len(part)] + part if part else _ZERO for part in body.split(b"\0")]) + b"\0"


def _other(kind: int, size: int) -> str:
    return "Q" if kind == codec.TIME else f"{size}s"


def _span(kind: int, size: int) -> tuple[int, int]:
    bits = 8 * size
    return (-1 << bits - 1, (1 << bits - 1) - 1) if kind == codec.INT else (0, (1 << bits) - 1)


def _reader(kind: int, size: int) -> Callable[[Any], Any] | None:
    if kind <= codec.INT and size == 3:
        return partial(int.from_bytes, byteorder="little", signed=kind == codec.INT)
    if kind == codec.TIME:
        return TIME_MASK.__and__
    if kind == codec.TEXT:
        return lambda raw: raw.rstrip(b"\0").decode("ascii", "replace")
    return None


def _writer(i: int, kind: int, size: int) -> Callable[[Any], Any] | None:
    if kind <= codec.INT and size == 3:
        return lambda value: value.to_bytes(3, "little", signed=kind == codec.INT)
    if kind == codec.TIME:
        return TIME_MASK.__and__

    def bounded(value: bytes | str) -> bytes:
        raw = value.encode("ascii", "replace") if isinstance(value, str) else value
        if len(raw) > size:
            raise ValueError(f"field {i}: {len(raw)} bytes, at most {size}")
        return raw

    return bounded if kind in (codec.BYTES, codec.TEXT) else None
