"""What bytes on the line say: frames found in one direction's stream, each message by name with its fields.

Nothing is left out: bytes between frames, and frames that do not fit the schema, come out as `NoFrame`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from mesoprotocol import frame, messages, stream

KINDS = ("request", "reply", "event", "stream")


class Message(NamedTuple):
    """One frame with its message."""

    name: str
    """As in the schema."""
    kind: str
    """One of `KINDS`."""
    seq: int
    session: int
    fields: dict[str, Any]
    """By name: integers, text, and bytes as hex."""
    tag: str
    """A tagged request's tag, as hex."""
    data: bytes
    """The frame with both its delimiters."""

    @property
    def refused(self) -> int:
        """The status of a reply that says no; 0 of everything else."""
        return int(self.fields.get("status", 0)) if self.kind == "reply" else 0

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        facts: dict[str, Any] = self._asdict()
        del facts["data"]
        if not self.tag:
            del facts["tag"]
        if self.refused:
            facts["refused"] = messages.STATUS_NAMES.get(self.refused, str(self.refused))
        return facts


class NoFrame(NamedTuple):
    """Bytes that are no frame of this protocol, delimiters not counted."""

    data: bytes

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {"no_frame": self.data.hex()}


Entry = Message | NoFrame


class Decoder:
    """One direction's stream, in chunks as they come. Memory is bounded whatever comes in."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[Entry]:
        """What has ended within `data`."""
        *ended, self._pending = (self._pending + data).split(b"\0")
        for chunk in ended:
            if chunk:
                yield _entry(chunk)
        if len(self._pending) > frame.WIRE_MAX:
            yield from self.end()

    def end(self) -> Iterator[Entry]:
        """What is left when the line is closed, or too long for a frame."""
        pending, self._pending = self._pending, b""
        if pending:
            yield NoFrame(pending)


def _entry(chunk: bytes) -> Entry:
    """What lies between two delimiters."""
    found = stream.Decoder().feed(chunk + b"\0")
    if not found:
        return NoFrame(chunk)
    kind, msg_id, seq, session, message, tag = found[0]
    shown = {name: v.hex() if isinstance(v, bytes) else v for name, v in message._asdict().items()}
    return Message(messages.NAMES[msg_id], KINDS[kind], seq, session, shown, tag.hex(), b"\0" + chunk + b"\0")
