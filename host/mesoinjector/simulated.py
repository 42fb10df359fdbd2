"""Lines to simulated devices: in virtual time, behind a pty in wall time, and an image on an emulated RP2040.

`mesosim` is imported only when one of them is opened.
"""

from __future__ import annotations

import random
import secrets
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from mesoinjector import errors
from mesoinjector.links import READ_SLICE_S, VIRTUAL_DAY, VIRTUAL_DAY_US, SerialLink, lost, pauses
from mesoinjector.waiting import waiting

if TYPE_CHECKING:
    from mesosim.emulator import Emulator
    from mesosim.runtime import Device, Paced, Terminal


class SimulatedLink:
    """A simulated device in virtual time: waiting is a call that advances it."""

    virtual = True

    def __init__(self, url: str, device: Device, seed: int) -> None:
        self.url = url
        self.device: Device = waiting.hold(device)
        self._random = random.Random(seed)
        self._t: int
        self._t, _ = self.device.run(0, b"")
        self._out = b""
        self._cut = False
        self._back_us: int | None = None

    def now_us(self) -> int:
        """See `Link`."""
        return self._t

    def token(self, n: int) -> bytes:
        """See `Link`."""
        return self._random.randbytes(n)

    def today(self) -> date:
        """See `Link`."""
        return VIRTUAL_DAY

    def utc_us(self) -> int:
        """See `Link`."""
        return VIRTUAL_DAY_US + self.now_us()

    def write(self, data: bytes) -> None:
        """See `Link`."""
        if self._cut:
            raise lost(self.url, OSError("the cable was pulled"))
        self._out += data

    def read(self, deadline_us: int) -> bytes:
        """See `Link`."""
        if self._cut:
            raise lost(self.url, OSError("the cable was pulled"))
        out, self._out = self._out, b""
        try:
            self._t, data = self.device.run(max(deadline_us, self._t), out)
        except (RuntimeError, OSError) as error:  # mesosim's DeviceDied, and what is asked of it since
            raise lost(self.url, error) from None
        return data

    def control(self, name: str, value: Any = 0) -> Any:
        """See `Link`."""
        return self.device.control(name, value)

    def cut(self, for_us: int | None = None) -> None:
        """Pull the cable, for a time or for good: nothing passes, in either direction; what was not sent is gone."""
        self._cut = True
        self._out = b""
        self._back_us = None if for_us is None else self._t + for_us

    def reopen(self, deadline_us: int) -> None:
        """See `Link`."""
        for pause_us in pauses():
            if not self._cut or (self._back_us is not None and self._t >= self._back_us):
                self._cut = False
                return
            if self._t + pause_us >= deadline_us:
                raise lost(self.url, OSError("the cable is still pulled"))
            # what the device says meanwhile reaches nobody
            until_us = self._t + pause_us
            while self._t < until_us:
                self._t, _ = self.device.run(until_us, b"")

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


def emulated_link(url: str) -> EmulatedLink:
    """The image of `uf2:FILE`, booted. Raises `DeviceNotFound`."""
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


def simulated_link(url: str) -> SimulatedLink:
    """The device of a `sim://` address; see `links`. Raises `DeviceNotFound`."""
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
