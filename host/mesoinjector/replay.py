"""A link that plays the device's side of a recording: no device, no waiting, the same results.

The host has to do what it did: every byte it sends is compared with what is recorded, and the first difference
is a `RecordingError`. Random bytes and the clock are the recording's.
"""

from __future__ import annotations

from collections import deque
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

from mesoinjector import errors, recording
from mesoinjector.decoding import Decoder, Message
from mesoinjector.links import VIRTUAL_DAY, VIRTUAL_DAY_US
from mesoinjector.recording import Broken, Clock, Closed, Item, Reopened, Token, Transfer


class ReplayLink:
    """The line of a recording. For one thread: what many did at once cannot be repeated."""

    virtual = True

    def __init__(self, path: Path) -> None:
        """Read the recording. Raises `RecordingError`."""
        recorded = recording.read(path)
        self.url: str = f"replay:{path}"
        self._path = path
        self._t = recorded.start_us
        self._todo: deque[Item] = deque(recorded.items)
        self._line = 1
        self._paced = not recorded.virtual
        self._today = VIRTUAL_DAY if recorded.virtual else recorded.start.date()
        began_us = round(recorded.start.timestamp() * 1e6) - recorded.start_us
        self._utc_us = VIRTUAL_DAY_US if recorded.virtual else began_us

    def now_us(self) -> int:
        """See `Link`."""
        if self._todo and isinstance(self._todo[0], Clock):
            self._take()
        return self._t

    def token(self, n: int) -> bytes:
        """See `Link`."""
        item = self._next()
        if not isinstance(item, Token) or len(item.data) != n:
            raise self._differs(f"draws {n} random bytes")
        self._take()
        return item.data

    def today(self) -> date:
        """See `Link`."""
        return self._today

    def utc_us(self) -> int:
        """See `Link`. As it was when the recording began, and by its clock from there on."""
        return self._utc_us + self._t

    def write(self, data: bytes) -> None:
        """See `Link`. Raises `RecordingError` at the first byte that is not the recording's."""
        item = self._next()
        if isinstance(item, Broken):
            self._break(item)
        if not isinstance(item, Transfer) or not item.to_device or item.data != data:
            raise self._differs(f"sends {_told(data)}")
        self._take()

    def read(self, deadline_us: int) -> bytes:
        """See `Link`. Raises `RecordingError` if the recorded host did something else at this time."""
        if self._todo and isinstance(self._todo[0], Clock):
            return b""  # the clock was asked again before anything came
        item = self._next()
        if item.t_us <= deadline_us or self._paced:
            if isinstance(item, Broken):
                self._break(item)
            if isinstance(item, Transfer) and not item.to_device:
                self._take()
                return item.data
            if item.t_us < deadline_us or self._paced:
                raise self._differs(f"waits until {deadline_us} us")
        self._t = max(self._t, deadline_us)
        return b""

    def control(self, name: str, value: int = 0) -> Any:
        """See `Link`. None: there is no world."""
        return None

    def reopen(self, deadline_us: int) -> None:
        """See `Link`."""
        if not isinstance(self._next(), Reopened):
            raise self._differs("opens the line anew")
        self._take()

    def close(self) -> None:
        """See `Link`."""

    def _next(self) -> Item:
        """What comes next on the line. Raises `RecordingError` at the recording's end."""
        while self._todo and isinstance(self._todo[0], Clock):
            self._take()
        if not self._todo:
            raise errors.RecordingError(
                f"{self._path}: the recording ends after line {self._line}; its host was cut off there. Next: record "
                "a session to its end."
            )
        return self._todo[0]

    def _take(self) -> None:
        item = self._todo.popleft()
        self._line = item.line
        self._t = max(self._t, item.t_us)

    def _break(self, item: Broken) -> NoReturn:
        self._take()
        raise errors.LinkLost(item.reason)

    def _differs(self, what: str) -> errors.RecordingError:
        item = self._todo[0]
        return errors.RecordingError(
            f"{self._path}, line {item.line}: this host {what}; recorded at {item.t_us} us: {_shown(item)}. Next: run "
            "what was recorded, with a journal as it was then."
        )


def _shown(item: Item) -> str:
    match item:
        case Transfer(to_device=True, data=data):
            return f"the host sent {_told(data)}"
        case Transfer(data=data):
            return f"the host waited for {_told(data)}"
        case Token(data=data):
            return f"the host drew {len(data)} random bytes"
        case Reopened():
            return "the host opened the line anew"
        case Closed():
            return "the host closed the line"
        case Broken() | Clock():  # a clock's value is passed over by whoever differs
            return "the line broke"


def _told(data: bytes) -> str:
    decoder = Decoder()
    entries = [*decoder.feed(data), *decoder.end()]
    what = ", ".join(
        f"{entry.name} {entry.kind} seq {entry.seq} {entry.fields}" if isinstance(entry, Message) else "no frame"
        for entry in entries
    )
    return f"{data.hex()} ({what})"
