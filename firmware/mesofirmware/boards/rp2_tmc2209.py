"""The motor drivers (TMC2209) on one serial wire: set up at the start, asked for faults while there is no motor power.

With power their DIAG tells at once. STEP and DIR move them; the wire carries registers only. Datasheet 1.09, chapters 4
and 5. A datagram is five, address, register, four bytes, CRC; what is sent is heard again, before the answer.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import UART

DRIVE, DEPTH, PLUNGER = range(3)
"""Addresses by MS1 and MS2."""

_SYNC = 0x05
_TO_HOST = 0xFF
_WRITE = 0x80
_GCONF, _GSTAT, _IFCNT, _NODECONF, _IHOLD_IRUN, _CHOPCONF = 0x00, 0x01, 0x02, 0x03, 0x10, 0x6C
_SETTING = (
    (_NODECONF, b"\x00\x00\x02\x00"),  # answers wait for 3 bytes' time, or the other two hear a broken request
    (_GCONF, b"\x00\x00\x01\xc0"),  # by wire: microsteps by register, UART instead of PDN, filter on STEP
    (_CHOPCONF, b"\x14\x01\x00\x53"),  # 16 microsteps, interpolated to 256
    (_IHOLD_IRUN, b"\x00\x06\x18\x08"),  # three quarters of the current, a quarter at rest
    (_GSTAT, b"\x00\x00\x00\x07"),  # forget what was
)
RESET, SHUT_DOWN, UNDERVOLTAGE = 1, 2, 4
"""Bits of GSTAT, which keeps the first two: its settings are lost, it has become too hot or found a short, the charge
pump lacks voltage. Open load (DRV_STATUS) is not asked for: the flag holds in slow motion only, when the answer's 2 ms
are STOP's, and a motor that does not step is noticed by index, encoder or home switch."""
_QUESTION, _ANSWER = 4, 8
"""Bytes; a write is as long as an answer."""


def crc(data: bytearray, n: int) -> int:
    """CRC-8 of data[:n]: x^8 + x^2 + x + 1, each byte's lowest bit first."""
    value = 0
    for i in range(n):
        byte = data[i]
        for _ in range(8):
            value = (value << 1 ^ 0x07) & 0xFF if (value >> 7 ^ byte) & 1 else value << 1 & 0xFF
            byte >>= 1
    return value


def request(address: int, register: int, value: bytes, buf: bytearray) -> int:
    """Make a write of four bytes in buf, or a read request without any; its length."""
    n = len(value)
    buf[0] = _SYNC
    buf[1] = address
    buf[2] = register | _WRITE if n else register
    for i in range(n):
        buf[3 + i] = value[i]
    buf[3 + n] = crc(buf, 3 + n)
    return 4 + n


def is_answer(register: int, buf: bytearray) -> bool:
    """Whether buf is a good answer to a read of a register."""
    return buf[0] == _SYNC and buf[1] == _TO_HOST and buf[2] == register and buf[7] == crc(buf, 7)


class Drivers:
    """All three. Only at rest: an answer takes 2 ms. Nothing is allocated after the start: a dose may be armed."""

    def __init__(self, wire: "UART") -> None:
        self._wire = wire
        self._out = bytearray(_ANSWER)
        self._question = memoryview(self._out)[:_QUESTION]
        self._in = bytearray(_ANSWER)
        self._next = DRIVE
        self.good = True
        """Every driver has taken every setting, by its own count, and none has had a fault since. False is for good:
        only a restart sets them up anew."""
        for address in (DRIVE, DEPTH, PLUNGER):
            before = self._read(address, _IFCNT)
            for register, value in _SETTING:
                self._say(request(address, register, value, self._out))
            after = self._read(address, _IFCNT)
            if before < 0 or after != (before + len(_SETTING)) & 0xFF or self._read(address, _GSTAT):
                self.good = False

    def ask(self) -> None:
        """Ask the next driver, one at each call: a fault, or twice no answer, and they are good no more."""
        self._next = (self._next + 1) % 3
        if self._read(self._next, _GSTAT) and self._read(self._next, _GSTAT):
            self.good = False

    def _read(self, address: int, register: int) -> int:
        """The lowest byte of a register; -1 without a good answer."""
        self._say(request(address, register, b"", self._out))
        if self._wire.readinto(self._in) != _ANSWER or not is_answer(register, self._in):
            return -1
        return self._in[6]

    def _say(self, n: int) -> None:
        """Send the request and take its echo away."""
        wire = self._wire
        while wire.any():
            wire.readinto(self._in, min(wire.any(), _ANSWER))
        wire.write(self._question if n == _QUESTION else self._out)
        wire.readinto(self._in, n)
