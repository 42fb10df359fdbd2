"""The battery's gauge (MAX17048, I2C). Raises OSError when the bus does not answer."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C

_ADDRESS = 0x36
_VCELL = 0x02


class Battery:
    """Voltage of the cell."""

    def __init__(self, bus: "I2C") -> None:
        self._bus = bus
        self._word = bytearray(2)

    def mv(self) -> int:
        """Its newest conversion: 78.125 uV a count, four a second."""
        self._bus.readfrom_mem_into(_ADDRESS, _VCELL, self._word)
        return (self._word[0] << 8 | self._word[1]) * 5 >> 6
