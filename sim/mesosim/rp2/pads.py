"""The pads: who drives a pin, what level it has, and who wants to know.

A pad is driven by SIO or by the PIO that it was given to; else by what is wired to it; else by its pull. Bits of all
masks are GPIO numbers.
"""

SIO = -1
COUNT = 30
RISING, FALLING = 8, 4
"""Bits of an edge, as `machine.Pin` has them."""


class Pads:
    """All pads of one chip."""

    def __init__(self) -> None:
        self.levels = 0
        """What everybody reads."""
        self._sio = 0
        self._blocks = [0, 0, 0]
        self.sio_out = 0
        self.sio_enabled = 0
        self.pio_out = [0, 0, 0]
        self.pio_enabled = [0, 0, 0]
        self.pulled_up = 0
        self._wired = 0
        self._wired_levels = 0
        self._watchers: list = []

    def watch(self, mask: int, seen: object) -> None:
        """Call `seen(changed)` after the levels of pads in `mask` have changed. Watchers are called in their order."""
        self._watchers.append((mask, seen))

    def give(self, mask: int, block: int) -> None:
        """Let SIO or a PIO drive these pads."""
        self._sio &= ~mask
        for i in range(3):
            self._blocks[i] &= ~mask
        if block == SIO:
            self._sio |= mask
        else:
            self._blocks[block] |= mask
        self.settle()

    def wire(self, mask: int, levels: int) -> None:
        """Something outside drives these pads to `levels`; it yields to the chip's own drivers."""
        self._wired |= mask
        self._wired_levels = self._wired_levels & ~mask | levels & mask
        self.settle()

    def driven(self) -> int:
        """Which pads the chip drives."""
        enabled = self.sio_enabled & self._sio
        for i in range(3):
            enabled |= self.pio_enabled[i] & self._blocks[i]
        return enabled

    def settle(self) -> None:
        """Find all levels after a driver has changed; tell the watchers."""
        mine = self.sio_enabled & self._sio
        levels = self.sio_out & mine
        for i in range(3):
            enabled = self.pio_enabled[i] & self._blocks[i]
            levels |= self.pio_out[i] & enabled
            mine |= enabled
        levels |= (self._wired_levels & self._wired | self.pulled_up & ~self._wired) & ~mine
        changed = levels ^ self.levels
        if not changed:
            return
        self.levels = levels
        for mask, seen in self._watchers:
            if mask & changed:
                seen(mask & changed)
