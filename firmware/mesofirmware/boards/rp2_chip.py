"""What differs between RP2040 and RP2350: addresses of the few registers that `machine` does not offer.

From the datasheets: RP2040 2.2 and 4.7.6, 4.9.6; RP2350 2.2 and 12.4.7, 12.9.7. DMA and PIO are at the same places.
"""

import sys


class Chip:
    """One of the two."""

    def __init__(self, adc: int, watchdog: int) -> None:
        self.adc = adc
        """Base address of the ADC."""
        self.watchdog_scratch = watchdog + 0x0C
        """Address of the watchdog's first scratch register; the boot ROM leaves 0 to 3 alone."""


RP2040 = Chip(0x4004C000, 0x40058000)
RP2350 = Chip(0x400A0000, 0x400D8000)


def this() -> Chip:
    """The chip that this runs on, by the name that MicroPython gives its board."""
    return RP2350 if "RP2350" in getattr(sys.implementation, "_machine", "") else RP2040
