"""Every pin to its safe level: the first thing that a start does, before anything that could fail.

Levels survive a soft reset, hence again at each start. A PIO that drove a pin loses it here.
"""

from machine import Pin

from mesofirmware.boards import pins


def make_safe() -> None:
    """Outputs low, everything else an input without a pull."""
    for gpio in pins.DRIVEN:
        Pin(gpio, Pin.OUT, value=0)
    for gpio in pins.READ:
        Pin(gpio, Pin.IN, pull=None)  # type: ignore[arg-type]
