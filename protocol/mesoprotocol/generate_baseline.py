"""What was once released may only be added to: the schema is compared with `tests/vectors/schema.json`.

That record holds every message, event, number and golden frame. A change that a host or device in the field
would not survive is one sentence which says why, and then nothing is generated. What is new is recorded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from mesoprotocol.generate_schema import Table, field_range
from mesoprotocol.generate_vectors import TESTS, recorded

BASELINE = TESTS / "vectors" / "schema.json"

NUMBERED = {
    **dict.fromkeys(
        (
            *("state", "dose_state", "role", "mode", "reason", "reset", "log", "cartridge", "update"),
            *("alarm", "priority", "zone", "profile"),
        ),
        "id",
    ),
    "status": "code",
    **dict.fromkeys(("latch", "capability", "check", "flag", "input"), "bit"),
}
"""Tables whose rows are numbers on the wire, and what the number is called."""
ATTRIBUTES = ("id", "class", "role", "states")
PAYLOADS = ("request", "reply", "payload")


def snapshot(schema: Table, frames: list[Table]) -> Table:
    """What of the schema and the golden frames must stay."""
    messages = {
        row["name"]: {
            **_attributes(row),
            "request": _fields(row["fields"], schema),
            "reply": _fields(row["reply"], schema),
        }
        for row in schema["message"]
    }
    events = {row["name"]: {**_attributes(row), "payload": _fields(row["fields"], schema)} for row in schema["event"]}
    return {
        "major": schema["protocol"]["major"],
        "message": messages,
        "event": events,
        "number": {
            table: {row["name"]: row[key] for row in schema[table]}
            for table, key in NUMBERED.items()
            if table in schema
        },
        "frame": {
            f"{row['name']} {row['kind']}": hashlib.sha256(bytes.fromhex(row["hex"])).hexdigest()[:16] for row in frames
        },
    }


def _attributes(row: Table) -> Table:
    return {key: row[key] for key in ATTRIBUTES if key in row}


def _fields(fields: list[Table], schema: Table) -> Table:
    return {
        field["name"]: {
            **{key: field[key] for key in ("type", "unit", "enum") if key in field},
            "range": list(field_range(field, schema)),
        }
        for field in fields
    }


def complaints(old: Table, new: Table) -> Iterator[str]:
    """One sentence for each change from one snapshot to another that is not an addition. A new major is free."""
    if new["major"] > old["major"]:
        return
    if new["major"] < old["major"]:
        yield f"major was {old['major']} and is now {new['major']}: versions only rise."
    for table in ("message", "event"):
        yield from _changed_ids(table, _ids(old[table]), _ids(new[table]))
        for name in old[table].keys() & new[table].keys():
            yield from _changed_message(name, old[table][name], new[table][name])
    for table, numbers in old["number"].items():
        yield from _changed_ids(table, numbers, new["number"].get(table, {}))
    for name, digest in old["frame"].items():
        if name not in new["frame"]:
            yield (
                f"golden frame {name} is gone from frames.json: recorded frames are the proof that old hosts and "
                "devices still understand each other; restore it."
            )
        elif new["frame"][name] != digest:
            yield f"golden frame {name} was edited in frames.json: recorded frames are append-only; restore it."


def _ids(rows: Table) -> dict[str, int]:
    return {name: row["id"] for name, row in rows.items()}


def _changed_ids(table: str, old: dict[str, int], new: dict[str, int]) -> Iterator[str]:
    """A name keeps its number, and a number its name."""
    for name, number in old.items():
        others = " and ".join(other for other in new if new[other] == number and other != name)
        if name in new and new[name] != number:
            yield (
                f"{table} {name} was {number} and is now {new[name]}: the other side goes on using {number}; "
                "give it its number back."
            )
        elif name in new and others:
            yield f"{table} {number} is {name}'s and is now used for {others}: give {others} a number of its own."
        elif name not in new and others:
            yield (
                f"{table} {number} was {name} and is now {others}: a number never gets another name or meaning; "
                f"restore {name} and give {others} a number of its own."
            )
        elif name not in new:
            yield f"{table} {name} ({number}) is gone: the other side may still use it; restore it."


def _changed_message(name: str, old: Table, new: Table) -> Iterator[str]:
    for key in ATTRIBUTES[1:]:
        before, after = old.get(key), new.get(key)
        if before != after and (key, after) != ("states", "any"):
            yield f"{name}: {key} was {before} and is now {after}: who keeps to the old one would fail; restore it."
    for payload in PAYLOADS:
        if payload in old:
            yield from _changed_fields(f"{name} {payload}", old[payload], new[payload], asked=payload == "request")


def _changed_fields(place: str, old: Table, new: Table, *, asked: bool) -> Iterator[str]:
    """Payloads have their exact length: fields neither come nor go nor move nor change."""
    elsewhere = "put what is new into a message of its own"
    for name in old.keys() - new.keys():
        yield f"{place}: field {name} is gone: the other side still sends or expects it; restore it, or {elsewhere}."
    for name in new.keys() - old.keys():
        yield f"{place}: field {name} was added: a payload of another length is refused by the other side; {elsewhere}."
    if old.keys() == new.keys() and list(old) != list(new):
        yield f"{place}: the order of fields was {', '.join(old)}: the other side reads them in it; restore it."
    for name in old.keys() & new.keys():
        for key in ("type", "unit", "enum"):
            before, after = old[name].get(key), new[name].get(key)
            if before != after:
                yield (
                    f"{place}: {key} of field {name} was {before} and is now {after}: the same bytes would mean "
                    f"something else; restore it, or {elsewhere}."
                )
        (low, high), (least, most) = old[name]["range"], new[name]["range"]
        if old[name].get("type") != new[name].get("type"):
            continue
        if asked and (least > low or most < high):
            yield (
                f"{place}: range of field {name} was {low}..{high} and is now {least}..{most}: what was accepted "
                "would be refused; a range may only become wider."
            )
        elif not asked and (least, most) != (low, high):
            yield (
                f"{place}: range of field {name} was {low}..{high} and is now {least}..{most}: one side would refuse "
                "what the other sends; restore it."
            )


def broken(schema: Table) -> list[str]:
    """Complaints about the schema and the golden frames, compared with what is recorded."""
    if not BASELINE.exists():
        return []
    return sorted(complaints(json.loads(BASELINE.read_text()), snapshot(schema, recorded())))


def baseline(schema: Table, *, write: bool) -> list[str]:
    """Record what is new if `write`, else complain that it is not recorded. Call it with nothing broken."""
    if not TESTS.is_dir():
        return []
    text = json.dumps(snapshot(schema, recorded()), indent=1) + "\n"
    if BASELINE.exists() and BASELINE.read_text() == text:
        return []
    if not write:
        return ["stale: tests/vectors/schema.json\nrun `python -m mesoprotocol.generate` and commit what it writes"]
    BASELINE.write_text(text)
    print("written: tests/vectors/schema.json")
    return []
