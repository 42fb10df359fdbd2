"""Messages as typed tuples, for the host: encode a request, decode a reply or event.

The bytes are `codec`'s and `frame`'s; this module only gives names and Python types to the values: text as
`str`, time as one integer in microseconds, everything else as it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mesoprotocol import codec, frame, messages, wire

REPLY_HEAD = ((0, 2, 0, 0xFFFF), (0, 1, 0, 0xFF))
"""Every reply's payload begins with status u16 and state u8."""

Fields = tuple[tuple[int, int, int, int], ...]


class Malformed(Exception):
    """A payload does not fit its message: other length, or a value out of range."""


class Frame(NamedTuple):
    """One received frame: its header and its message, decoded."""

    kind: int
    msg_id: int
    seq: int
    session: int
    message: Any
    """A tuple type of `messages`: a reply, or an event."""


def write_request(builder: frame.Builder, request: Any, seq: int, session: int) -> bytes:
    """The wire bytes of a request tuple, tagged if the builder has a tagger and the request is not an observer's.

    Raises ValueError if a field is out of range.
    """
    msg_id, fields = messages.REQUESTS[type(request)]
    tagged = builder.tagger is not None and messages.ROLES[msg_id] > wire.ROLE_OBSERVER
    end = codec.write(fields, raw_values(fields, request), builder.body, frame.HEADER)
    kind = frame.REQUEST | frame.TAGGED if tagged else frame.REQUEST
    n = builder.build(kind, msg_id, seq, session, end - frame.HEADER)
    return bytes(builder.wire[:n])


def read_frame(body: bytearray, length: int) -> Frame | None:
    """What came from the device, or None if its message is not known here. Raises `Malformed`."""
    kind = body[1]
    msg_id, seq, session = (body[i] | body[i + 1] << 8 for i in (2, 4, 6))
    at = frame.HEADER
    if kind == frame.REPLY:
        known = messages.REPLIES.get(msg_id)
    elif kind in (frame.EVENT, frame.STREAM):
        known = messages.EVENTS.get(msg_id)
    else:
        return None
    if known is None:
        return None
    cls, fields = known
    head: Fields = REPLY_HEAD if kind == frame.REPLY else ()
    if kind == frame.REPLY and length == frame.HEADER + codec.size(head):
        # a refusal bears status and state alone
        refusal = read_values(head, body, at, length)
        return Frame(kind, msg_id, seq, session, Refusal(*refusal))
    return Frame(kind, msg_id, seq, session, cls(*read_values(head + fields, body, at, length)))


def read_event(msg_id: int, payload: bytes) -> Any:
    """An event from its payload alone, as READ_EVENT gives it; None if it is not known here. Raises `Malformed`."""
    known = messages.EVENTS.get(msg_id)
    if known is None:
        return None
    cls, fields = known
    return cls(*read_values(fields, bytearray(payload), 0, len(payload)))


class Refusal(NamedTuple):
    """A reply without its message's fields: the device refused the request."""

    status: int
    state: int


def read_values(fields: Fields, body: bytearray, at: int, end: int) -> list[Any]:
    """The fields of a payload at body[at:end]. Raises `Malformed`."""
    need = codec.size(fields)
    has_tail = bool(fields) and fields[-1][0] == codec.TAIL
    if end - at < need or (end - at > need and not has_tail):
        raise Malformed(f"payload of {end - at} bytes, expected {need}")
    out: list[Any] = [[0, 0] if field[0] == codec.TIME else 0 for field in fields]
    wrong = codec.read(fields, body, at, out)
    if wrong >= 0:
        raise Malformed(f"field {wrong} is out of range")
    for i, (kind, size, _, _) in enumerate(fields):
        if kind == codec.TIME:
            out[i] = (out[i][0] << 30) + out[i][1]
        elif kind == codec.BYTES:
            out[i] = bytes(body[out[i] : out[i] + size])
        elif kind == codec.TEXT:
            out[i] = bytes(body[out[i] : out[i] + size]).rstrip(b"\0").decode("ascii", "replace")
        elif kind == codec.TAIL:
            out[i] = bytes(body[out[i] : end])
    return out


def raw_values(fields: Fields, values: Any) -> list[Any]:
    """Values as `codec.write` wants them."""
    raw: list[Any] = list(values)
    for i, (kind, _, _, _) in enumerate(fields):
        if kind == codec.TIME:
            raw[i] = [raw[i] >> 30, raw[i] & 0x3FFFFFFF]
        elif kind == codec.TEXT:
            raw[i] = raw[i].encode("ascii", "replace")
        elif kind == codec.TAIL:
            raw[i] = [raw[i], 0, len(raw[i])]
    return raw
