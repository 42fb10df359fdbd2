"""Lines to a device, each with its own clock: serial port, TCP, the simulator in virtual time, or a recording.

`open_link` takes `/dev/ttyACM0` (or any port name), `usb:` (the only device there, see `finding`), `socket://host:port`,
`sim://` (firmware on CPython, in process), `sim://micropython` and `sim://wasm` (the whole device in a MicroPython
process, of 64 and of 32 bits). Each `sim://` is a new device with a seed of its own; `sim://?seed=7` is always the same
one, with `mounted=nothing` it has neither syringe nor cartridge, and with `line=pty` its bytes pass through a serial
port. `replay:FILE` plays the device's side of a recording, `uf2:FILE` boots an image on an emulated RP2040. The
simulator is imported only when one of its addresses is opened.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import select
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

import serial

from mesoinjector import errors
from mesoinjector.machine import Machine

WRITE_TIMEOUT_S = 1.0
READ_SLICE_S = 0.05
"""Longest wait inside one read call of a port: a STOP from another thread waits no longer."""
READ_SIZE = 4096
SHORTEST_PAUSE_US, LONGEST_PAUSE_US = 200_000, 5_000_000
VIRTUAL_DAY = date(2026, 1, 1)
"""The date in virtual time."""
VIRTUAL_DAY_US = (VIRTUAL_DAY - date(1970, 1, 1)).days * 86_400_000_000
"""It begins then, microseconds since 1970: the clock stands at 0."""
GONE = (OSError, ValueError, TypeError, AttributeError)
"""What pyserial raises once a port is gone: the last two when it is closed under a call."""


class Link(Protocol):
    """A line to a device. Every error is a `LinkError`."""

    url: str
    virtual: bool
    """Whether time is the simulator's; then nothing ever waits for a wall clock."""

    def now_us(self) -> int:
        """The link's clock, microseconds, never going back."""
        ...

    def token(self, n: int) -> bytes:
        """n random bytes, for nonces and dose ids; from the seed in virtual time."""
        ...

    def today(self) -> date:
        """The date in UTC; always the same one in virtual time, and throughout a recording."""
        ...

    def utc_us(self) -> int:
        """UTC by this computer's clock, microseconds since 1970; in virtual time by the link's."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def read(self, deadline_us: int) -> bytes:
        """Bytes received, or b"" once the clock has reached the deadline."""
        ...

    def control(self, name: str, value: Any = 0) -> Any:
        """Ask or change the simulated world; None on a real device."""

    def reopen(self, deadline_us: int) -> None:
        """Open the line anew, once the device is there: tries it after growing pauses, until the deadline."""

    def close(self) -> None:
        """Give the line up. Idempotent."""


def pauses() -> Iterator[int]:
    """Microseconds between two tries to reach a device that has gone: 0.2 s, doubled each time up to 5 s."""
    pause_us = SHORTEST_PAUSE_US
    while True:
        yield pause_us
        pause_us = min(2 * pause_us, LONGEST_PAUSE_US)


class SerialLink:
    """A serial port or a TCP stream, opened by pyserial, in wall time.

    Where the port has a file descriptor, bytes pass through it at once: pyserial sets the terminal anew with each
    new timeout, and waits once more after each write.
    """

    virtual = False

    def __init__(self, url: str) -> None:
        self.url = url
        self._writing = threading.Lock()
        self._open()

    def _open(self) -> None:
        url = self.url
        try:
            self._port = serial.serial_for_url(url, do_not_open=True)
            if not url.startswith("socket://"):
                self._port.exclusive = True
            self._port.baudrate = 115200
            self._port.write_timeout = WRITE_TIMEOUT_S
            self._port.open()
            self._port.reset_input_buffer()
            self._has_fd = os.name == "posix" and _has_fd(self._port)
        except (OSError, ValueError, TypeError) as error:
            # pyserial compares a missing port number and raises TypeError
            raise _cannot_open(url, error) from None

    def now_us(self) -> int:
        """See `Link`."""
        return time.monotonic_ns() // 1000

    def token(self, n: int) -> bytes:
        """See `Link`."""
        return secrets.token_bytes(n)

    def today(self) -> date:
        """See `Link`."""
        return datetime.now(UTC).date()

    def utc_us(self) -> int:
        """See `Link`."""
        return time.time_ns() // 1000

    def write(self, data: bytes) -> None:
        """See `Link`."""
        try:
            with self._writing:  # no frame within another thread's
                if self._has_fd:
                    with contextlib.suppress(BlockingIOError):
                        data = data[os.write(self._port.fileno(), data) :]
                if data:
                    self._port.write(data)
        except GONE as error:
            raise lost(self.url, error) from None

    def read(self, deadline_us: int) -> bytes:
        """See `Link`. Returns early, with b"", after READ_SLICE_S."""
        return self.take(min(max((deadline_us - self.now_us()) / 1e6, 0.0), READ_SLICE_S))

    def take(self, wait_s: float) -> bytes:
        """What has arrived, or b"" after `wait_s`."""
        try:
            return self._read_fd(wait_s) if self._has_fd else self._read_port(wait_s)
        except BlockingIOError:
            return b""
        except GONE as error:
            raise lost(self.url, error) from None

    def _read_fd(self, wait_s: float) -> bytes:
        fd = self._port.fileno()
        if not select.select((fd,), (), (), wait_s)[0]:
            return b""
        data = os.read(fd, READ_SIZE)
        if not data:
            raise OSError("closed at the other end")
        return data

    def _read_port(self, wait_s: float) -> bytes:
        self._port.timeout = wait_s
        first: bytes = self._port.read(1)
        if not first:
            return b""
        rest: bytes = self._port.read(self._port.in_waiting)
        return first + rest

    def control(self, name: str, value: Any = 0) -> Any:
        """See `Link`."""
        return None

    def reopen(self, deadline_us: int) -> None:
        """See `Link`. Raises the `LinkError` of the last try."""
        self.close()
        for pause_us in pauses():
            try:
                return self._open()
            except errors.LinkError:
                if self.now_us() + pause_us >= deadline_us:
                    raise
            time.sleep(pause_us / 1e6)

    def close(self) -> None:
        """See `Link`."""
        with self._writing, contextlib.suppress(OSError):  # the device may be gone; then there is nothing left to close
            self._port.close()


def is_simulated(link: Link) -> bool:
    """Whether the device is a simulated one, in this process or in its own; behind a port it looks like a real one."""
    return link.virtual or link.control("account") is not None


def open_link(url: str) -> Link:
    """The line to the device at `url`. Raises `LinkError` or `RecordingError` with what to do next."""
    if url.startswith("replay:"):
        from mesoinjector.replay import ReplayLink

        return ReplayLink(Path(url.removeprefix("replay:")))
    if url.startswith("uf2:"):
        from mesoinjector.simulated import emulated_link

        return emulated_link(url)
    if url.startswith("sim:"):
        from mesoinjector.simulated import simulated_link

        return simulated_link(url)
    if url.startswith("usb:"):
        from mesoinjector.finding import UsbLink

        return UsbLink(url)
    return SerialLink(url)


def _has_fd(port: serial.SerialBase) -> bool:
    try:
        port.fileno()
    except io.UnsupportedOperation:
        return False
    return True


def _cannot_open(url: str, error: Exception) -> errors.LinkError:
    number = getattr(error, "errno", None)
    text = str(error)
    if number == errno.EACCES or "Permission denied" in text:
        return errors.PermissionDenied(
            f"{url} may not be opened by this user. Next: add yourself to the port's group (often dialout), then log "
            "in again."
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text or "busy" in text:
        holders = Machine().holders(url)
        who = f": {', '.join(map(str, holders))}" if holders else ""
        return errors.PortBusy(f"{url} is held by another program{who}. Next: close it, then try again.")
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ECONNREFUSED) or "could not open" in text.lower():
        return errors.DeviceNotFound(
            f"{url}: there is nothing there ({text}). Next: plug the device in and check the port's name."
        )
    return errors.DeviceNotFound(f"{url} cannot be opened: {text}. Next: check the port's name.")


def lost(url: str, error: Exception) -> errors.LinkLost:
    """A line that broke under way."""
    return errors.LinkLost(
        f"the line to {url} broke ({error}). Next: look at the handpiece, plug the device in, open it again: "
        "doses that were under way are asked for by their ids."
    )
