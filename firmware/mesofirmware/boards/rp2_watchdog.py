"""The watchdog, and why the chip has started: kept in its scratch registers, which only a power-on clears.

The hardware alone knows power-on and watchdog, and `machine.reset` is a watchdog's, too. So WATCHDOG is noted before it
is started, and ASKED right before a restart on purpose: what is found is why it ended. Codes are the schema's.
"""

import machine
from machine import WDT, mem32

from mesofirmware.boards import rp2_chip
from mesoprotocol import wire

LOADING_MS = 8000
"""For a step of loading an application, which takes some two seconds in all. An RP2040 waits 8,388 ms at most."""
LOOP_MS = 2000
_MARK = 0x4D530000
_MASK = 0x7FFF0000
_MOST = 255


class Watchdog:
    """`reason` is why this start, `failures` how many since power-on were because what ran had ended or hung."""

    def __init__(self) -> None:
        self._at = rp2_chip.watchdog_scratch()
        self._dog: "WDT | None" = None
        note = mem32[self._at]
        self.reason = wire.RESET_UNKNOWN
        self.failures = 0
        if machine.reset_cause() == machine.PWRON_RESET:
            self.reason = wire.RESET_POWER_ON
        elif note & _MASK == _MARK:
            self.reason = note & 0xFF
            self.failures = note >> 8 & _MOST
        if self.reason == wire.RESET_WATCHDOG:
            self.failures = min(self.failures + 1, _MOST)
        self._note(wire.RESET_UNKNOWN)

    def start(self, timeout_ms: int) -> None:
        """From here on it must be fed, or started anew, so often; nothing but a reset ends that."""
        self._note(wire.RESET_WATCHDOG)
        self._dog = WDT(timeout=timeout_ms)

    def count_anew(self) -> None:
        """What is started next has not failed yet."""
        self.failures = 0
        self._note(mem32[self._at] & 0xFF)

    def feed(self) -> None:
        """What runs is alive."""
        if self._dog is not None:
            self._dog.feed()

    def restart(self, reason: int, into: int = 0) -> None:
        """Start anew; `reason`: RESET_WATCHDOG, the application has ended, or RESET_ASKED, somebody wants it.

        `into`: see the port. The boot ROM is entered by way of its own watchdog reset, which takes this one along.
        """
        self._note(reason)
        if into:
            machine.bootloader()
        machine.reset()

    def _note(self, reason: int) -> None:
        mem32[self._at] = _MARK | self.failures << 8 | reason
