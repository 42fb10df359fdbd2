"""The motor drivers: STEP's rising edges move the plant's axes, whose rate is known before they come.

The plant wants to know what an axis will do; pulses say only what it has done. So whenever a motor's next pulse is not
known, a copy of its state machine runs ahead to it, and the steps that it has left of this segment go to the plant's
axis as one piece. Every pulse is then held against that: one that does not come when it was foreseen, in place or in
time, is followed by a new look ahead; one that nobody foresaw moves the axis by itself.
"""

from mesosim.rp2 import pio
from mesosim.world import axis

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from mesosim.rp2 import chip as chip_
    from mesosim.rp2 import circuit

NEVER = pio.NEVER
_NOTHING = (NEVER, 0, 0, 0)
_AT_ONCE = 125
"""Clocks: a segment that comes so soon after another follows it at once."""


class Motor:
    """One driver behind the pads STEP and DIR, pulsed by one state machine."""

    def __init__(
        self,
        chip: "chip_.Chip",
        thing: "circuit.Handpiece",
        which: axis.Axis,
        step: int,
        direction: int,
        on_step: "Callable[[], None]",
    ) -> None:
        self._chip = chip
        self._plant = thing
        self._axis = which
        self._step = step
        self._direction = direction
        self._on_step = on_step
        self._next = NEVER
        """When the next pulse is foreseen, in system clocks."""
        self._since = NEVER
        """When the last foreseen pulse came."""
        self._period = 0
        self._left = 0
        """Pulses that are foreseen."""
        self._busy = False
        self._touched = -1
        self._machine: pio.Machine | None = None
        self.pulses = 0
        """All pulses, forward less backward."""
        self.unforeseen = 0
        chip.pads.watch(1 << step, self._edge)

    def look(self) -> bool:
        """See whether the next pulse still comes as foreseen; whether the motor has come to rest since."""
        chip = self._chip
        if self._machine is None or not self._machine.drives(self._step):
            self._machine = chip.driver_of(self._step)
            if self._machine is None:
                return False
        touched = self._machine.touched + chip.pad_changes
        if touched == self._touched:
            return False
        self._touched = touched
        was_busy = self._busy
        first, period, left, forward = self._ahead(self._machine)
        self._busy = first != NEVER
        if first != self._next:
            if self._next != NEVER:
                self._plant.stop(chip.ticks(), self._axis)
                self._since = NEVER
            self._next, self._period, self._left = first, period, left
            if self._busy:
                self._feed(forward)
        return was_busy and not self._busy

    def _ahead(self, machine: "pio.Machine") -> tuple:
        """When the next pulse comes if nothing changes, the time between pulses, how many come so, and which way."""
        if not machine.enabled:
            return _NOTHING
        copy = machine.copy()
        first = copy.run_to_rise(self._step)
        if first == NEVER:
            return _NOTHING
        forward = copy.block.pads.levels >> self._direction & 1  # type: ignore[attr-defined]
        more = copy.x + 1 & 0xFFFFFFFF
        # of a single step only the time up to it is known
        period = copy.run_to_rise(self._step) - first if more else first - self._chip.t
        return (first, period, more + 1, forward)

    def _feed(self, forward: int) -> None:
        """Tell the axis. A segment that follows at once may be some clocks late: they go into its last step."""
        clocks = self._chip.model.clocks_per_tick
        start = self._next - self._period
        late = 0
        if self._since != NEVER and 0 <= start - self._since < _AT_ONCE:
            late = start - self._since
            start = self._since
        interval = self._period // clocks
        words = ((self._left - 2) << 1 | forward, interval, forward, interval + late // clocks)
        whole = axis.Batch(words if self._left > 1 else words[2:], 4 if self._left > 1 else 2, 1, False)
        # rounded up: the pulse comes first, and what follows at once is known before the segment's end
        told = -(-start // clocks)
        # while the segment before still runs: at its end it would be at rest
        self._plant.feed(told - 1 if self._axis.busy() else told, self._axis, whole)

    def _edge(self, _: int) -> None:
        chip = self._chip
        levels = chip.pads.levels
        if not levels >> self._step & 1:
            return
        self.pulses += 1 if levels >> self._direction & 1 else -1
        if chip.t != self._next:
            self.unforeseen += 1
        self._left -= 1
        if self._left > 0:
            self._next += self._period
        else:
            self._since = chip.t
            self._next = NEVER
            self._touched = -1
            chip.attention = True
        self._on_step()
