"""A device's process from outside: requests to it and their answers, its pseudo-terminal, its end."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import tty
from collections.abc import Callable
from typing import Any

ANSWER_S = 60.0
"""Wall time that one answer may take; a device that is silent for longer is dead."""
_PIECE = 4096
"""Bytes of one read: most answers, whole."""


class DeviceDied(RuntimeError):
    """The device's process ended or does not answer; its last words are in the message."""


class Calls:
    """Requests to a device's process and their answers, one at a time, in wall time."""

    def __init__(self, process: subprocess.Popen[bytes], requests_fd: int, answers_fd: int) -> None:
        self._process = process
        self._requests_fd, self._answers_fd = requests_fd, answers_fd
        self._owed = b""
        """The request whose answer has not come whole."""
        self._got = b""
        self.unheard: list[bytes] = []
        """Answers of `R` whose calls Ctrl-C has cut short; the next call takes them."""
        self._died: DeviceDied | None = None
        """Its files are closed then, and their numbers may be another's."""

    def ask(self, op: bytes, request: bytes) -> bytes:
        """The answer to one request. Raises `DeviceDied`: once it has, each time, with the same last words."""
        if self._died is not None:
            raise DeviceDied(*self._died.args)
        if self._owed:
            owed, answer = self._owed, self._answer()
            if owed == b"R":
                self.unheard.append(answer)
        self._write(op + struct.pack("<I", len(request)) + request)
        self._owed = op
        return self._answer()

    def control(self, name: str, value: int) -> Any:
        """See `Device`. Raises `DeviceDied`."""
        return result(self.ask(b"C", json.dumps([name, value]).encode()))

    def _answer(self) -> bytes:
        (n,) = struct.unpack("<I", self._peek(4))
        answer = self._peek(4 + n)[4:]
        self._got, self._owed = b"", b""
        return answer

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._requests_fd, data) :]
        except OSError:
            raise self._dead() from None

    def _peek(self, n: int) -> bytes:
        """The first n bytes of the answer under way; they stay in `_got` until it is whole."""
        while len(self._got) < n:
            ready, _, _ = select.select([self._answers_fd], [], [], ANSWER_S)
            try:
                # nothing follows an answer before the next request
                piece = os.read(self._answers_fd, _PIECE) if ready else b""
            except OSError:
                piece = b""
            if not piece:
                raise self._dead()
            self._got += piece
        return self._got[:n]

    def _dead(self) -> DeviceDied:
        self._died = DeviceDied(last_words(self._process))
        return self._died


class BehindPty:
    """A process whose stdin and stdout are a raw pseudo-terminal, with a socket of its own beside it.

    command: makes the command line from the number of the socket's file. `path` opens like a serial port.
    """

    def __init__(self, command: Callable[[int], list[str]], blocking: bool) -> None:
        with contextlib.ExitStack() as unless_started:
            self._master, self._slave = os.openpty()
            # the other end stays open here, so that a client may come and go; `unplug` lets it go
            unless_started.callback(os.close, self._master)
            unless_started.callback(self.unplug)
            tty.setraw(self._slave)
            os.set_blocking(self._master, blocking)
            self.path = os.ttyname(self._slave)
            self.control, theirs = socket.socketpair()
            unless_started.callback(self.control.close)
            with theirs:
                self.process = subprocess.Popen(
                    command(theirs.fileno()),
                    stdin=self._master,
                    stdout=self._master,
                    stderr=subprocess.PIPE,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            unless_started.pop_all()

    def unplug(self) -> None:
        """Let go of the line: once its client has closed it too, it is really closed."""
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1

    def close(self) -> None:
        """End the process. Idempotent."""
        self.control.close()
        if self._master >= 0:
            end(self.process)
            self.unplug()
            os.close(self._master)
            self._master = -1


def result(answer: bytes) -> Any:
    """What a control request was answered. Raises ValueError with what the device said."""
    error, found = json.loads(answer)
    if error is not None:
        raise ValueError(error)
    return found


def last_words(process: subprocess.Popen[bytes]) -> str:
    """Why a device does not answer: what it said on stderr, after it is certainly gone."""
    try:
        code = str(process.wait(timeout=1.0))
    except subprocess.TimeoutExpired:
        code = "none: it hung"
        process.kill()
    errors = process.communicate()[1] if process.stderr and not process.stderr.closed else b""
    return f"the simulated device died, exit code {code}: {errors.decode(errors='replace').strip()}"


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process whose line is closed to end; kill it if it does not."""
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
