"""Devices to talk to: in process on CPython, or a whole process in lock step, or paced behind a pty.

A `Device` is one function of time, `run(until_us, rx) -> (t_us, tx)`; only one side ever runs.
"""

from __future__ import annotations

import contextlib
import json
import select
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Protocol

from mesosim import micropython, wasm
from mesosim.process import ANSWER_S, BehindPty, Calls, DeviceDied, end, last_words, result

if TYPE_CHECKING:
    from mesosim.world import trace

RUNTIMES = ("cpython", "micropython", "wasm")


Values = tuple[int, ...]
"""One device: `mesosim.handpiece.Values`."""


class Device(Protocol):
    """A simulated device in virtual time."""

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """Hand over `rx`, advance to `until_us` or to the first bytes sent; return the time and bytes."""

    def control(self, name: str, value: Any = 0) -> Any:
        """Change or ask the world; see `mesosim.world.world.World.control`. Raises ValueError."""

    def close(self) -> None:
        """End the device. Idempotent."""


class InProcess:
    """The device in this process, on CPython: fast, and open to the debugger."""

    def __init__(
        self, seed: int, trace_path: str = "", values: Values | None = None, log: trace.Trace | None = None
    ) -> None:
        """`log`: who sees each record as it comes, in place of a trace's file."""
        from mesosim.world.trace import Trace
        from mesosim.world.world import World

        self.world = World(seed, log or Trace(trace_path), values)

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """See `Device`."""
        t, tx = self.world.run(until_us, rx)
        return t, tx

    def control(self, name: str, value: Any = 0) -> Any:
        """See `Device`."""
        return self.world.control(name, value)

    def close(self) -> None:
        """See `Device`."""


class Piped:
    """The device as a process of its own, in lock step over pipes."""

    def __init__(self, seed: int, runtime: str, trace_path: str = "", values: Values | None = None) -> None:
        self._process = subprocess.Popen(
            command(runtime, ["lockstep", _specimen(seed, values), trace_path]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._calls = Calls(self._process, self._process.stdin.fileno(), self._process.stdout.fileno())

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """See `Device`. Raises `DeviceDied`."""
        answer = self._calls.ask(b"R", struct.pack("<Q", until_us) + rx)
        # what the device sent in a call that was cut short comes with this one
        late = b"".join(each[8:] for each in self._calls.unheard)
        self._calls.unheard.clear()
        return struct.unpack_from("<Q", answer)[0], late + answer[8:]

    def control(self, name: str, value: Any = 0) -> Any:
        """See `Device`. Raises `DeviceDied`."""
        return self._calls.control(name, value)

    def close(self) -> None:
        """See `Device`."""
        end(self._process)


class Terminal:
    """The device as a process behind a pty, in lock step: virtual time is said on a socket beside it.

    `path` opens like a serial port. Whoever does writes there, then calls `run` with the count of all bytes written.
    """

    def __init__(self, seed: int, runtime: str, trace_path: str = "", values: Values | None = None) -> None:
        arguments = ["lockstep", _specimen(seed, values), trace_path]
        self._behind = BehindPty(lambda control: command(runtime, [*arguments, str(control)]), blocking=True)
        self.path = self._behind.path
        control = self._behind.control.fileno()
        self._calls = Calls(self._behind.process, control, control)

    def run(self, until_us: int, sent: int) -> tuple[int, int]:
        """Advance to `until_us` or to the first bytes sent, once the device has all `sent` bytes.

        Returns the time and how many bytes it has written in all, so that a reader knows what to wait for.
        Raises `DeviceDied`.
        """
        t, received = struct.unpack("<QQ", self._calls.ask(b"R", struct.pack("<QQ", until_us, sent)))
        self._calls.unheard.clear()
        return t, received

    def control(self, name: str, value: int = 0) -> Any:
        """See `Device`. Raises `DeviceDied`."""
        return self._calls.control(name, value)

    def close(self) -> None:
        """End the device. Idempotent."""
        self._behind.close()


class Paced:
    """The device as a process behind a pty, at `speed` times wall time. `path` opens like a serial port."""

    def __init__(self, seed: int, runtime: str, speed: float = 1.0, values: Values | None = None) -> None:
        per_mille = str(round(speed * 1000))
        self._behind = BehindPty(
            lambda control: command(runtime, ["paced", _specimen(seed, values), str(control), per_mille]),
            blocking=False,
        )
        self.path = self._behind.path
        self._behind.control.settimeout(ANSWER_S)
        self._lines = self._behind.control.makefile("rwb")

    @property
    def pid(self) -> int:
        """Process id of the device."""
        return self._behind.process.pid

    def control(self, name: str, value: Any = 0) -> Any:
        """Change or ask the world. Raises `DeviceDied`."""
        try:
            self._lines.write(json.dumps([name, value]).encode() + b"\n")
            self._lines.flush()
            answer = self._lines.readline()
        except OSError:
            answer = b""
        if not answer:
            raise DeviceDied(last_words(self._behind.process))
        return result(answer)

    def fileno(self) -> int:
        """A file that can be read once the device has ended, for a selector."""
        return self._behind.control.fileno()

    def check(self) -> None:
        """Raises `DeviceDied` once the device has ended."""
        if select.select([self], [], [], 0)[0]:
            raise DeviceDied(last_words(self._behind.process))

    def unplug(self) -> None:
        """Let go of the line: once its client has closed it too, it is really closed."""
        self._behind.unplug()

    def close(self) -> None:
        """End the device. Idempotent."""
        with contextlib.suppress(OSError):
            self._lines.close()
        self._behind.close()


def start(runtime: str, seed: int, trace_path: str = "", values: Values | None = None) -> Device:
    """A device in virtual time on `cpython` (in process), `micropython` or `wasm` (a process of its own).

    `values`: one specimen's, as `mesosim.handpiece` gives them; None: the nominal one's.

    Raises ValueError for another name, `NoMicroPython` where that one is not installed.
    """
    if runtime == "cpython":
        return InProcess(seed, trace_path, values)
    return Piped(seed, runtime, trace_path, values)


def _specimen(seed: int, values: Values | None) -> str:
    listed = ",".join(str(value) for value in values or ())
    return f"{seed}:{listed}" if listed else str(seed)


def command(runtime: str, arguments: list[str]) -> list[str]:
    """The command line that runs `mesosim.device` with `arguments`. Raises as `start` does."""
    if runtime == "micropython":
        return micropython.command(arguments)
    if runtime == "wasm":
        return wasm.command(arguments)
    if runtime != "cpython":
        raise ValueError(f"runtime {runtime!r}: choose one of {', '.join(RUNTIMES)}")
    return [sys.executable, "-m", "mesosim.device", *arguments]
