"""The needle carrier's sensor: the ADC converts without a pause, and each step of the drive leaves one sample.

The drive's odometer triggers this DMA channel, which copies the newest conversion into a ring and triggers the odometer
again. The ring so holds the last 4,096 steps, by step and not by time: bottom dead centre is found in it afterwards,
at any speed, up to 2,400 steps (50 ms at 900 punctures a minute) late.
"""

from array import array

import uctypes
from machine import ADC, Pin, mem32
from rp2 import DMA

from mesofirmware.boards import rp2_chip

_SAMPLES = 4096
_RING_BITS = 13
_TURN = 3200
_BOTTOM = 1600
_AROUND = 44
"""Steps on either side of bottom dead centre that are averaged: 5 degrees."""
_EVERY = 4
"""Of those, each fourth: 23 samples."""
_NOW = 8
"""Conversions averaged for where the carrier is now; they are 2 us apart or more."""
_LATE = 16
"""Steps that may be made while the ring is read."""

_SET = 0x2000
_START_MANY = 1 << 3
_RESULT = 4

LOWEST_UM = -6500
STEP_UM = 1000
POINTS = array("H", [240, 560, 880, 1200, 1520, 1840, 2160, 2480, 2800, 3120, 3440, 3760])
"""Conversions at -6,500, -5,500 ... 4,500 um: nominal, 3.125 um a count (choice)."""


def protrusion(counts: int) -> int:
    """Micrometres by the calibrated points, on the line through the outermost two beyond them."""
    i = 1
    while i < len(POINTS) - 1 and counts >= POINTS[i]:
        i += 1
    low = POINTS[i - 1]
    return LOWEST_UM + (i - 1) * STEP_UM + (counts - low) * STEP_UM // (POINTS[i] - low)


class Carrier:
    """Protrusion of the needle, negative behind the nose."""

    def __init__(self, gpio: int) -> None:
        # a ring lies at a multiple of its size: the half of twice as much that does
        self._ring = array("H", bytes(4 * _SAMPLES))
        address = uctypes.addressof(self._ring)
        self._first = (-address % (2 * _SAMPLES)) // 2
        self._start = address + 2 * self._first
        adc = rp2_chip.adc()
        self._result = adc + _RESULT
        self._bottom = -1
        self._bottom_um = 0
        self.dma = DMA()
        ADC(Pin(gpio)).read_u16()  # selects the channel
        mem32[adc + _SET] = _START_MANY

    def follow(self, odometer: int) -> None:
        """Take a sample whenever the odometer's channel says so."""
        ctrl = self.dma.pack_ctrl(
            size=1, inc_read=False, inc_write=True, ring_size=_RING_BITS, ring_sel=True, chain_to=odometer
        )
        self.dma.config(read=self._result, write=self._start, count=1, ctrl=ctrl)

    def now_um(self) -> int:
        """Where the carrier is now."""
        total = 0
        for _ in range(_NOW):
            total += mem32[self._result]
        return protrusion(total // _NOW)

    def bottom_um(self, position: int) -> int:
        """Where it was at the last bottom dead centre that the drive, now at `position`, has passed.

        As it was found last if that centre has left the ring, or if the drive has not passed another one.
        """
        past = (position - _AROUND - _BOTTOM) % _TURN
        bottom = position - _AROUND - past
        oldest = past + 2 * _AROUND
        if bottom != self._bottom and bottom > 0 and oldest < _SAMPLES - _LATE:
            self._bottom = bottom
            self._bottom_um = protrusion(self._mean(oldest))
        return self._bottom_um

    def _mean(self, oldest: int) -> int:
        newest = ((self.dma.write - self._start) >> 1) - 1  # type: ignore[attr-defined]
        total = n = 0
        back = oldest
        while back >= oldest - 2 * _AROUND:
            total += self._ring[self._first + ((newest - back) & (_SAMPLES - 1))]
            n += 1
            back -= _EVERY
        return total // n
