"""The chain over a journal's rows: each row bears the SHA-256 of the row before it and of its own content.

Content is the JSON array `[id, utc, clock_back_ms, kind, device, dose_id, data]` in ASCII, without spaces; before
the first row stand 32 zero bytes. There is no secret in it: who writes a whole new file can write a new chain, and
only an earlier head that was kept elsewhere shows that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

START = bytes(32)
"""What stands before the first row."""


class Row(NamedTuple):
    """One row as it is on disk."""

    id: int
    utc: str
    """The host's clock, ISO 8601 in UTC. Order is by `id`: the clock may be set."""
    clock_back_ms: int
    """How far the clock stood before the time of the row before; 0 if it went on."""
    kind: str
    device: str
    dose_id: str | None
    data: str
    """JSON."""
    chain: bytes


class Broken(NamedTuple):
    """The first place where a chain does not hold."""

    id: int
    said: str


def link(before: bytes, row: Row) -> bytes:
    """The chain value of a row behind one with the value `before`."""
    return hashlib.sha256(before + json.dumps(row[:-1], separators=(",", ":")).encode()).digest()


def first_broken(rows: Iterable[Row], newest_id: int, first_id: int = 1) -> Broken | None:
    """The first row that is missing or not what was written. One that has `first_id` above 1 is trusted itself."""
    last_id, chain, utc = first_id - 1, START, ""
    for row in rows:
        if row.id != last_id + 1:
            return Broken(last_id + 1, f"row {last_id + 1}{_after(utc)} is missing")
        if (row.id > first_id or first_id == 1) and link(chain, row) != row.chain:
            return Broken(row.id, f"row {row.id} of {row.utc} ({row.kind}), or the one before it, was altered")
        last_id, chain, utc = row.id, row.chain, row.utc
    if last_id < newest_id:
        return Broken(last_id + 1, f"row {last_id + 1}{_after(utc)} is missing, the newest was {newest_id}")
    return None


def _after(utc: str) -> str:
    return f" (after {utc})" if utc else ""
