"""Reads `schema.toml` for what is generated from it: groups put in, sizes and ranges computed."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import tomllib

SCHEMA = Path(__file__).parent / "schema.toml"

Table = dict[str, Any]

SIZES = {"u8": 1, "u16": 2, "u24": 3, "u32": 4, "i16": 2, "i32": 4, "time": 8, "tail": 0}
TOP = (1 << 30) - 1


def load() -> Table:
    """The schema as parsed, with groups put in and computed values added."""
    schema = tomllib.loads(SCHEMA.read_text())
    groups = {group["name"]: group["fields"] for group in schema["group"]}
    for message in schema["message"]:
        if "reply_group" in message:
            message["reply"] = groups[message["reply_group"]]
    for event in schema["event"]:
        if "group" in event:
            event["fields"] = groups[event["group"]]
    for profile in schema["profile"]:
        # pi/4 * bore^2 [um^2] * travel [um] is um^3 = 1e-3 pl; travel 0.3125 um a step, 0.5 um a count
        area_um2 = 3.14159265358979 / 4 * profile["bore_um"] ** 2
        profile["pl_per_step"] = round(area_um2 * 0.3125 / 1000)
        profile["pl_per_count"] = round(area_um2 * 0.5 / 1000)
    return schema


def schema_hash() -> bytes:
    """What HELLO bears: the first four bytes of SHA-256 of the schema file."""
    return hashlib.sha256(SCHEMA.read_bytes()).digest()[:4]


def field_size(kind: str) -> int:
    """Bytes of a field of this type."""
    match = re.fullmatch(r"(bytes|text)(\d+)", kind)
    return int(match[2]) if match else SIZES[kind]


def field_range(field: Table, schema: Table) -> tuple[int, int]:
    """Lowest and highest value of a field; (0, 0) where it has no range."""
    values = {limit["name"]: limit["value"] for limit in schema["limit"]}
    kind, size = field["type"], field_size(field["type"])
    if kind[0] == "u" and kind[1:].isdigit():
        low, high = 0, min((1 << 8 * size) - 1, TOP)
    elif kind[0] == "i":
        high = min((1 << 8 * size - 1) - 1, (1 << 29) - 1)
        low = -high - 1
    else:
        return 0, 0

    def bound(name: str, default: int) -> int:
        given = field.get(name, default)
        return values[given] if given in values else int(given)

    return bound("min", low), bound("max", high)


def field_kind(field: Table) -> int:
    """The codec's kind of a field."""
    kind: str = field["type"]
    for prefix, code in (("bytes", 2), ("text", 3), ("time", 4), ("tail", 5), ("i", 1), ("u", 0)):
        if kind.startswith(prefix):
            return code
    raise ValueError(f"unknown field type {kind!r}")


def vocabulary(schema: Table) -> dict[str, Table]:
    """What each payload field's name means in all messages: its `kind`, and `unit`, `enum` and `bits`.

    Raises ValueError if two messages give one name another kind, unit or enumeration.
    """
    head: list[Table] = [
        {"name": "status", "type": "u16", "enum": "status", "about": "0, or why the request is refused"},
        {"name": "state", "type": "u8", "enum": "state", "about": "the device's state"},
    ]
    payloads = [head, *(m[side] for m in schema["message"] for side in ("fields", "reply"))]
    words: dict[str, Table] = {}
    for field in (f for fields in [*payloads, *(e["fields"] for e in schema["event"])] for f in fields):
        word = words.setdefault(field["name"], {})
        bits = re.search(r"\bbits of `(\w+)`", field["about"])
        meaning = {"kind": field_kind(field), "unit": field.get("unit"), "enum": field.get("enum")}
        for key, value in {**meaning, "bits": bits and bits[1]}.items():
            if value is not None and word.setdefault(key, value) != value:
                raise ValueError(f"field {field['name']}: {key} {value} here, {word[key]} elsewhere; rename one")
    return words
