"""Lines to a device, each with its own clock: serial port, TCP, the simulator in virtual time, or a recording.

`open_link` takes `/dev/ttyACM0` (or any port name), `socket://host:port`, `sim://` (firmware on CPython, in
process), `sim://micropython` and `sim://wasm` (the whole device in a MicroPython process, of 64 and of 32 bits). Each
`sim://` is a new device with a seed of its own; `sim://?seed=7` is always the same one, with `mounted=nothing` it has
neither syringe nor cartridge, and with `line=pty` its bytes pass through a serial port. `replay:FILE` plays the
device's side of a recording, `uf2:FILE` boots an image on an emulated RP2040. The simulator is imported only when one
of its addresses is opened.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import select
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

import serial

from mesoinjector import errors
from mesoinjector.waiting import waiting

if TYPE_CHECKING:
    from mesosim.emulator import Emulator
    from mesosim.runtime import Device, Paced, Terminal

WRITE_TIMEOUT_S = 1.0
READ_SLICE_S = 0.05
"""Longest wait inside one read call of a port: a STOP from another thread waits no longer."""
READ_SIZE = 4096
VIRTUAL_DAY = date(2026, 1, 1)
"""The date in virtual time."""
GONE = (OSError, ValueError, TypeError, AttributeError)
"""What pyserial raises once a port is gone: the last two when it is closed under a call."""


class Link(Protocol):
    """A line to a device. Every error is a `LinkError`."""

    url: str
    virtual: bool
    """Whether time is the simulator's; then nothing ever waits for a wall clock."""

    def now_us(self) -> int:
        """The link's clock, microseconds, never going back."""

    def token(self, n: int) -> bytes:
        """n random bytes, for nonces and dose ids; from the seed in virtual time."""

    def today(self) -> date:
        """The date in UTC; always the same one in virtual time, and throughout a recording."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def read(self, deadline_us: int) -> bytes:
        """Bytes received, or b"" once the clock has reached the deadline."""

    def control(self, name: str, value: Any = 0) -> Any:
        """Ask or change the simulated world; None on a real device."""

    def close(self) -> None:
        """Give the line up. Idempotent."""


class SerialLink:
    """A serial port or a TCP stream, opened by pyserial, in wall time.

    Where the port has a file descriptor, bytes pass through it at once: pyserial sets the terminal anew with each
    new timeout, and waits once more after each write.
    """

    virtual = False

    def __init__(self, url: str) -> None:
        self.url = url
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

    def write(self, data: bytes) -> None:
        """See `Link`."""
        try:
            if self._has_fd:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self._port.fileno(), data) :]
            if data:
                self._port.write(data)
        except GONE as error:
            raise _lost(self.url, error) from None

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
            raise _lost(self.url, error) from None

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

    def close(self) -> None:
        """See `Link`."""
        with contextlib.suppress(OSError):  # the device may be gone; then there is nothing left to close
            self._port.close()


class SimulatedLink:
    """A simulated device in virtual time: waiting is a call that advances it."""

    virtual = True

    def __init__(self, url: str, device: Device, seed: int) -> None:
        import random

        self.url = url
        self.device: Device = waiting.hold(device)
        self._random = random.Random(seed)
        self._t: int
        self._t, _ = self.device.run(0, b"")
        self._out = b""
        self._cut = False

    def now_us(self) -> int:
        """See `Link`."""
        return self._t

    def token(self, n: int) -> bytes:
        """See `Link`."""
        return self._random.randbytes(n)

    def today(self) -> date:
        """See `Link`."""
        return VIRTUAL_DAY

    def write(self, data: bytes) -> None:
        """See `Link`."""
        if self._cut:
            raise _lost(self.url, OSError("the cable was pulled"))
        self._out += data

    def read(self, deadline_us: int) -> bytes:
        """See `Link`."""
        if self._cut:
            raise _lost(self.url, OSError("the cable was pulled"))
        out, self._out = self._out, b""
        try:
            self._t, data = self.device.run(max(deadline_us, self._t), out)
        except RuntimeError as error:  # mesosim's DeviceDied
            raise _lost(self.url, error) from None
        return data

    def control(self, name: str, value: Any = 0) -> Any:
        """See `Link`."""
        return self.device.control(name, value)

    def cut(self) -> None:
        """Pull the cable: nothing passes any more, in either direction; what was not sent is gone."""
        self._cut = True
        self._out = b""

    def close(self) -> None:
        """See `Link`."""
        self.device.close()


class Wired:
    """A simulated device in virtual time whose bytes pass through a serial port; time is said beside it."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._port = SerialLink(terminal.path)
        self._sent = self._received = self._coming = 0

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """See `mesosim.runtime.Device`."""
        if rx:
            self._port.write(rx)
            self._sent += len(rx)
        t, self._coming = self._terminal.run(until_us, self._sent)
        tx = b""
        while self._received < self._coming:  # on their way through the terminal: no time passes
            piece = self._port.take(READ_SLICE_S)
            self._received += len(piece)
            tx += piece
        return t, tx

    def control(self, name: str, value: int = 0) -> Any:
        """See `mesosim.runtime.Device`."""
        return self._terminal.control(name, value)

    def close(self) -> None:
        """See `mesosim.runtime.Device`."""
        self._port.close()
        self._terminal.close()


