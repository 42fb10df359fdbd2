"""Paced devices for any client: each a pty under a name of the user's choice, a TCP port, a socket for control.

One client holds a device's line at a time, as one program holds a serial port: by a lock on the pty, which pyserial
takes too. A TCP client that finds it taken is told `busy`, and its connection is closed. The control socket takes lines
of JSON, `[name, value]`, and answers each with `[error, result]`; see `World.control`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import stat
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesosim.runtime import Paced

PIECE = 4096
LONGEST_LINE = 65_536
BUSY = b"busy: another client holds this device\r\n"

Act = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Places:
    """Where a device is to be found; None: not there."""

    pty: Path | None = None
    tcp: str | None = None
    """HOST:PORT; port 0: any that is free."""
    control: Path | None = None

    def nth(self, i: int) -> Places:
        """Those of another device, i from 0: its names end in -2, -3 and so on, its port is higher by i."""
        if i == 0:
            return self
        tcp = self.tcp
        if tcp:
            host, port = _address(tcp)
            tcp = f"{host}:{port + i if port else 0}"
        return Places(_numbered(self.pty, i), tcp, _numbered(self.control, i))


def serve(
    runtime: str, seed: int, speed: float, places: Places, devices: int, on_ready: Callable[[int, list[str]], None]
) -> None:
    """Serve until interrupted or terminated; `on_ready` is told once for each device its seed and where it is.

    The n-th device has seed + n - 1. Raises ValueError, OSError, `DeviceDied` once one of them has.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for i in range(devices):
            served = stack.enter_context(contextlib.closing(Served(selector, runtime, seed + i, speed, places.nth(i))))
            on_ready(seed + i, served.found_at)
        while True:
            for key, _ in selector.select():
                if selector.get_map().get(key.fd) == key:  # not given up by one before it
                    key.data()


class Served:
    """One device, and whoever is connected to it."""

    def __init__(self, selector: selectors.BaseSelector, runtime: str, seed: int, speed: float, places: Places) -> None:
        self.found_at: list[str] = []
        self._selector = selector
        self._open = contextlib.ExitStack()
        self._kept: set[contextlib.ExitStack] = set()
        with contextlib.ExitStack() as unless_begun:
            unless_begun.callback(self.close)
            device = self._device = self._open.enter_context(contextlib.closing(Paced(seed, runtime, speed)))
            self._watch(self._open, device, device.check)
            if places.pty:
                _point(places.pty, device.path)
                self._open.callback(_unpoint, places.pty)
                self.found_at.append(str(places.pty))
            if places.tcp:
                listener = socket.create_server(_address(places.tcp))
                self.keep(listener, lambda: self._join(listener.accept()[0]))
                host, port = listener.getsockname()[:2]
                self.found_at.append(f"socket://{host}:{port}")
            if places.control:
                _clear_away(places.control)
                door = socket.socket(socket.AF_UNIX)
                self.keep(door, lambda: Control(self, door.accept()[0]))
                door.bind(str(places.control))
                self._open.callback(places.control.unlink, missing_ok=True)
                places.control.chmod(0o600)
                door.listen()
                self.found_at.append(f"control {places.control}")
            unless_begun.pop_all()

    def close(self) -> None:
        """End the device and its connections."""
        for each in list(self._kept):
            each.close()
        self._open.close()

    def control(self, request: bytes) -> bytes:
        """The answer to one line of the control socket. Raises `DeviceDied`."""
        try:
            name, value = _pair(request)
            answer = [None, self._device.control(name, value)]
        except RecursionError:
            answer = ["nested too deeply", None]
        except ValueError as error:
            answer = [str(error), None]
        return json.dumps(answer).encode()

    def keep(self, connection: socket.socket, act: Act) -> contextlib.ExitStack:
        """Watch a connection until what is returned is closed; it closes the connection."""
        kept = contextlib.ExitStack()
        kept.callback(self._kept.discard, kept)
        kept.enter_context(connection)
        self._watch(kept, connection, act)
        self._kept.add(kept)
        return kept

    def _watch(self, until: contextlib.ExitStack, source: Any, act: Act) -> None:
        self._selector.register(source, selectors.EVENT_READ, act)
        until.callback(self._selector.unregister, source)

    def _join(self, client: socket.socket) -> None:
        """A TCP client: it gets the line, or is told that somebody else has it."""
        line = os.open(self._device.path, os.O_RDWR | os.O_NOCTTY)
        try:
            fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(line)
            Refused(self, client)
        else:
            termios.tcflush(line, termios.TCIFLUSH)  # what the last one has left behind
            Bridge(self, self._selector, client, line)


