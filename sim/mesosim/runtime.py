"""Devices to talk to: in process on CPython, or a whole process in lock step, or paced behind a pty.

A `Device` is one function of time, `run(until_us, rx) -> (t_us, tx)`; only one side ever runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tty
from typing import Any, Protocol

from mesosim import micropython

RUNTIMES = ("cpython", "micropython")


class DeviceDied(RuntimeError):
    """The device's process ended or does not answer; its last words are in the message."""


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

    def __init__(self, seed: int, trace_path: str = "") -> None:
        from mesosim.world.trace import Trace
        from mesosim.world.world import World

        self.world = World(seed, Trace(trace_path))

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

    ANSWER_S = 60.0
    """Wall time that one answer may take; a device that is silent for longer is dead."""

    def __init__(self, seed: int, runtime: str, trace_path: str = "") -> None:
        arguments = ["lockstep", str(seed), "0", "0", trace_path]
        self._process = subprocess.Popen(
            _command(runtime, arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._owed = 0
        """Bytes of the head of the answer that is still to come: 12 of run, 4 of control, 0 if none is."""
        self._got = b""
        self._late = b""
        self._in, self._out = self._process.stdin, self._process.stdout

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """See `Device`. Raises `DeviceDied`."""
        self._settle()
        self._write(b"R" + struct.pack("<QI", until_us, len(rx)) + rx)
        self._owed = 12
        t, tx = self._finish_run()
        tx, self._late = self._late + tx, b""
        return t, tx

    def control(self, name: str, value: Any = 0) -> Any:
        """See `Device`. Raises `DeviceDied`."""
        self._settle()
        request = json.dumps([name, value]).encode()
        self._write(b"C" + struct.pack("<I", len(request)) + request)
        self._owed = 4
        return _result(self._finish_control())

    def _settle(self) -> None:
        """Take the answer of a call that Ctrl-C has cut short; what the device sent in it comes with the next."""
        if self._owed == 12:
            self._late += self._finish_run()[1]
        elif self._owed:
            self._finish_control()

    def _finish_run(self) -> tuple[int, bytes]:
        t, n = struct.unpack("<QI", self._peek(12))
        tx = self._peek(12 + n)[12:]
        self._got, self._owed = b"", 0
        return t, tx

    def _finish_control(self) -> bytes:
        (n,) = struct.unpack("<I", self._peek(4))
        answer = self._peek(4 + n)[4:]
        self._got, self._owed = b"", 0
        return answer

    def close(self) -> None:
        """See `Device`."""
        _end(self._process)

    def _write(self, data: bytes) -> None:
        try:
            self._in.write(data)
        except (OSError, ValueError):
            raise DeviceDied(_last_words(self._process)) from None

    def _peek(self, n: int) -> bytes:
        """The first n bytes of the answer under way; they stay in `_got` until it is whole."""
        while len(self._got) < n:
            ready, _, _ = select.select([self._out], [], [], self.ANSWER_S)
            piece = self._out.read(n - len(self._got)) if ready else b""
            if not piece:
                raise DeviceDied(_last_words(self._process))
            self._got += piece
        return self._got[:n]


class Paced:
    """The device as a process behind a pty, at `speed` times wall time. `path` opens like a serial port."""

    def __init__(self, seed: int, runtime: str, speed: float = 1.0) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = ["paced", str(seed), str(theirs.fileno()), str(round(speed * 1000))]
            self._process = subprocess.Popen(
                _command(runtime, arguments),
                stdin=self._master,
                stdout=self._master,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        # the other end stays open here, so that a client may come and go; `unplug` lets it go
        self._control = ours
        self._control.settimeout(30.0)
        self._lines = ours.makefile("rwb")

    @property
    def pid(self) -> int:
        """Process id of the device."""
        return self._process.pid

    def control(self, name: str, value: Any = 0) -> Any:
        """Change or ask the world. Raises `DeviceDied`."""
        try:
            self._lines.write(json.dumps([name, value]).encode() + b"\n")
            self._lines.flush()
            answer = self._lines.readline()
        except OSError:
            answer = b""
        if not answer:
            raise DeviceDied(_last_words(self._process))
        return _result(answer)

    def unplug(self) -> None:
        """Let go of the line: once its client has closed it too, it is really closed."""
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1

    def wait(self) -> None:
        """Wait for the device to end by itself."""
        self._process.wait()

    def close(self) -> None:
        """End the device. Idempotent."""
        if self._control.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._lines.close()
            self._control.close()
            _end(self._process)
            os.close(self._master)
            self.unplug()


def start(runtime: str, seed: int, trace_path: str = "") -> Device:
    """A device in virtual time on `cpython` (in process) or `micropython` (its own process)."""
    if runtime == "cpython":
        return InProcess(seed, trace_path)
    if runtime == "micropython":
        return Piped(seed, runtime, trace_path)
    raise ValueError(f"runtime {runtime!r}: choose one of {', '.join(RUNTIMES)}")


def _command(runtime: str, arguments: list[str]) -> list[str]:
    if runtime == "micropython":
        return micropython.command(arguments)
    return [sys.executable, "-m", "mesosim.device", *arguments]


def _result(answer: bytes) -> Any:
    error, result = json.loads(answer)
    if error is not None:
        raise ValueError(error)
    return result


def _last_words(process: subprocess.Popen[bytes]) -> str:
    """Why a device does not answer: what it said on stderr, after it is certainly gone."""
    try:
        code = str(process.wait(timeout=1.0))
    except subprocess.TimeoutExpired:
        code = "none: it hung"
        process.kill()
    _, errors = process.communicate()
    return f"the simulated device died, exit code {code}: {errors.decode(errors='replace').strip()}"


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(timeout=5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()
