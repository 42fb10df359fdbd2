"""A link that writes down what passes, for `mesoinjector decode` and for a replay.

The line comes first: bytes are written and read before they are recorded, and a record that cannot be written
any more (disk full) ends; nothing else does, and closing warns of it. Each line is flushed, so that a killed
host leaves a readable file.
"""

from __future__ import annotations

import contextlib
import json
import threading
import warnings
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from mesoinjector import errors
from mesoinjector.decoding import Decoder
from mesoinjector.links import Link
from mesoinjector.recording import FORMAT, VERSION
from mesoprotocol import wire

CLOCK_KEPT = 1000
"""Readings of the clock that wait for the next line."""


class RecordingLink:
    """Any link, recorded; see `recording` for the file. Safe to use from many threads."""

    def __init__(self, link: Link, path: Path) -> None:
        """Begin a new file at `path`. Raises `RecordingError` if there is one already, or none can be made."""
        self.url: str = link.url
        self.virtual: bool = link.virtual
        self._link = link
        self._lock = threading.Lock()
        self._decoders = {"tx": Decoder(), "rx": Decoder()}
        self._clock: list[int] = []
        self._path = path
        self._failure = ""
        now = datetime.now(UTC)
        self._today = link.today() if link.virtual else now.date()
        header = {
            **{"format": FORMAT, "version": VERSION, "url": link.url, "utc": now.isoformat()},
            **{"t_us": link.now_us(), "virtual": link.virtual, "major": wire.MAJOR, "minor": wire.MINOR},
            "schema_hash": wire.SCHEMA_HASH.hex(),
        }
        try:
            self._file = path.open("x", encoding="utf-8")
        except OSError as error:
            raise errors.RecordingError(
                f"{path}: a recording cannot be begun there ({error.strerror}). Next: name a new file in a folder "
                "that exists."
            ) from None
        self._put(header)

    def now_us(self) -> int:
        """See `Link`."""
        now = self._link.now_us()
        if not self.virtual:
            with self._lock:
                self._clock.append(now)
                if len(self._clock) >= CLOCK_KEPT:
                    self._put_clock()
        return now

    def token(self, n: int) -> bytes:
        """See `Link`."""
        data = self._link.token(n)
        self._note({"token": data.hex()})
        return data

    def today(self) -> date:
        """See `Link`."""
        return self._today

    def utc_us(self) -> int:
        """See `Link`. Not recorded."""
        return self._link.utc_us()

    def write(self, data: bytes) -> None:
        """See `Link`."""
        try:
            self._link.write(data)
        except errors.LinkError as error:
            self._note({"error": str(error)})
            raise
        self._note({"direction": "tx", "hex": data.hex()}, data)

    def read(self, deadline_us: int) -> bytes:
        """See `Link`."""
        try:
            data = self._link.read(deadline_us)
        except errors.LinkError as error:
            self._note({"error": str(error)})
            raise
        if data:
            self._note({"direction": "rx", "hex": data.hex()}, data)
        return data

    def control(self, name: str, value: int = 0) -> Any:
        """See `Link`. Not recorded: it does not pass the line."""
        return self._link.control(name, value)

    def reopen(self, deadline_us: int) -> None:
        """See `Link`."""
        self._link.reopen(deadline_us)
        self._note({"reopened": True})

    def close(self) -> None:
        """See `Link`. Warns if the record has ended before."""
        if self._file.closed:
            return
        t_us = self._link.now_us()
        self._link.close()
        left = [{"direction": way, **entry.facts()} for way, each in self._decoders.items() for entry in each.end()]
        with self._lock:
            self._put_clock()
            self._put({"t_us": t_us, "closed": True, **({"left": left} if left else {})})
            with contextlib.suppress(OSError):
                self._file.close()
        if self._failure:
            warnings.warn(
                f"{self._path}: the recording has ended early ({self._failure}); doses and journal are not touched "
                "by that. Next: check the free space.",
                stacklevel=2,
            )

    def _note(self, row: dict[str, Any], data: bytes = b"") -> None:
        with self._lock:
            self._put_clock()
            if data:
                row["messages"] = [entry.facts() for entry in self._decoders[row["direction"]].feed(data)]
            self._put({"t_us": self._link.now_us(), **row})

    def _put_clock(self) -> None:
        clock, self._clock = self._clock, []
        if clock:
            self._put({"clock_us": clock})

    def _put(self, row: dict[str, Any]) -> None:
        if self._failure or self._file.closed:
            return
        try:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()
        except OSError as error:
            self._failure = str(error)