class Bridge:
    """Carries bytes between a TCP client and a device's line until the client goes away."""

    def __init__(self, served: Served, selector: selectors.BaseSelector, client: socket.socket, line: int) -> None:
        self._client, self._line = client, line
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(0)
        selector.register(line, selectors.EVENT_READ, self._from_line)
        self._kept = served.keep(client, self._from_client)
        self._kept.callback(os.close, line)
        self._kept.callback(selector.unregister, line)

    def _from_client(self) -> None:
        try:
            data = self._client.recv(PIECE)
        except OSError:
            data = b""
        if data:
            os.write(self._line, data)
        else:
            self._kept.close()

    def _from_line(self) -> None:
        data = os.read(self._line, PIECE)
        try:
            if self._client.send(data) < len(data):
                self._kept.close()
        except OSError:
            self._kept.close()


class Refused:
    """A TCP client that came second. It is told so, again when it has said something, and then heard out.

    Again, because pyserial drops what comes while it opens a socket; heard out, because bytes that nobody has read
    would reset the connection before its own had been read.
    """

    def __init__(self, served: Served, client: socket.socket) -> None:
        self._client = client
        self._told = False
        self._kept = served.keep(client, self._hear_out)
        with contextlib.suppress(OSError):
            client.sendall(BUSY)

    def _hear_out(self) -> None:
        try:
            data = self._client.recv(PIECE)
            if data and not self._told:
                self._told = True
                self._client.sendall(BUSY)
                self._client.shutdown(socket.SHUT_WR)
        except OSError:
            data = b""
        if not data:
            self._kept.close()


class Control:
    """Somebody who asks and changes the world, a line at a time."""

    def __init__(self, served: Served, client: socket.socket) -> None:
        self._served, self._client = served, client
        self._begun = b""
        self._kept = served.keep(client, self._hear)

    def _hear(self) -> None:
        try:
            data = self._client.recv(PIECE)
            *lines, self._begun = (self._begun + data).split(b"\n")
            for line in lines:
                self._client.sendall(self._served.control(line) + b"\n")
        except OSError:
            data = b""
        if not data or len(self._begun) > LONGEST_LINE:
            self._kept.close()


def _pair(request: bytes) -> tuple[Any, Any]:
    """Name and value of a request. Raises ValueError, RecursionError."""
    try:
        name, value = json.loads(request)
    except (ValueError, TypeError):
        raise ValueError("must be a JSON list: [name, value]") from None
    return name, value


def _address(tcp: str) -> tuple[str, int]:
    host, colon, port = tcp.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 0xFFFF:
        raise ValueError(f"--tcp {tcp}: must be HOST:PORT, port 0 to 65535")
    return host or "127.0.0.1", int(port)


def _numbered(path: Path | None, i: int) -> Path | None:
    return path and path.with_name(f"{path.stem}-{i + 1}{path.suffix}")


def _point(name: Path, target: str) -> None:
    """Make `name` a symbolic link to the pty; only a symbolic link is ever replaced."""
    if name.is_symlink():
        name.unlink()
    name.symlink_to(target)


def _unpoint(name: Path) -> None:
    if name.is_symlink():
        name.unlink()


def _clear_away(name: Path) -> None:
    """Remove the socket that a program has left behind which is gone; nothing else is ever removed."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(name.stat().st_mode):
            raise ValueError(f"--control {name}: exists, and is no socket")
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(name))
            except ConnectionRefusedError:
                name.unlink()
            else:
                raise ValueError(f"--control {name}: another program listens there")
