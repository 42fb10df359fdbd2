"""Faults of single frames as plain data, and the names of the messages that they hit."""

from __future__ import annotations

from typing import NamedTuple

from mesoprotocol import frame, messages, stream

KINDS = ("drop", "duplicate", "delay", "reorder", "corrupt", "truncate", "splice", "reset", "crash")
DOWN, UP = "down", "up"
"""To the device, to the host."""

NAMES = {
    **{(frame.REQUEST, msg_id): cls.__name__ for cls, (msg_id, _) in messages.REQUESTS.items()},
    **{(frame.REPLY, msg_id): f"{cls.__name__} reply" for cls, (msg_id, _) in messages.REQUESTS.items()},
    **{(frame.EVENT, msg_id): cls.__name__ for msg_id, (cls, _) in messages.EVENTS.items()},
}
MESSAGES = tuple(NAMES.values())


class Fault(NamedTuple):
    """What happens to the k-th frame (from 1) of a message that passes after the fault was armed.

    at: duplicate: the copies come so many ms later, two if it is odd; delay: ms; corrupt: which bits; truncate and
    splice: behind which byte; reset: 0 before the frame, which is lost, 1 before it, 2 after it; crash: the host
    is gone 0 before the frame has passed, 1 after. `at` is taken modulo what there is.
    """

    message: str
    k: int
    kind: str
    at: int


def name(data: bytes) -> str:
    """The message that a frame bears, whose closing 00 ends `data`; "" if it is no frame of ours."""
    for found in stream.Decoder().feed(data):
        return NAMES.get((frame.EVENT if found.kind == frame.STREAM else found.kind, found.msg_id), "")
    return ""


def flipped(data: bytes, at: int) -> bytes:
    """One bit of `data` flipped, or two if `at` is odd."""
    out = bytearray(data)
    for bit in (at, at * 7 + 3) if at % 2 else (at,):
        out[bit // 8 % len(out)] ^= 1 << bit % 8
    return bytes(out)


class Splitter:
    """Cuts a stream into pieces that each end with a frame's closing 00; nothing is lost or added."""

    def __init__(self) -> None:
        self._rest = b""

    def split(self, data: bytes) -> list[bytes]:
        """The pieces that are complete with `data`."""
        found = []
        self._rest += data
        start = 0
        for at, byte in enumerate(self._rest):
            if byte == 0 and self._rest[start:at].strip(b"\0"):
                found.append(self._rest[start : at + 1])
                start = at + 1
        self._rest = self._rest[start:]
        return found
