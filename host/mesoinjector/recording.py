"""The file of a recorded line: JSON lines, a header and then what the link was asked for, in order.

    {"format": "mesoinjector recording", "version": 1, "url": ..., "utc": ..., "t_us": 0, "virtual": true,
     "major": 1, "minor": 0, "schema_hash": "..."}
    {"t_us": 0, "token": "..."}                                      random bytes that the host drew
    {"t_us": 0, "direction": "tx", "hex": "...", "messages": [...]}  host to device
    {"t_us": 0, "direction": "rx", "hex": "...", "messages": [...]}  device to host
    {"clock_us": [...]}                                              what the clock said, unless time is virtual
    {"t_us": 0, "error": "..."}                                      the line broke
    {"t_us": 0, "reopened": true}                                    the host opened it anew
    {"t_us": 0, "closed": true}                                      the host closed it; without it, it was cut off

`t_us` is the link's clock; `utc` is the time of the header's `t_us`. A message stands in the line in which its
frame ended.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from mesoinjector import errors
from mesoprotocol import wire

FORMAT, VERSION = "mesoinjector recording", 1


class Token(NamedTuple):
    """Random bytes that the host drew."""

    line: int
    t_us: int
    data: bytes


class Transfer(NamedTuple):
    """Bytes that passed."""

    line: int
    t_us: int
    to_device: bool
    data: bytes


class Clock(NamedTuple):
    """What the clock said when it was asked."""

    line: int
    t_us: int


class Broken(NamedTuple):
    """The line broke."""

    line: int
    t_us: int
    reason: str


class Reopened(NamedTuple):
    """The host opened it anew."""

    line: int
    t_us: int


class Closed(NamedTuple):
    """The host closed the line."""

    line: int
    t_us: int


Item = Token | Transfer | Clock | Broken | Reopened | Closed


class Recording(NamedTuple):
    """A recording as it was read."""

    url: str
    start: datetime
    start_us: int
    virtual: bool
    items: list[Item]
    cut_off: int
    """Number of the last line if the host was cut off while writing it; else 0."""


def read(path: Path) -> Recording:
    """A recording. Raises `RecordingError`, with the line's number, if it is none, damaged, or of another major."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise errors.RecordingError(f"{path}: {error.strerror or error}. Next: name a recording.") from None
    except UnicodeDecodeError:
        raise _no_recording(path) from None
    lines = text.split("\n")
    header = _header(path, lines[0])
    # every line ends with a newline: what stands behind the last one was being written when the host ended
    cut_off = len(lines) if lines[-1] else 0
    items: list[Item] = []
    for number, line in enumerate(lines[1:-1], 2):
        try:
            items += _items(number, json.loads(line))
        except (ValueError, KeyError, TypeError):
            raise errors.RecordingError(
                f"{path}, line {number}: damaged: {line[:60]!r}. Next: remove the lines from there on; what stands "
                "before it can be read."
            ) from None
    return Recording(*header, items, cut_off)


def _header(path: Path, line: str) -> tuple[str, datetime, int, bool]:
    try:
        header = json.loads(line)
        ours = header["format"] == FORMAT
        version, major = (int(header[key]) for key in ("version", "major"))
        read = str(header["url"]), datetime.fromisoformat(header["utc"]), int(header["t_us"]), bool(header["virtual"])
    except (ValueError, KeyError, TypeError):
        raise _no_recording(path) from None
    if not ours:
        raise _no_recording(path)
    if version != VERSION:
        raise errors.RecordingError(
            f"{path}: a recording of format version {version}, this host reads {VERSION}. Next: pip install -U "
            "mesoinjector."
        )
    if major != wire.MAJOR:
        raise errors.RecordingError(
            f"{path}: a recording of protocol version {major}, this host reads {wire.MAJOR}. Next: decode it with "
            "the release that recorded it."
        )
    return read


def _items(number: int, row: dict[str, Any]) -> list[Item]:
    if "clock_us" in row:
        return [Clock(number, int(t_us)) for t_us in row["clock_us"]]
    t_us = int(row["t_us"])
    if "token" in row:
        return [Token(number, t_us, bytes.fromhex(row["token"]))]
    if "error" in row:
        return [Broken(number, t_us, str(row["error"]))]
    if "reopened" in row:
        return [Reopened(number, t_us)]
    if "closed" in row:
        return [Closed(number, t_us)]
    return [Transfer(number, t_us, {"tx": True, "rx": False}[row["direction"]], bytes.fromhex(row["hex"]))]


def _no_recording(path: Path) -> errors.RecordingError:
    return errors.RecordingError(
        f"{path} is not a recording. Next: make one with --record FILE, or Injector.open(..., record=FILE)."
    )
