"""The pressure sensor's bridge converter (NAU7802, I2C): 24 bits, 320 conversions a second, 128-fold gain.

One count is 0.098 Pa (choice: a bridge of 400 kPa with 2 mV/V at 3 V; noise about 20 Pa). Raises OSError when the bus
does not answer. Registers: Nuvoton NAU7802 datasheet 1.7, chapter 11.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C

_ADDRESS = 0x2A
_PU_CTRL, _CTRL1, _CTRL2, _ADC, _PGA_PWR, _RESULT = 0x00, 0x01, 0x02, 0x15, 0x1C, 0x12
_SETTING = (
    (_PU_CTRL, 0x01),  # reset
    (_PU_CTRL, 0x00),
    (_PU_CTRL, 0x86),  # analogue and digital parts on, supply from the inner regulator
    (_CTRL1, 0x2F),  # 3.0 V, gain 128
    (_CTRL2, 0x70),  # 320 conversions a second
    (_ADC, 0x30),  # chopper off
    (_PGA_PWR, 0x80),  # capacitor at the second input
    (_PU_CTRL, 0x96),  # convert
)

PA_NUM, PA_SHIFT = 100, 10
"""Pa = counts * 100 / 1024."""


class Bridge:
    """Pressure at the luer against the air's."""

    def __init__(self, bus: "I2C") -> None:
        self._bus = bus
        self._result = bytearray(3)
        one = bytearray(1)
        for register, value in _SETTING:
            one[0] = value
            bus.writeto_mem(_ADDRESS, register, one)

    def pressure_pa(self) -> int:
        """The newest conversion."""
        self._bus.readfrom_mem_into(_ADDRESS, _RESULT, self._result)
        b = self._result
        counts = b[0] << 16 | b[1] << 8 | b[2]
        if counts & 0x800000:
            counts -= 0x1000000
        return counts * PA_NUM >> PA_SHIFT
