"""The device's log on the host: read, verified by a computation of its own, and kept, so that tampering shows."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mesoinjector import errors
from mesoprotocol import limits, messages, packing, wire

_OUTCOME = packing.Layout(wire.OUTCOME_FIELDS)


class DeviceLog(NamedTuple):
    """What a device remembers of itself, oldest first."""

    entries: tuple[messages.LogReply, ...]
    broken_n: int | None
    """The first entry that is missing, or whose chain is not that of its content; None if all are whole."""


def read(ask: Callable[[Any], Any]) -> DeviceLog:
    """All entries that the device keeps, verified; ENDED ones with the ledger's entries that their chain takes in."""
    newest = ask(messages.Log(1)).newest
    first = max(1, newest - limits.LOG_ENTRIES + 1)
    entries = [ask(messages.Log(n)) for n in range(first, newest + 1)]
    outcomes = {entry.b: ask(messages.Ledger(entry.b)) for entry in entries if entry.kind == wire.LOG_ENDED}
    return DeviceLog(tuple(entries), first_broken(entries, outcomes))


def first_broken(entries: Sequence[messages.LogReply], outcomes: dict[int, messages.OutcomeReply]) -> int | None:
    """Number of the first entry whose chain is wrong. That of entry 1 is over zeros; any other oldest is trusted."""
    chain = bytes(8)
    for i, entry in enumerate(entries):
        if entry.kind == wire.LOG_NONE:
            return entry.n
        if not any(entry.chain):
            # the newest few have none yet while something is armed
            return next((later.n for later in entries[i:] if any(later.chain)), None)
        data = chain + struct.pack("<I", entry.n)[:3] + struct.pack("<BHIHI", *entry[4:9])
        if entry.kind == wire.LOG_ENDED:
            data += _OUTCOME.pack(outcomes[entry.b][2:])
        if hashlib.sha256(data).digest()[:8] != entry.chain and (i or entry.n == 1):
            return entry.n
        chain = entry.chain
    return None


def keep(log: DeviceLog, uid: str, path: Path) -> int:
    """Append to a file what is new in it, one JSON object a line; how many entries.

    Raises `LogAltered` if the device tells an entry otherwise than the file, or has fewer; `PlanError` if the file is
    another device's, or does not read.
    """
    kept: dict[int, dict[str, Any]] = {}
    try:
        for line in path.read_text().splitlines() if path.exists() else ():
            row = json.loads(line)
            if row["uid"] != uid:
                raise errors.PlanError(f"{path} is the log of device {row['uid']}, not of {uid}. Next: name another.")
            kept[row["n"]] = row
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.PlanError(f"{path} does not read as a log ({error}). Next: name a new file.") from None
    rows: list[dict[str, Any]] = [{"uid": uid, **facts(entry)} for entry in log.entries if any(entry.chain)]
    newest = rows[-1]["n"] if rows else 0
    if max(kept, default=0) > newest:
        raise errors.LogAltered(f"{path} knows entry {max(kept)}, the device only {newest}: its memory was replaced.")
    for row in rows:
        if kept.get(row["n"], row) != row:
            raise errors.LogAltered(f"entry {row['n']} is not what {path} knows: the device's memory was altered.")
    new = [row for row in rows if row["n"] not in kept]
    try:
        with path.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in new)
    except OSError as error:
        raise errors.PlanError(f"{path} cannot be written ({error.strerror}). Next: name another file.") from None
    return len(new)


def facts(entry: messages.LogReply) -> dict[str, Any]:
    """One entry as plain data."""
    return {
        "n": entry.n,
        "boot": entry.boot,
        "at_ms": entry.at_ms,
        "what": messages.LOG_NAMES.get(entry.kind, str(entry.kind)).lower(),
        "said": said(entry),
        "chain": entry.chain.hex(),
    }


def said(entry: messages.LogReply) -> str:
    """An entry's figures, for a person."""
    a, b = entry.a, entry.b
    match entry.kind:
        case wire.LOG_BOOT:
            return f"{_name(messages.RESET_NAMES, a)}; {_latches(b)}"
        case wire.LOG_ARMED:
            return f"dose {b}, mode {a}"
        case wire.LOG_ENDED:
            return f"dose {b}: {_name(messages.REASON_NAMES, a)}"
        case wire.LOG_STOP:
            return f"STOP {a}; {_latches(b)}"
        case wire.LOG_LATCHED | wire.LOG_CLEARED:
            return f"{_latches(a)}; {_latches(b)}"
        case wire.LOG_SETTINGS:
            return f"generation {b}"
        case wire.LOG_REFUSED:
            return f"dose {b}: {_name(messages.STATUS_NAMES, a)}"
        case wire.LOG_TREATMENT:
            return f"treatment {a}"
        case wire.LOG_UPDATE:
            return f"version {_version(b)}: {_name(messages.STATUS_NAMES, a) if a else 'staged'}"
        case wire.LOG_OLDER:
            return f"version {_version(b)} accepted though older"
        case wire.LOG_RESTART:
            return "into the boot ROM" if a else "into the application"
        case _:
            return f"{a}, {b}"


def _name(names: dict[int, str], value: int) -> str:
    return names.get(value, str(value)).lower()


def _version(packed: int) -> str:
    return f"{packed >> 20}.{packed >> 10 & 1023}.{packed & 1023}" if packed else "unknown"


def _latches(bits: int) -> str:
    return ", ".join(name.lower() for bit, name in messages.LATCH_BITS.items() if bits & bit) or "no latch"
