"""An emulated RP2040 that boots a UF2 image which the user names; its USB serial line is a TCP port.

The emulator is rp2040py, of the extra `[rp2040]`: one core, and not the chip's speed. The image is firmware and
MicroPython in one file, or MicroPython that finds the firmware in its flash. It has no plant: its pins lead nowhere.
"""

from __future__ import annotations

import importlib.util
import re
import select
import subprocess
import sys
from pathlib import Path

START_S = 60.0
_LISTENS = re.compile(rb"listening on (127\.0\.0\.1:\d+)")


class NoEmulator(RuntimeError):
    """The emulator is not installed, or does not take the image."""


class Emulator:
    """One board. `url` opens like a port."""

    def __init__(self, image: Path) -> None:
        if importlib.util.find_spec("rp2040py") is None:
            raise NoEmulator("rp2040py is not installed. Next: pip install 'mesoinjector[rp2040]'")
        if not image.is_file():
            raise NoEmulator(f"there is no file {image}. Next: name a UF2 image")
        line = [sys.executable, "-m", "rp2040py", "micropython", "--image", str(image), "--tcp-port", "0"]
        self._process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        try:
            self.url = f"socket://{self._address()}"
        except BaseException:
            self.close()
            raise

    def _address(self) -> str:
        """Where it listens, once it says so."""
        assert self._process.stdout
        said = b""
        while not (found := _LISTENS.search(said)):
            ready, _, _ = select.select([self._process.stdout], [], [], START_S)
            piece = self._process.stdout.read(4096) if ready else b""
            if not piece:
                raise NoEmulator(f"rp2040py did not start: {said.decode(errors='replace').strip()}")
            said += piece
        return found[1].decode()

    def close(self) -> None:
        """End it. Idempotent."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
