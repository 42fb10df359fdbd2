"""The motor drivers (TMC2209) on one serial wire: set up at the start, asked for faults at rest.

STEP and DIR move them; the wire carries registers only. Datasheet 1.09, chapters 4 and 5. A datagram is five, address,
register, four bytes, CRC; what is sent is heard again, before the answer.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import UART

DRIVE, DEPTH, PLUNGER = range(3)
"""Addresses by MS1 and MS2."""

_SYNC = 0x05
_TO_HOST = 0xFF
_WRITE = 0x80
_GCONF, _GSTAT, _IFCNT, _IHOLD_IRUN, _CHOPCONF, _DRV_STATUS = 0x00, 0x01, 0x02, 0x10, 0x6C, 0x6F
_SETTING = (
    (_GCONF, b"\x00\x00\x01\xc0"),  # by wire: microsteps by register, UART instead of PDN, filter on STEP
    (_CHOPCONF, b"\x14\x01\x00\x53"),  # 16 microsteps, interpolated to 256
    (_IHOLD_IRUN, b"\x00\x06\x18\x08"),  # three quarters of the current, a quarter at rest
    (_GSTAT, b"\x00\x00\x00\x07"),  # forget reset, fault and undervoltage
)
OVERTEMPERATURE, SHORT = 0x02, 0x3C
"""Bits of DRV_STATUS: too hot and switched off; a coil to ground or supply."""
_ANSWER = 8


def crc(data: bytearray, n: int) -> int:
    """CRC-8 of data[:n]: x^8 + x^2 + x + 1, each byte's lowest bit first."""
    value = 0
    for i in range(n):
        byte = data[i]
        for _ in range(8):
            value = (value << 1 ^ 0x07) & 0xFF if (value >> 7 ^ byte) & 1 else value << 1 & 0xFF
            byte >>= 1
    return value


def read_request(address: int, register: int, buf: bytearray) -> int:
    """Make a read request in buf; its length."""
    buf[0] = _SYNC
    buf[1] = address
    buf[2] = register
    buf[3] = crc(buf, 3)
    return 4


def write_request(address: int, register: int, value: bytes, buf: bytearray) -> int:
    """Make a write of four bytes in buf; its length."""
    buf[0] = _SYNC
    buf[1] = address
    buf[2] = register | _WRITE
    for i in range(4):
        buf[3 + i] = value[i]
    buf[7] = crc(buf, 7)
    return 8


def is_answer(register: int, buf: bytearray) -> bool:
    """Whether buf is a good answer to a read of a register."""
    return buf[0] == _SYNC and buf[1] == _TO_HOST and buf[2] == register and buf[7] == crc(buf, 7)


class Drivers:
    """All three. Only at rest: an answer takes 2 ms."""

    def __init__(self, wire: "UART") -> None:
        self._wire = wire
        self._out = bytearray(8)
        self._in = bytearray(_ANSWER)

    def set_up(self) -> bool:
        """Write all settings; whether every driver has taken every one of them, by its own count, and has no fault."""
        good = True
        for address in (DRIVE, DEPTH, PLUNGER):
            before = self._read(address, _IFCNT, 3)
            for register, value in _SETTING:
                self._say(write_request(address, register, value, self._out))
            after = self._read(address, _IFCNT, 3)
            good = good and before >= 0 and after == (before + len(_SETTING)) & 0xFF and self.faults(address) == 0
        return good

    def faults(self, address: int) -> int:
        """OVERTEMPERATURE and SHORT of a driver; -1 if it does not answer."""
        status = self._read(address, _DRV_STATUS, 3)
        return status if status < 0 else status & (OVERTEMPERATURE | SHORT)

    def _read(self, address: int, register: int, byte: int) -> int:
        """One byte of a register, 0 the highest; -1 without a good answer."""
        self._say(read_request(address, register, self._out))
        if self._wire.readinto(self._in) != _ANSWER or not is_answer(register, self._in):
            return -1
        return self._in[3 + byte]

    def _say(self, n: int) -> None:
        """Send the request and take its echo away."""
        wire = self._wire
        while wire.any():
            wire.read(wire.any())
        wire.write(memoryview(self._out)[:n])
        wire.readinto(self._in, n)
