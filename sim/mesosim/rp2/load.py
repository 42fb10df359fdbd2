"""Loads the board file with everything it imports from MicroPython replaced, and what it imports anew with each start.

The real modules are put back at once: only the board's own modules hold the stand-ins.
"""

import sys

from mesofirmware import boards
from mesosim.rp2 import chip, machine, rp2, ticks, usb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BOARDS = "mesofirmware.boards."


class Addresses:
    """Stands in for `uctypes`."""

    @staticmethod
    def addressof(buf: object) -> int:
        """Where DMA finds it."""
        return chip.chip.memory.address(buf)


class _Interpreter:
    """Stands in for `sys` where it is asked which board this is."""

    class implementation:
        """MicroPython's."""

        _machine = ""


class Entropy:
    """Stands in for `os` where it is asked for random bytes; `fill` is the world's."""

    def __init__(self, fill: object) -> None:
        self._fill = fill

    def urandom(self, n: int) -> bytes:
        """n of them."""
        buf = bytearray(n)
        self._fill(buf)  # type: ignore[operator]
        return bytes(buf)


class Modules:
    """Modules of the board by name."""

    def __getattr__(self, name: str) -> "Any":
        return sys.modules[_BOARDS + name]


def pico(port: usb.Port, entropy: Entropy, disk: "Any") -> Modules:
    """Import the board file anew, on these streams, random bytes and files."""
    stands = (("machine", machine), ("rp2", rp2), ("time", ticks), ("uctypes", Addresses))
    before = [sys.modules.get(name) for name, _ in stands]
    for name in list(sys.modules):
        if name.startswith(_BOARDS + "rp2_"):
            del sys.modules[name]
            delattr(boards, name[len(_BOARDS) :])
    for name, stand in stands:
        sys.modules[name] = stand  # type: ignore[assignment]
    try:
        for name in ("rp2_pico", "rp2_safe", "rp2_watchdog"):
            __import__(_BOARDS + name)
    finally:
        for i in range(len(stands)):
            if before[i] is None:
                del sys.modules[stands[i][0]]
            else:
                sys.modules[stands[i][0]] = before[i]  # type: ignore[assignment]
    modules = Modules()
    _Interpreter.implementation._machine = chip.chip.model.machine
    modules.rp2_chip.sys = _Interpreter
    modules.rp2_pico.os = entropy
    modules.rp2_link.sys = port
    modules.rp2_link.select = usb
    modules.rp2_files.os = modules.rp2_shelf.os = disk
    modules.rp2_files.open = modules.rp2_shelf.open = disk.open
    return modules
