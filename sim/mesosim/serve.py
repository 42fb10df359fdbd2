"""A paced device for any client: a pty under a name of the user's choice, and a TCP port that leads to it."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from mesosim.runtime import Paced

PIECE = 4096


def serve(
    runtime: str, seed: int, speed: float, pty: Path | None, tcp: str | None, on_ready: Callable[[str], None]
) -> None:
    """Serve until interrupted or terminated; `on_ready` is told once where. Raises ValueError, OSError."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    listener = _listen(tcp) if tcp else None
    device = Paced(seed, runtime, speed)
    try:
        places = []
        if pty:
            _point(pty, device.path)
            places.append(str(pty))
        if listener:
            host, port = listener.getsockname()[:2]
            places.append(f"socket://{host}:{port}")
        on_ready(f"simulated device ({runtime}, seed {seed}) at {' and '.join(places)}")
        if listener:
            while True:
                client, _ = listener.accept()
                with client:
                    _bridge(client, device.path)
        device.wait()
    finally:
        device.close()
        if listener:
            listener.close()
        if pty and pty.is_symlink():
            pty.unlink()


def _listen(address: str) -> socket.socket:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 0xFFFF:
        raise ValueError(f"--tcp {address}: must be HOST:PORT, port 0 to 65535")
    return socket.create_server((host or "127.0.0.1", int(port)))


def _point(name: Path, target: str) -> None:
    """Make `name` a symbolic link to the pty; only a symbolic link is ever replaced."""
    if name.is_symlink():
        name.unlink()
    name.symlink_to(target)


def _bridge(client: socket.socket, path: str) -> None:
    """Carry bytes between one TCP client and the pty until the client goes away."""
    line = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        with selectors.DefaultSelector() as selector, contextlib.suppress(ConnectionError):
            selector.register(client, selectors.EVENT_READ)
            selector.register(line, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is client:
                        data = client.recv(PIECE)
                        if not data:
                            return
                        os.write(line, data)
                    else:
                        client.sendall(os.read(line, PIECE))
    finally:
        os.close(line)
