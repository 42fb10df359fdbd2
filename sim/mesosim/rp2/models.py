"""The chips there are, as far as the board file can tell them apart: RP2040 of the Pico, RP2350 of the Pico 2.

RP2040 datasheet 2.5.7, 3.7, 4.7.6, 4.9.6; RP2350 datasheet 11.7, 12.4.7, 12.6.10, 12.9.7. Both run as MicroPython
starts them. Pads beyond GPIO 29 and the transfer counts' mode bits are not modelled.
"""

_SAME = (("enable", 0, 1), ("high_pri", 1, 1), ("size", 2, 2), ("inc_read", 4, 1))


class Model:
    """One of the two."""

    def __init__(
        self,
        machine: str,
        mhz: int,
        blocks: int,
        channels: int,
        adc: int,
        watchdog: int,
        watchdog_ms: int,
        fields: tuple,
    ) -> None:
        self.machine = machine
        """What MicroPython calls its board."""
        self.hz = mhz * 1_000_000
        self.clocks_per_us = mhz
        self.clocks_per_tick = mhz // 25
        """A tick of 40 ns, the plant's time."""
        self.blocks = blocks
        """PIO blocks, of four state machines each."""
        self.channels = channels
        """DMA channels."""
        self.adc = adc
        self.watchdog = watchdog
        """Base addresses."""
        self.watchdog_ms = watchdog_ms
        """The longest time that the watchdog can be set to."""
        self.fields = fields
        """Fields of a DMA channel's control register: name, lowest bit, bits."""


RP2040 = Model(
    "Raspberry Pi Pico with RP2040",
    125,
    2,
    12,
    0x4004C000,
    0x40058000,
    8388,
    _SAME
    + (
        ("inc_write", 5, 1),
        ("ring_size", 6, 4),
        ("ring_sel", 10, 1),
        ("chain_to", 11, 4),
        ("treq_sel", 15, 6),
        ("irq_quiet", 21, 1),
        ("bswap", 22, 1),
        ("sniff_en", 23, 1),
        ("busy", 24, 1),
    ),
)
RP2350 = Model(
    "Raspberry Pi Pico2 with RP2350",
    150,
    3,
    16,
    0x400A0000,
    0x400D8000,
    16777,
    _SAME
    + (
        ("inc_read_rev", 5, 1),
        ("inc_write", 6, 1),
        ("inc_write_rev", 7, 1),
        ("ring_size", 8, 4),
        ("ring_sel", 12, 1),
        ("chain_to", 13, 4),
        ("treq_sel", 17, 6),
        ("irq_quiet", 23, 1),
        ("bswap", 24, 1),
        ("sniff_en", 25, 1),
        ("busy", 26, 1),
    ),
)
