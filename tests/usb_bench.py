"""One board at one USB port, in whatever it runs: its boot ROM on the simulated bus, MicroPython behind a pty."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from serial.tools.list_ports_common import ListPortInfo

from mesoinjector.machine import Machine
from mesosim.blank import FLASH_BYTES, Blank
from mesosim.bootsel import rom
from mesosim.bootsel.bus import Board, Bus
from tests.host.ports import listed

MODELS = {"pico": rom.RP2040, "pico2": rom.RP2350}


class Bench:
    """A board, the computer that it is plugged into, and what passes between its two halves."""

    def __init__(self, folder: Path, model: str = "pico", place: int = 1) -> None:
        self.folder = folder
        self.board = Board(MODELS[model], (place,), f"E6612483CB1A2B2{place:X}")
        self.board.address = 40 * (place - 1)  # on a bus each has its own
        self.bus = Bus([self.board])
        self.machine = Machine(folder / "no-proc", self.ports, usb=self.bus)
        self._model, self._place = model, place
        self._blank: Blank | None = None

    def plug(self, bootsel: bool) -> None:
        """Power, with BOOTSEL pressed or not."""
        self.close()
        self.board.plug(bootsel)

    def close(self) -> None:
        """No power."""
        self.board.unplug()
        if self._blank is not None:
            self._blank.close()
            self._blank = None
            self.load()

    def load(self) -> None:
        """The filesystem in `folder` is in the board's flash, of which it is the end."""
        there = self._filesystem.read_bytes()
        self.board.flash.cells[-len(there) :] = there

    @property
    def _filesystem(self) -> Path:
        return self.folder / "flash.bin"

    def ports(self) -> list[ListPortInfo]:
        """As the system lists them; each look lets what was asked for happen."""
        if self._blank is not None and self._blank.wait_unplugged(0):
            self.plug(bootsel=True)
        self.bus.enumerate_devices()
        if not self.board.plugged or self.board.boot is not None:
            return []
        if self._blank is None:
            self._filesystem.write_bytes(self.board.flash.cells[-FLASH_BYTES[self._model] :])
            self._blank = Blank(self.folder, self._model, self._place)
        port = listed(self._blank.path, self.board.unique)
        port.location = f"1-{self._place}:1.0"
        return [port]


@contextlib.contextmanager
def bench(folder: Path, model: str = "pico", bootsel: bool = True) -> Iterator[Bench]:
    """One that is plugged in."""
    one = Bench(folder, model)
    one.plug(bootsel)
    try:
        yield one
    finally:
        one.close()
