"""Frames as the exploration sees them: what they are called, and what they say apart from absolute time."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from mesoprotocol import codec, frame, messages, wire

REQUEST_NAMES = {msg_id: cls.__name__ for cls, (msg_id, _) in messages.REQUESTS.items()}
REPLY_NAMES = {msg_id: cls.__name__ for msg_id, (cls, _) in messages.REPLIES.items()}
EVENT_NAMES = {msg_id: cls.__name__ for msg_id, (cls, _) in messages.EVENTS.items()}

REPLY_HEAD = 3


def _place(fields: tuple, index: int, head: int = 0) -> tuple[int, int]:
    start = head + codec.size(fields[:index])
    return start, head + codec.size(fields[: index + 1])


TICKS = {
    (frame.REQUEST, wire.COMMIT): _place(wire.COMMIT_FIELDS, wire.COMMIT_NOT_AFTER),
    (frame.REQUEST, wire.HEARTBEAT): _place(wire.HEARTBEAT_FIELDS, wire.HEARTBEAT_ECHO_TICK),
    (frame.REPLY, wire.HELLO): _place(wire.HELLO_REPLY_FIELDS, wire.HELLO_REPLY_TIME, REPLY_HEAD),
    (frame.REPLY, wire.STATUS): _place(wire.STATUS_REPLY_FIELDS, wire.STATUS_REPLY_TIME, REPLY_HEAD),
    (frame.REPLY, wire.HEARTBEAT): _place(wire.HEARTBEAT_REPLY_FIELDS, wire.HEARTBEAT_REPLY_TICK, REPLY_HEAD),
}
"""Where a frame's payload names a device time."""


class Parsed(NamedTuple):
    """A frame without stuffing, tag and CRC."""

    kind: int
    msg_id: int
    seq: int
    session: int
    payload: bytes
    tagged: bool
    """What the tag is follows from the rest: the keys are one device's, and a session is greeted once."""


@cache
def parse(data: bytes) -> Parsed:
    """One whole frame (HELLO is preceded by two zeros)."""
    reader = frame.Reader((wire.MAJOR,))
    buf = bytearray(data)
    at = 0
    while at < len(buf):
        at = reader.feed(buf, at, len(buf))
        if reader.length:
            body = bytes(reader.body[: reader.length])
            msg_id, seq, session = (body[i] | body[i + 1] << 8 for i in (2, 4, 6))
            kind = body[1] & ~frame.TAGGED
            return Parsed(kind, msg_id, seq, session, body[frame.HEADER :], kind != body[1])
    raise ValueError("not a frame")


def timeless(data: bytes, now_us: int) -> tuple:
    """What a frame says, its device time as the time since: frames that differ only in when they are sent are one."""
    parsed = parse(data)
    place = TICKS.get((parsed.kind, parsed.msg_id))
    if place is None or len(parsed.payload) < place[1]:
        return parsed
    start, end = place
    age = now_us - int.from_bytes(parsed.payload[start:end], "little")
    return parsed._replace(payload=parsed.payload[:start] + parsed.payload[end:]), age


def is_hello(data: bytes) -> bool:
    """Whether a frame is a HELLO."""
    parsed = parse(data)
    return parsed.kind == frame.REQUEST and parsed.msg_id == wire.HELLO


def name(data: bytes) -> str:
    """A frame for a person."""
    kind, msg_id, seq, session, payload, _ = parse(data)
    if kind == frame.REQUEST:
        return f"{REQUEST_NAMES[msg_id]} (session {session}, seq {seq})"
    if kind == frame.REPLY:
        status = messages.STATUS_NAMES.get(payload[0] | payload[1] << 8, "?")
        state = messages_state(payload[2])
        if msg_id in (wire.QUERY, wire.LEDGER) and len(payload) > REPLY_HEAD:
            start, _ = _place(wire.OUTCOME_FIELDS, wire.OUTCOME_DOSE_STATE, REPLY_HEAD)
            state += f", the dose is {DOSE_STATES[payload[start]]}"
        return f"{REPLY_NAMES[msg_id]} (session {session}, seq {seq}): {status}, {state}"
    start, _ = _place(wire.OUTCOME_FIELDS, wire.OUTCOME_DOSE_STATE)
    state = DOSE_STATES[payload[start]] if msg_id == wire.EVENT_OUTCOME else ""
    return f"{EVENT_NAMES[msg_id]} {state}".strip()


def _names(prefix: str) -> dict[int, str]:
    return {value: key[len(prefix) :] for key, value in vars(wire).items() if key.startswith(prefix)}


DOSE_STATES = _names("DOSE_")
STATES = _names("STATE_")


def messages_state(state: int) -> str:
    """The device's state as it stands in every reply."""
    return STATES[state]
