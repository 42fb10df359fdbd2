"""A recording as a person, or a program, reads it: one line a message, and what is missing between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from mesoinjector import recording
from mesoinjector.decoding import Decoder, Entry, Message, NoFrame
from mesoinjector.recording import Broken, Closed, Transfer
from mesoprotocol import messages


class Row(NamedTuple):
    """One frame, or bytes that are none, or a remark."""

    t_us: int
    to_device: bool
    entry: Entry | str
    lost: int = 0
    """Events that are missing before this one."""


class Listing(NamedTuple):
    """What passed on a line."""

    start: datetime
    start_us: int
    """The link's clock at `start`."""
    rows: list[Row]
    cut_off: int
    """Number of the recording's last line if it is cut off; else 0."""


def read(path: Path) -> Listing:
    """What a recording holds, decoded from its bytes. Raises `RecordingError`."""
    recorded = recording.read(path)
    return Listing(recorded.start, recorded.start_us, list(_rows(recorded.items)), recorded.cut_off)


def _rows(items: list[recording.Item]) -> Iterator[Row]:
    decoders = {True: Decoder(), False: Decoder()}
    events = 0
    t_us = 0
    for item in items:
        t_us = item.t_us
        if isinstance(item, Broken):
            yield Row(t_us, False, item.reason)
        elif isinstance(item, Closed):
            yield Row(t_us, True, "closed by the host")
        elif isinstance(item, Transfer):
            for entry in decoders[item.to_device].feed(item.data):
                lost, events = _gap(entry, events)
                yield Row(t_us, item.to_device, entry, lost)
    for to_device, decoder in decoders.items():
        yield from (Row(t_us, to_device, entry) for entry in decoder.end())


def _gap(entry: Entry, events: int) -> tuple[int, int]:
    """Events that are missing before this entry, and the last event's number now; 0: none was seen."""
    if not isinstance(entry, Message) or entry.kind not in ("event", "stream"):
        return 0, events
    # a stream frame bears the number of the event before it
    due = events + (entry.kind == "event")
    return (entry.seq - due) & 0xFFFF if events else 0, entry.seq


def as_json(listing: Listing) -> Iterator[str]:
    """One JSON object a line."""
    for row in listing.rows:
        facts: dict[str, Any] = {"t_us": row.t_us, "direction": "tx" if row.to_device else "rx"}
        if isinstance(row.entry, str):
            facts = {"t_us": row.t_us, "remark": row.entry}
        else:
            facts |= row.entry.facts()
        if row.lost:
            facts["events_lost_before"] = row.lost
        yield json.dumps(facts)


def as_text(listing: Listing) -> Iterator[str]:
    """Lines of seconds since the start, direction, message, fields; a gap has a line of its own."""
    for row in listing.rows:
        when = f"{(row.t_us - listing.start_us) / 1e6:12.6f}"
        if row.lost:
            yield f"{when} -- {row.lost} event{'s' * (row.lost > 1)} lost before this one"
        if isinstance(row.entry, str):
            yield f"{when} -- {row.entry}"
        else:
            yield f"{when} {'->' if row.to_device else '<-'} {_told(row.entry)}"


def _told(entry: Entry) -> str:
    if isinstance(entry, NoFrame):
        return f"no frame: {entry.data.hex()} {entry.data.decode('ascii', 'replace')!r}"
    head = f"{entry.name} {entry.kind} seq={entry.seq} session={entry.session}"
    if entry.refused:
        _, cause, then = messages.STATUS_CAUSES.get(entry.refused, ("", "unknown status", "update the host"))
        head += f" refused, {messages.STATUS_NAMES.get(entry.refused, entry.refused)}: {cause} (next: {then})"
    return " ".join([head, *(f"{name}={_value(name, value)}" for name, value in entry.fields.items())])


def _value(name: str, value: Any) -> str:
    """With the names of enumerations and bits, and the unit unless the field's name ends with it."""
    if name in messages.ENUMS:
        return str(messages.ENUMS[name].get(value, value))
    if name in messages.BITS:
        names = [text for bit, text in messages.BITS[name].items() if value & bit]
        return "|".join(names) or "0"
    unit = messages.UNITS.get(name, "")
    if not unit or name.endswith("_" + unit.lower()):
        return str(value)
    return f"{value} {unit}"
