"""The cartridge's identity chip (DS2431): a number of its own and 128 bytes, written in rows of eight.

Only at rest: a row takes 40 ms to write. What the chip has not received as it was sent is not written: whoever writes
reads it back. Commands: Maxim 19-4675.
"""

from mesofirmware.boards.rp2_onewire import crc8, crc16

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from mesofirmware.boards.rp2_onewire import OneWire

SIZE = 128
ROW = 8
_FAMILY = 0x2D
_READ_ROM, _SKIP_ROM = 0x33, 0xCC
_READ_MEMORY, _WRITE_SCRATCHPAD, _READ_SCRATCHPAD, _COPY_SCRATCHPAD = 0xF0, 0x0F, 0xAA, 0x55
_COPY_MS = 13
_WHOLE_ROW = 0x07
_GOOD_CRC = 0xB001
"""crc16 over data and the complement of its CRC."""


class Cartridge:
    """The chip of whatever cartridge is in place: see `port.Chip`."""

    def __init__(self, wire: "OneWire", sleep_ms: "Callable[[int], None]") -> None:
        self._wire = wire
        self._sleep_ms = sleep_ms
        self._frame = bytearray(14)
        self._row = bytearray(ROW)

    def identity(self, buf: bytearray) -> bool:
        """See the port."""
        if not self._number(buf) or not self._number(self._row):
            return False
        for i in range(ROW):
            if buf[i] != self._row[i]:
                return False
        return True

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See the port. Raises IndexError outside the memory."""
        _check(at, n)
        self._begin(_READ_MEMORY, at)
        for i in range(n):
            buf[i] = self._wire.read()

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See the port. Rows that hold other bytes, too, keep those. Raises IndexError outside the memory."""
        _check(at, n)
        done = 0
        while done < n:
            row = (at + done) & ~(ROW - 1)
            self.read(row, self._row, ROW)
            while done < n and at + done < row + ROW:
                self._row[at + done - row] = buf[done]
                done += 1
            self._write_row(row)

    def _number(self, buf: bytearray) -> bool:
        wire = self._wire
        if not wire.reset():
            return False
        wire.write(_READ_ROM)
        for i in range(8):
            buf[i] = wire.read()
        return buf[0] == _FAMILY and crc8(buf, 8) == 0

    def _write_row(self, at: int) -> None:
        """To the scratchpad, and on from there only if the chip has received what was sent."""
        wire = self._wire
        frame = self._frame
        self._begin(_WRITE_SCRATCHPAD, at)
        frame[0] = _WRITE_SCRATCHPAD
        frame[1] = at
        frame[2] = 0
        for i in range(ROW):
            wire.write(self._row[i])
            frame[3 + i] = self._row[i]
        frame[11] = wire.read()
        frame[12] = wire.read()
        if crc16(0, frame, 13) == _GOOD_CRC and self._holds(at):
            self._begin(_COPY_SCRATCHPAD, at)
            wire.write(_WHOLE_ROW)
            self._sleep_ms(_COPY_MS)

    def _holds(self, at: int) -> bool:
        """Whether the scratchpad holds the row for this place."""
        wire = self._wire
        frame = self._frame
        wire.reset()
        wire.write(_SKIP_ROM)
        wire.write(_READ_SCRATCHPAD)
        frame[0] = _READ_SCRATCHPAD
        for i in range(1, 14):
            frame[i] = wire.read()
        if crc16(0, frame, 14) != _GOOD_CRC or frame[1] != at or frame[2] != 0 or frame[3] != _WHOLE_ROW:
            return False
        for i in range(ROW):
            if frame[4 + i] != self._row[i]:
                return False
        return True

    def _begin(self, command: int, at: int) -> None:
        """Address the only chip on the wire, and a place in its memory. Nobody there: all that is read is 255."""
        wire = self._wire
        wire.reset()
        wire.write(_SKIP_ROM)
        wire.write(command)
        wire.write(at)
        wire.write(0)


def _check(at: int, n: int) -> None:
    if at < 0 or n < 0 or at + n > SIZE:
        raise IndexError("bytes %d to %d of a chip of %d" % (at, at + n, SIZE))
