"""What hangs on the chip's buses: the FRAM on I2C, the motor drivers on one serial line."""


class Fram:
    """An FRAM with two address bytes, as MB85RC256V: content outlives the chip that it hangs on."""

    def __init__(self, content: bytearray) -> None:
        self._content = content
        self._at = 0

    def write(self, data: bytes) -> None:
        """A message: the address, then bytes to be written from there on, around the end."""
        self._at = (data[0] << 8 | data[1]) % len(self._content)
        for byte in data[2:]:
            self._content[self._at] = byte
            self._at = (self._at + 1) % len(self._content)

    def read(self, n: int) -> bytes:
        """The next n bytes."""
        data = bytearray(n)
        for i in range(n):
            data[i] = self._content[self._at]
            self._at = (self._at + 1) % len(self._content)
        return bytes(data)


_SYNC, _MASTER, _WRITE = 0x05, 0xFF, 0x80


class Drivers:
    """TMC2209 drivers on one wire by their addresses; the host hears itself. Datasheet 4.1 and 5."""

    GSTAT = 0x01
    IFCNT = 0x02
    IOIN = 0x06
    VERSION = 0x21 << 24
    RESET, SHUT_DOWN, UNDERVOLTAGE = 1, 2, 4

    def __init__(self, addresses: tuple) -> None:
        self._registers: list = [
            {self.GSTAT: self.RESET, self.IFCNT: 0, self.IOIN: self.VERSION} if i in addresses else None
            for i in range(4)
        ]

    def fail(self, address: int, status: int) -> None:
        """Bits of GSTAT come up: RESET and what was set is lost, SHUT_DOWN, or UNDERVOLTAGE while it lasts."""
        registers = self._registers[address]
        if status & self.RESET:
            registers.clear()
            registers.update({self.GSTAT: 0, self.IFCNT: 0, self.IOIN: self.VERSION})
        registers[self.GSTAT] |= status

    def diag(self) -> bool:
        """DIAG of any driver."""
        return any(each is not None and each[self.GSTAT] & ~self.RESET for each in self._registers)

    def say(self, data: bytes) -> bytes:
        """What the line carries when these bytes are sent: themselves, and an answer to a good read request."""
        echo = data
        while len(data) >= 4 and data[0] & 0x0F == _SYNC:
            n = 8 if data[2] & _WRITE else 4
            request, data = data[:n], data[n:]
            if len(request) == n and crc8(request[: n - 1]) == request[n - 1]:
                echo += self._serve(request)
        return echo

    def _serve(self, request: bytes) -> bytes:
        registers = self._registers[request[1]] if request[1] < 4 else None
        if registers is None:
            return b""
        register = request[2] & 0x7F
        if request[2] & _WRITE:
            value = int.from_bytes(request[3:7], "big")
            registers[register] = registers[register] & ~value if register == self.GSTAT else value
            registers[self.IFCNT] = (registers[self.IFCNT] + 1) & 0xFF
            return b""
        answer: bytes = bytes((_SYNC, _MASTER, register)) + registers.get(register, 0).to_bytes(4, "big")
        return answer + bytes((crc8(answer),))


def crc8(data: bytes) -> int:
    """The driver's checksum: x^8 + x^2 + x + 1, least significant bit first."""
    crc = 0
    for byte in data:
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if (crc >> 7 ^ byte) & 1 else crc << 1 & 0xFF
            byte >>= 1
    return crc
