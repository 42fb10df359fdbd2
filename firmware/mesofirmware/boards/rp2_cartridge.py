"""The cartridge's identity chip (DS2431): a number of its own and 128 bytes, written in rows of eight.

Only at rest. What cannot be read or written with a good CRC is False, and nothing of the buffer holds then.
Commands: Maxim 19-4675.
"""

import time

from mesofirmware.boards.rp2_onewire import crc8, crc16

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.rp2_onewire import OneWire

SIZE = 128
ROW = 8
_FAMILY = 0x2D
_READ_ROM, _SKIP_ROM = 0x33, 0xCC
_READ_MEMORY, _WRITE_SCRATCHPAD, _READ_SCRATCHPAD, _COPY_SCRATCHPAD = 0xF0, 0x0F, 0xAA, 0x55
_COPY_MS = 13
_COPIED = 0xAA
_WHOLE_ROW = 0x07
_GOOD_CRC = 0xB001
"""crc16 over data and the complement of its CRC."""


class Cartridge:
    """The chip of whatever cartridge is in place."""

    def __init__(self, wire: "OneWire") -> None:
        self._wire = wire
        self._frame = bytearray(14)

    def identity(self, buf: bytearray) -> bool:
        """The chip's eight-byte number into buf[:8]."""
        wire = self._wire
        if not wire.reset():
            return False
        wire.write(_READ_ROM)
        for i in range(8):
            buf[i] = wire.read()
        return buf[0] == _FAMILY and crc8(buf, 8) == 0

    def read(self, at: int, buf: bytearray, n: int) -> bool:
        """Bytes of its memory into buf[:n]. They have no CRC of the chip's: what is stored must bring its own."""
        _check(at, n)
        wire = self._wire
        if not self._begin(_READ_MEMORY, at):
            return False
        for i in range(n):
            buf[i] = wire.read()
        return True

    def write(self, at: int, buf: bytearray) -> bool:
        """Write buf[:8] to the row at `at`, a multiple of eight; read back by the chip's own compare."""
        _check(at, ROW)
        if at % ROW:
            raise ValueError("row at %d: multiples of %d" % (at, ROW))
        wire = self._wire
        frame = self._frame
        if not self._begin(_WRITE_SCRATCHPAD, at):
            return False
        frame[0] = _WRITE_SCRATCHPAD
        frame[1] = at
        frame[2] = 0
        for i in range(ROW):
            wire.write(buf[i])
            frame[3 + i] = buf[i]
        frame[11] = wire.read()
        frame[12] = wire.read()
        if crc16(0, frame, 13) != _GOOD_CRC:
            return False
        return self._holds(at, buf) and self._copy(at)

    def _holds(self, at: int, buf: bytearray) -> bool:
        """Whether the scratchpad holds this row for this place."""
        wire = self._wire
        frame = self._frame
        if not wire.reset():
            return False
        wire.write(_SKIP_ROM)
        wire.write(_READ_SCRATCHPAD)
        frame[0] = _READ_SCRATCHPAD
        for i in range(1, 14):
            frame[i] = wire.read()
        if crc16(0, frame, 14) != _GOOD_CRC or frame[1] != at or frame[2] != 0 or frame[3] != _WHOLE_ROW:
            return False
        for i in range(ROW):
            if frame[4 + i] != buf[i]:
                return False
        return True

    def _copy(self, at: int) -> bool:
        wire = self._wire
        if not self._begin(_COPY_SCRATCHPAD, at):
            return False
        wire.write(_WHOLE_ROW)
        time.sleep_ms(_COPY_MS)
        return wire.read() == _COPIED

    def _begin(self, command: int, at: int) -> bool:
        """Address the only chip on the wire, and a place in its memory."""
        wire = self._wire
        if not wire.reset():
            return False
        wire.write(_SKIP_ROM)
        wire.write(command)
        wire.write(at)
        wire.write(0)
        return True


def _check(at: int, n: int) -> None:
    if at < 0 or n < 0 or at + n > SIZE:
        raise IndexError("bytes %d to %d of a chip of %d" % (at, at + n, SIZE))
