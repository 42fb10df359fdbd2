"""1-Wire by an I2C bridge (DS2484): no interrupt is held off for its time slots.

Only at rest: a byte takes 0.6 ms. Raises OSError when the bus does not answer. Commands: Maxim 19-6568.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machine import I2C

_ADDRESS = 0x18
_DEVICE_RESET, _SET_POINTER, _WRITE_CONFIG = 0xF0, 0xE1, 0xD2
_RESET, _WRITE_BYTE, _READ_BYTE = 0xB4, 0xA5, 0x96
_STATUS, _DATA = 0xF0, 0xE1
_ACTIVE_PULLUP = 0xE1
_BUSY, _PRESENT = 0x01, 0x02
_LOOKS = 50
"""At 100 us or more each; a reset takes 1.2 ms."""


def crc8(data: bytearray, n: int) -> int:
    """CRC of a ROM id's first seven bytes: x^8 + x^5 + x^4 + 1, lowest bit first. 0 over all eight."""
    crc = 0
    for i in range(n):
        crc ^= data[i]
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


def crc16(crc: int, data: bytearray, n: int) -> int:
    """CRC of memory functions: x^16 + x^15 + x^2 + 1, lowest bit first; a device sends its complement."""
    for i in range(n):
        crc ^= data[i]
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


class OneWire:
    """The wire."""

    def __init__(self, bus: "I2C") -> None:
        self._bus = bus
        self._one = bytearray(1)
        self._two = bytearray(2)
        self._send(_DEVICE_RESET)
        self._send_with(_WRITE_CONFIG, _ACTIVE_PULLUP)

    def reset(self) -> bool:
        """Reset the wire; whether anything is on it."""
        self._send(_RESET)
        return self._wait() & _PRESENT != 0

    def write(self, byte: int) -> None:
        """Send a byte."""
        self._send_with(_WRITE_BYTE, byte)
        self._wait()

    def read(self) -> int:
        """Receive a byte."""
        self._send(_READ_BYTE)
        self._wait()
        self._send_with(_SET_POINTER, _DATA)
        self._bus.readfrom_into(_ADDRESS, self._one)
        return self._one[0]

    def _wait(self) -> int:
        """The bridge's status, once it is no longer busy; 0 if it stays so."""
        self._send_with(_SET_POINTER, _STATUS)
        for _ in range(_LOOKS):
            self._bus.readfrom_into(_ADDRESS, self._one)
            if not self._one[0] & _BUSY:
                return self._one[0]
        return 0

    def _send(self, command: int) -> None:
        self._one[0] = command
        self._bus.writeto(_ADDRESS, self._one)

    def _send_with(self, command: int, byte: int) -> None:
        self._two[0] = command
        self._two[1] = byte
        self._bus.writeto(_ADDRESS, self._two)
