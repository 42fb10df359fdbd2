"""What differs between RP2040 and RP2350: addresses of the few registers that `machine` does not offer.

From the datasheets: RP2040 2.2 and 4.7.6, 4.9.6; RP2350 2.2 and 12.4.7, 12.9.7. DMA and PIO are at the same places.
"""

import sys


def adc() -> int:
    """Base address of the ADC."""
    return 0x400A0000 if _is_rp2350() else 0x4004C000


def watchdog_scratch() -> int:
    """Address of the watchdog's first scratch register; an RP2040's boot ROM overwrites it when it is entered."""
    return 0x400D800C if _is_rp2350() else 0x4005800C


def model() -> bytes:
    """For which board an application is built: see `port.Board`."""
    return b"pico2" if _is_rp2350() else b"pico"


def _is_rp2350() -> bool:
    """By the name that MicroPython gives the board."""
    return "RP2350" in getattr(sys.implementation, "_machine", "")
