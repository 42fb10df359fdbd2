"""A serial cable in wall time: what a host opens, and what happens to the bytes on their way to a device.

A pty of its own whose other end is a thread that passes bytes on, in the way that `passing` says.
"""

from __future__ import annotations

import os
import select
import threading
import tty
from collections.abc import Callable
from pathlib import Path

Passing = Callable[[bytes, bool], list[bytes]]
"""Bytes and whether they go to the device: the pieces that are written instead."""


def whole(data: bytes, to_device: bool) -> list[bytes]:
    """As they come."""
    return [data]


class Cable:
    """`path` opens like a serial port. Without a device nobody is at the other end."""

    def __init__(self, folder: Path, device: str = "", passing: Passing = whole) -> None:
        self.path = str(folder / "ttyACM0")
        self._device = device
        self._passing = passing
        self._thread: threading.Thread | None = None
        self.plug()

    def plug(self, before: bytes = b"") -> None:
        """Plug it in: a new terminal, at the same path. `before` is what waits there for whoever opens it."""
        self._host, other = os.openpty()
        tty.setraw(other)
        self._other = other
        Path(self.path).unlink(missing_ok=True)
        Path(self.path).symlink_to(os.ttyname(other))
        self._end, self._ended = os.pipe()
        if before:
            os.write(self._host, before)
        self._thread = threading.Thread(target=self._pass)
        self._thread.start()

    def pull(self) -> None:
        """Pull it out, as a device that is unplugged; whoever holds the port gets an error. Idempotent."""
        if self._thread is not None:
            os.write(self._ended, b"x")
            self._thread.join()
            self._thread = None
            Path(self.path).unlink()
            for fd in (self._host, self._other, self._end, self._ended):
                os.close(fd)

    def say(self, data: bytes) -> None:
        """As if the device had sent it."""
        os.write(self._host, data)

    def _pass(self) -> None:
        device = os.open(self._device, os.O_RDWR | os.O_NOCTTY) if self._device else -1
        ends = {self._host: device, device: self._host} if self._device else {self._host: -1}
        while True:
            ready, _, _ = select.select([*ends, self._end], (), ())
            if self._end in ready:
                break
            for end in ready:
                for piece in self._passing(os.read(end, 4096), end == self._host):
                    if ends[end] >= 0:
                        os.write(ends[end], piece)
        if device >= 0:
            os.close(device)
