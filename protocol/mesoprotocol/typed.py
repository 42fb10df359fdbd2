"""Messages as typed tuples, for the host: what a frame is, and a request's bytes. `stream` decodes.

Values have Python's types: text is `str`, time one integer in microseconds, everything else as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mesoprotocol import codec, frame, messages, packing

REPLY_HEAD = ((0, 2, 0, 0xFFFF), (0, 1, 0, 0xFF))
"""Every reply's payload begins with status u16 and state u8."""

LAYOUTS = {cls: (msg_id, packing.Layout(fields)) for cls, (msg_id, fields) in messages.REQUESTS.items()}
"""Id and payload of each request."""


class Frame(NamedTuple):
    """One received frame: its header and its message, decoded."""

    kind: int
    msg_id: int
    seq: int
    session: int
    message: Any
    """A tuple type of `messages`, or a `Refusal`."""
    tag: bytes = b""
    """What stands behind a tagged request's payload."""


def write_request(request: Any, seq: int, session: int, tagger: Callable[[bytes], bytes] | None = None) -> bytes:
    """The wire bytes of a request tuple; see `packing.encode`. Raises ValueError if a field is out of range."""
    msg_id, layout = LAYOUTS[type(request)]
    return packing.encode(frame.REQUEST, msg_id, seq, session, layout.pack(request), tagger)


class Refusal(NamedTuple):
    """A reply without its message's fields: the device refused the request."""

    status: int
    state: int


def raw_values(fields: packing.Fields, values: Any) -> list[Any]:
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
