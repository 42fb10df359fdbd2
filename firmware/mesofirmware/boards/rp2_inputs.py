"""All inputs as bits of the schema's `input`: direct pins, the others by the expander.

Trigger line A is reported as let go once if it was, however shortly, since the last read. The interrupt only stores.
"""

from machine import Pin

from mesofirmware.boards import pins, rp2_expander
from mesoprotocol import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.rp2_expander import Expander


class Line:
    """A direct input that is on while low."""

    def __init__(self, gpio: int) -> None:
        self.pin = Pin(gpio, Pin.IN)
        self.changed = False
        self._was_let_go = False
        self.pin.irq(self._edge, Pin.IRQ_FALLING | Pin.IRQ_RISING, hard=True)

    def _edge(self, pin: Pin) -> None:
        self.changed = True
        if pin.value():
            self._was_let_go = True

    def read(self) -> bool:
        """Whether it is on, and was not let go since the last read."""
        self.changed = False
        was_let_go = self._was_let_go
        self._was_let_go = False
        return self.pin.value() == 0 and not was_let_go


class Inputs:
    """Everything that `port.Board.inputs` tells, but for the permit and the driver's faults that the board knows."""

    def __init__(self, expander: "Expander") -> None:
        self._expander = expander
        self._trigger_a = Line(pins.TRIGGER_A)
        self._index = Pin(pins.INDEX, Pin.IN)
        self._depth_home = Pin(pins.DEPTH_HOME, Pin.IN)

    def changed(self) -> bool:
        """Whether an input that a hand moves has changed since the last `read`."""
        return self._trigger_a.changed or self._expander.changed()

    def read(self) -> int:
        """All levels."""
        slow = self._expander.read()
        bits = wire.INPUT_TRIGGER_A if self._trigger_a.read() else 0
        if slow & rp2_expander.TRIGGER_B:
            bits |= wire.INPUT_TRIGGER_B
        if slow & rp2_expander.CONTACT:
            bits |= wire.INPUT_CONTACT
        if slow & rp2_expander.ESTOP:
            bits |= wire.INPUT_ESTOP
        if slow & rp2_expander.SYRINGE:
            bits |= wire.INPUT_SYRINGE
        if slow & rp2_expander.CARTRIDGE:
            bits |= wire.INPUT_CARTRIDGE
        if slow & rp2_expander.DRIVER_FAULT:
            bits |= wire.INPUT_DRIVE_FAULT
        if self._index.value() == 0:
            bits |= wire.INPUT_NEEDLE_HOME
        if self._depth_home.value() == 0:
            bits |= wire.INPUT_DEPTH_HOME
        return bits
