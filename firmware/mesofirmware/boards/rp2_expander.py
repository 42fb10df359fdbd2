"""The I2C expander (MCP23017) with the slow inputs, light, sound and AWAY.

Its interrupt line stays low from a change of an input until the inputs are read: `read` asks the bus only then.
Registers: Microchip DS20001952, IOCON.BANK = 0. Raises OSError when the bus does not answer.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C, Pin

CONTACT, ESTOP, SYRINGE, CARTRIDGE, DRIVER_FAULT, MOTOR_POWER, INGRESS, TRIGGER_B = 1, 2, 4, 8, 16, 32, 64, 128
RED, GREEN, BLUE, AWAY = 1, 2, 4, 8

_ADDRESS = 0x20
_LOW_IS_ON = CONTACT | SYRINGE | CARTRIDGE | INGRESS | TRIGGER_B
_IODIRA, _IODIRB, _IPOLA, _GPINTENA, _INTCONA, _GPIOA, _OLATB = 0x00, 0x01, 0x02, 0x04, 0x08, 0x12, 0x15


class Expander:
    """Inputs as bits that are set while what they are named for holds."""

    def __init__(self, bus: "I2C", interrupt: "Pin") -> None:
        self._bus = bus
        self._interrupt = interrupt
        self._byte = bytearray(1)
        self._bits = 0
        self._out = 0
        self._set(_OLATB, 0)
        self._set(_IODIRB, 0x00)
        self._set(_IODIRA, 0xFF)
        self._set(_IPOLA, _LOW_IS_ON)
        self._set(_INTCONA, 0x00)
        self._set(_GPINTENA, 0xFF)
        self._refresh()

    def changed(self) -> bool:
        """Whether an input has changed since the last `read`."""
        return self._interrupt.value() == 0

    def read(self) -> int:
        """The inputs."""
        if self._interrupt.value() == 0:
            self._refresh()
        return self._bits

    def _refresh(self) -> None:
        self._bus.readfrom_mem_into(_ADDRESS, _GPIOA, self._byte)
        self._bits = self._byte[0]

    def write(self, mask: int, bits: int) -> None:
        """Set the outputs in `mask` to `bits`."""
        out = (self._out & ~mask) | bits
        if out != self._out:
            self._out = out
            self._set(_OLATB, out)

    def _set(self, register: int, value: int) -> None:
        self._byte[0] = value
        self._bus.writeto_mem(_ADDRESS, register, self._byte)
