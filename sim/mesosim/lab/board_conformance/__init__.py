"""What any Board must do, tried through the port alone, `mesofirmware.boards.port`: no firmware, no host.

    pytest --pyargs mesosim.lab.board_conformance --mesoinjector-board=my_bench:make

A rig is the board and what stands around it, as `Rig` says; `make()` is called for each test and gives one that has
just started, with nothing mounted and nobody's hand on it. Without the option it is the simulator's board. Things move:
on a bench, with no needle. What is not seen through the port is for a scope: docs/hardware.md, "Measure before use".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mesofirmware.boards import port


class Rig(Protocol):
    """A board on a bench. Between calls of `run` no time has to pass."""

    board: port.Board
    """The present boot's; `restart` makes another."""

    def run(self, us: int) -> None:
        """Let so much time pass, us. The board's interrupts and what it does when it is idle go on; no firmware."""

    def set_input(self, bit: int, on: bool) -> None:
        """Make an input so, as a hand does: `wire.INPUT_TRIGGER_A`, `_TRIGGER_B`, `_CONTACT` or `_ESTOP`."""

    def deliver(self, data: bytes) -> None:
        """Bytes from the host, on their way to the board."""

    def received(self) -> bytes:
        """What has come to the host since this was asked last."""

    def restart(self) -> None:
        """Take the supply away at once and give it back; returns when the board has started."""

    def close(self) -> None:
        """The test is over."""
