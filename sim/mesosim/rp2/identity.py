"""The 1-Wire bridge (DS2484) with the mounted cartridge's identity chip (DS2431) on its wire, by their datasheets.

Never busy: what a command asks for is there when it is read. The chip's number is the cartridge's serial, its last byte
the CRC that a real one has.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world import plant

_SET_POINTER, _RESET, _WRITE_BYTE, _READ_BYTE = 0xE1, 0xB4, 0xA5, 0x96
_STATUS, _DATA = 0xF0, 0xE1
_PRESENT = 0x02
_READ_ROM, _SKIP_ROM = 0x33, 0xCC
_READ_MEMORY, _WRITE_SCRATCHPAD, _READ_SCRATCHPAD, _COPY_SCRATCHPAD = 0xF0, 0x0F, 0xAA, 0x55
_WHOLE_ROW = 0x07
_ROW = 8


class Bridge:
    """What the bus sees at 0x18. `mounted` says whether a chip is on the wire."""

    def __init__(self, thing: "plant.Plant", mounted: object) -> None:
        self._plant = thing
        self._mounted = mounted
        self._pointer = _STATUS
        self._data = 0xFF
        self._said = bytearray()
        self._answers = bytearray()
        self._at = 0
        self._row = bytes(_ROW)

    def write(self, data: bytes) -> None:
        """A command of the bridge."""
        command = data[0]
        if command == _SET_POINTER:
            self._pointer = data[1]
            return
        self._pointer = _STATUS
        if command == _RESET:
            self._said = bytearray()
            self._answers = bytearray()
        elif command == _WRITE_BYTE:
            self._said.append(data[1])
            if self._mounted():  # type: ignore[operator]
                self._hear(bytes(self._said))
        elif command == _READ_BYTE:
            self._data = self._answers[0] if self._answers else 0xFF
            self._answers = self._answers[1:]

    def read(self, n: int) -> bytes:
        """The register that the pointer is at."""
        if self._pointer == _DATA:
            return bytes([self._data] * n)
        return bytes([_PRESENT if self._mounted() else 0] * n)  # type: ignore[operator]

    def _hear(self, said: bytes) -> None:
        """What the chip makes of all that was said since the reset."""
        chip = self._plant.cartridge
        if said == bytes((_READ_ROM,)):
            number = bytes(chip.serial[:7])
            self._answers = bytearray(number + bytes((crc8(number),)))
        if len(said) < 2 or said[0] != _SKIP_ROM:
            return
        function = said[1]
        if function == _READ_SCRATCHPAD and len(said) == 2:
            held = bytes((_READ_SCRATCHPAD, self._at, 0, _WHOLE_ROW)) + self._row
            self._answers = bytearray(held[1:] + crc16(held))
        if len(said) < 4:
            return
        at = said[2] | said[3] << 8
        if function == _READ_MEMORY and len(said) == 4:
            self._answers = bytearray(chip.memory[at:])
        elif function == _WRITE_SCRATCHPAD and len(said) == 4 + _ROW:
            self._at = at & ~(_ROW - 1)
            self._row = said[4:]
            self._answers = bytearray(crc16(said[1:]))
        elif function == _COPY_SCRATCHPAD and len(said) == 5 and at == self._at and said[4] == _WHOLE_ROW:
            for i in range(_ROW):
                chip.memory[at + i] = self._row[i]


def crc8(data: bytes) -> int:
    """x^8 + x^5 + x^4 + 1, lowest bit first."""
    crc = 0
    for byte in data:
        for i in range(8):
            crc = crc >> 1 ^ (0x8C if (crc ^ byte >> i) & 1 else 0)
    return crc


def crc16(data: bytes) -> bytes:
    """The complement of x^16 + x^15 + x^2 + 1, lowest bit first, as it is sent."""
    crc = 0
    for byte in data:
        for i in range(8):
            crc = crc >> 1 ^ (0xA001 if (crc ^ byte >> i) & 1 else 0)
    crc ^= 0xFFFF
    return bytes((crc & 0xFF, crc >> 8))
