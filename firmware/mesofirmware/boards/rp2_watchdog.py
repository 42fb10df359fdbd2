"""The watchdog, and why the chip has started: kept in its scratch registers, which only a power-on clears.

The hardware alone knows power-on and watchdog, and `machine.reset` is a watchdog's, too. So what was going on is noted
beforehand: RUNNING found after a reset by the watchdog means that the loop hung.
"""

import machine
from machine import WDT, mem32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.rp2_chip import Chip

POWER_ON, RUNNING, FAILED, ASKED = range(4)
"""No note, the loop was running, it ended with an exception, a restart was asked for."""

TIMEOUT_MS = 2000
_MARK = 0x4D530000
_MASK = 0x7FFF0000


class Watchdog:
    """`reason` is the note of the former start, `failures` how many starts in a row have ended badly."""

    def __init__(self, chip: "Chip") -> None:
        self._at = chip.watchdog_scratch
        self._dog: "WDT | None" = None
        note = mem32[self._at]
        if machine.reset_cause() == machine.PWRON_RESET or note & _MASK != _MARK:
            note = _MARK
        self.reason = note & 0xFF
        self.failures = note >> 8 & 0xFF
        if self.reason in (RUNNING, FAILED):
            self.failures = min(self.failures + 1, 255)

    def start(self) -> None:
        """From here on the loop must feed it; nothing but a reset ends that."""
        self._note(RUNNING)
        self._dog = WDT(timeout=TIMEOUT_MS)

    def feed(self) -> None:
        """The loop is alive."""
        if self._dog is not None:
            self._dog.feed()

    def restart(self, reason: int) -> None:
        """Start anew, and say why."""
        self._note(reason)
        machine.reset()

    def _note(self, reason: int) -> None:
        mem32[self._at] = _MARK | self.failures << 8 | reason
