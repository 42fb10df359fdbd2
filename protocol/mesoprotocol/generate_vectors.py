"""Golden frames: one of each kind of each message, recorded in `tests/vectors/frames.json`.

They are append-only: a recorded frame whose bytes would change is another major version of the protocol.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mesoprotocol.generate_schema import Table, field_kind, field_range, field_size

TESTS = Path(__file__).parent.parent.parent / "tests"
VECTORS = TESTS / "vectors" / "frames.json"


def golden(schema: Table) -> list[Table]:
    """One frame of each kind of each message, with values that follow from its fields alone."""
    frames = []
    for message in schema["message"]:
        seq, session = (0, 0) if message["name"] == "STOP" else (7, 0x1234)
        frames.append(_frame(message["name"], "request", seq, session, _example(message["fields"], schema)))
        values = [0, 1, *_example(message["reply"], schema)]
        frames.append(_frame(message["name"], "reply", seq, session, values))
    for event in schema["event"]:
        kind = "stream" if event["class"] == "stream" else "event"
        frames.append(_frame(event["name"], kind, 3, 0x1234, _example(event["fields"], schema)))
    return frames


def _frame(name: str, kind: str, seq: int, session: int, values: list[Any]) -> Table:
    """One recorded example: a message's values and the bytes they make. Values may come as they are recorded."""
    # imported here, because these modules import what this one writes
    from mesoprotocol import codec, frame, messages, typed, wire

    number = {"request": frame.REQUEST, "reply": frame.REPLY, "event": frame.EVENT, "stream": frame.STREAM}[kind]
    msg_id = getattr(wire, name if number <= frame.REPLY else "EVENT_" + name)
    if number == frame.REQUEST:
        fields = wire.REQUESTS[msg_id][0]
    elif number == frame.REPLY:
        fields = typed.REPLY_HEAD + messages.REPLIES[msg_id][1]
    else:
        fields = messages.EVENTS[msg_id][1]
    for i, field in enumerate(fields):
        if field[0] in (codec.BYTES, codec.TAIL) and isinstance(values[i], str):
            values[i] = bytes.fromhex(values[i])
    builder = frame.Builder(wire.MAJOR)
    end = codec.write(fields, typed.raw_values(fields, values), builder.body, frame.HEADER)
    n = builder.build(number, msg_id, seq, session, end - frame.HEADER)
    shown = [value.hex() if isinstance(value, bytes) else value for value in values]
    row = {"name": name, "kind": kind, "id": msg_id, "seq": seq, "session": session, "values": shown}
    return {**row, "hex": bytes(builder.wire[:n]).hex()}


def _example(fields: list[Table], schema: Table) -> list[Any]:
    values: list[Any] = []
    for i, field in enumerate(fields):
        kind, size = field_kind(field), field_size(field["type"])
        low, high = field_range(field, schema)
        if kind <= 1:
            values.append(low + (high - low) * (i + 1) // (len(fields) + 1))
        elif kind == 3:
            values.append(field["name"][:size])
        elif kind == 4:
            values.append((1 << 34) + 12345)
        elif field["name"] in ("records", "payload"):
            values.append(bytes.fromhex("6b040100dc05016a040100de0501"))
        else:
            values.append(bytes((17 * i + k) & 255 for k in range(size)))
    return values


def recorded() -> list[Table]:
    """The golden frames as they are recorded."""
    rows: list[Table] = json.loads(VECTORS.read_text()) if VECTORS.exists() else []
    return rows


def vectors(schema: Table, *, write: bool) -> list[str]:
    """Make the recorded frames anew from their values; append frames of new messages if `write`. Returns complaints."""
    if not TESTS.is_dir():
        return []
    rows = recorded()
    complaints = []
    for old in rows:
        row = _frame(old["name"], old["kind"], old["seq"], old["session"], list(old["values"]))
        if old != row:
            complaints.append(
                f"golden frame changed: {row['name']} {row['kind']}\n"
                f"  recorded {old['hex']}\n  now      {row['hex']}\n"
                "  Recorded frames are append-only: a changed frame is another major version of the protocol."
            )
    known = {(row["name"], row["kind"]) for row in rows}
    fresh = [row for row in golden(schema) if (row["name"], row["kind"]) not in known]
    if fresh and write:
        VECTORS.parent.mkdir(parents=True, exist_ok=True)
        VECTORS.write_text(json.dumps(rows + fresh, indent=1) + "\n")
        print(f"appended {len(fresh)} golden frames")
    elif fresh:
        complaints += [f"no golden frame recorded: {row['name']} {row['kind']}" for row in fresh]
    return complaints