class PacedLink(SerialLink):
    """A simulated device in wall time behind a pty of its own; its world can be asked beside the line."""

    def __init__(self, device: Paced) -> None:
        super().__init__(device.path)
        self.device = device

    def control(self, name: str, value: Any = 0) -> Any:
        """See `Link`."""
        return self.device.control(name, value)

    def close(self) -> None:
        """See `Link`."""
        super().close()
        self.device.close()


class EmulatedLink(SerialLink):
    """An emulated RP2040 that runs an image of the user's, in wall time."""

    def __init__(self, url: str, emulator: Emulator) -> None:
        super().__init__(emulator.url)
        self.url = url
        self._emulator = emulator

    def close(self) -> None:
        """See `Link`."""
        super().close()
        self._emulator.close()


def _emulated_link(url: str) -> EmulatedLink:
    try:
        from mesosim.emulator import Emulator, NoEmulator
    except ImportError:
        raise _no_simulator(url) from None
    try:
        emulator = Emulator(Path(url.removeprefix("uf2:")))
    except NoEmulator as error:
        raise errors.DeviceNotFound(f"{url}: {error}.") from None
    try:
        return EmulatedLink(url, emulator)
    except BaseException:
        emulator.close()
        raise


def _no_simulator(url: str) -> errors.DeviceNotFound:
    return errors.DeviceNotFound(f"{url}: the simulator is not installed. Next: pip install 'mesoinjector[sim]'.")


def paced_link(runtime: str, seed: int) -> PacedLink:
    """A simulated device of its own, in wall time behind a pty."""
    from mesosim.micropython import NoMicroPython
    from mesosim.runtime import Paced

    try:
        device = Paced(seed, runtime)
    except NoMicroPython as error:
        raise errors.DeviceNotFound(str(error)) from None
    try:
        return PacedLink(device)
    except BaseException:
        device.close()
        raise


def open_link(url: str) -> Link:
    """The line to the device at `url`. Raises `LinkError` or `RecordingError` with what to do next."""
    if url.startswith("replay:"):
        from mesoinjector.replay import ReplayLink

        return ReplayLink(Path(url.removeprefix("replay:")))
    if url.startswith("uf2:"):
        return _emulated_link(url)
    if not url.startswith("sim:"):
        return SerialLink(url)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise errors.DeviceNotFound(f"{url}: {error}. Next: sim://, sim://micropython or sim://?seed=7.") from None
    runtime = parts.netloc or "cpython"
    query = parse_qs(parts.query)
    try:
        seed = int(query.pop("seed", [str(secrets.randbelow(1 << 30))])[0])
        trace = query.pop("trace", [""])[0]
        line = query.pop("line", ["direct"])[0]
        mounted = query.pop("mounted", ["all"])[0]
    except ValueError:
        raise errors.DeviceNotFound(f"{url}: seed must be a whole number, as in sim://?seed=7.") from None
    if query:
        raise errors.DeviceNotFound(f"{url}: unknown setting {', '.join(query)}. Known: seed, trace, line, mounted.")
    if line not in ("direct", "pty"):
        raise errors.DeviceNotFound(f"{url}: line={line}: must be direct or pty.")
    if mounted not in ("all", "nothing"):
        raise errors.DeviceNotFound(f"{url}: mounted={mounted}: must be all or nothing.")
    try:
        from mesosim import micropython
        from mesosim import runtime as simulator
    except ImportError:
        raise _no_simulator(url) from None
    try:
        device: Device
        if line == "pty":
            device = Wired(simulator.Terminal(seed, runtime, trace))
        else:
            device = simulator.start(runtime, seed, trace)
        try:
            for name in ("syringe", "cartridge") if mounted == "nothing" else ():
                device.control(name, 0)
            return SimulatedLink(url, device, seed)
        except BaseException:
            device.close()
            raise
    except micropython.NoMicroPython as error:
        raise errors.DeviceNotFound(f"{url}: {error}") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise errors.DeviceNotFound(f"{url}: {error}.") from None


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
        return errors.PortBusy(f"{url} is held by another program. Next: close it, then try again.")
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ECONNREFUSED) or "could not open" in text.lower():
        return errors.DeviceNotFound(
            f"{url}: there is nothing there ({text}). Next: plug the device in and check the port's name."
        )
    return errors.DeviceNotFound(f"{url} cannot be opened: {text}. Next: check the port's name.")


def _lost(url: str, error: Exception) -> errors.LinkLost:
    return errors.LinkLost(
        f"the line to {url} broke ({error}). Next: look at the handpiece, plug the device in, open it again: "
        "doses that were under way are asked for by their ids."
    )
