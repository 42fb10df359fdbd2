"""A serial NOR flash: erasing sets a sector's bits, programming only clears them, addresses wrap at its size.

Times are typical ones of the W25Q family that the boards have (W25Q16JV datasheet 9.6): a sector is erased in 45 ms
(400 ms at most), a page programmed in 0.8 ms (3 ms at most).
"""

from __future__ import annotations

PAGE = 256
SECTOR = 4096
ERASE_US = 45_000
PROGRAM_US = 800


class Flash:
    """`size` bytes, erased. Addresses count from its begin; like the chip's, they wrap."""

    def __init__(self, size: int) -> None:
        self.cells = bytearray(b"\xff" * size)
        self.stuck_low: dict[int, int] = {}
        self.stuck_high: dict[int, int] = {}
        """Bits by address that an erase cannot raise, or programming cannot clear, any more."""
        self.erased: list[int] = []
        """Sectors in the order they were erased."""
        self.programmed: list[int] = []
        """Pages in the order they were programmed."""
        self.busy_us = 0
        self._last: tuple[int, bytes] | None = None

    def erase(self, at: int) -> None:
        """Erase the sector that begins at `at`."""
        self._change(at % len(self.cells), b"\xff" * SECTOR)
        self.erased.append(at)
        self.busy_us += ERASE_US

    def program(self, at: int, page: bytes) -> None:
        """Program a page: bits go from 1 to 0 only."""
        at %= len(self.cells)
        self._change(at, bytes(old & new for old, new in zip(self.cells[at : at + PAGE], page, strict=True)))
        self.programmed.append(at)
        self.busy_us += PROGRAM_US

    def read(self, at: int, n: int) -> bytes:
        """What is there."""
        at %= len(self.cells)
        return bytes(self.cells[at : at + n] + self.cells[: max(0, at + n - len(self.cells))])

    def settle(self) -> None:
        """Nothing is under way any more."""
        self._last = None

    def tear(self) -> None:
        """Power went while the last change was under way: its second half was not reached."""
        if self._last:
            at, before = self._last
            half = len(before) // 2
            self.cells[at + half : at + len(before)] = before[half:]
            self._last = None

    def _change(self, at: int, now: bytes) -> None:
        self._last = at, bytes(self.cells[at : at + len(now)])
        self.cells[at : at + len(now)] = now
        for place in range(at, at + len(now)) if self.stuck_low or self.stuck_high else ():
            self.cells[place] = self.cells[place] & ~self.stuck_low.get(place, 0) | self.stuck_high.get(place, 0)
