"""The dead-man: a state machine that holds DEADMAN high for as long as it is fed, and then never again until started.

DEADMAN is an input of both permits' circuits and of the motor power's: see docs/hardware.md.
"""

from machine import Pin
from rp2 import StateMachine

from mesofirmware.boards import pins, rp2_programs
from mesoprotocol import limits

_NUMBER = 3
_HZ = 25_000_000
_ROUNDS = limits.DEADMAN_MS * (_HZ // 1000) // rp2_programs.DEADMAN_CLOCKS


class Deadman:
    """Each feed is good for limits.DEADMAN_MS."""

    def __init__(self) -> None:
        self._pin = Pin(pins.DEADMAN)
        self._machine = StateMachine(_NUMBER, rp2_programs.DEADMAN, freq=_HZ, sideset_base=self._pin)  # type: ignore[arg-type]
        self._machine.active(1)

    def is_alive(self) -> bool:
        """Whether it has been fed in time."""
        return self._pin.value() == 1

    def feed(self) -> None:
        """Feed it; one that has died is started anew."""
        if not self.is_alive():
            self._machine.restart()
        if self._machine.tx_fifo() == 0:
            self._machine.put(_ROUNDS)
        # DEADMAN is high some 100 ns later, before any other call: what is armed next needs it
