"""The cartridge's identity chip (DS2431) behind its I2C bridge (DS2484), never busy. Maxim 19-4675, 19-6568."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

_POINT, _RESET, _WRITE, _READ = 0xE1, 0xB4, 0xA5, 0x96
_STATUS = 0xF0
_PRESENT, _LEVEL = 0x02, 0x08
_READ_ROM, _SKIP_ROM = 0x33, 0xCC
_READ_MEMORY, _WRITE_SCRATCHPAD, _READ_SCRATCHPAD, _COPY_SCRATCHPAD = 0xF0, 0x0F, 0xAA, 0x55


class Bridge:
    """DS2484. `mounted()` is the cartridge with its `serial` and `memory`, None if no chip answers."""

    def __init__(self, mounted: "Callable[[], object]") -> None:
        self._mounted = mounted
        self._pointer = _STATUS
        self._status = _LEVEL
        self._data = 0xFF
        self._heard = bytearray()
        """What the chip has been told since the last reset."""
        self._answer = b""
        self._row = bytearray(8)
        self._target = 0

    def write(self, data: bytes) -> None:
        """A command and its byte."""
        command = data[0]
        if command == _RESET:
            self._heard = bytearray()
            self._answer = b""
            self._status = _LEVEL if self._mounted() is None else _LEVEL | _PRESENT
            self._pointer = _STATUS
        elif command == _POINT:
            self._pointer = data[1]
        elif command == _WRITE:
            self._heard.append(data[1])
            if self._mounted() is not None:
                self._listen(self._mounted())
        elif command == _READ:
            self._data = self._answer[0] if self._answer else 0xFF
            self._answer = self._answer[1:]

    def read(self, n: int) -> bytes:
        """Status, or the byte that was read, as the pointer says."""
        return bytes([self._data if self._pointer == _POINT else self._status] * n)

    def _listen(self, chip: object) -> None:
        heard = self._heard
        memory = chip.memory  # type: ignore[attr-defined]
        if heard[0] == _READ_ROM:
            number = chip.serial[:7]  # type: ignore[attr-defined]
            self._answer = number + bytes((_crc8(number),))
        elif heard[0] == _SKIP_ROM and len(heard) >= 4:
            command, at = heard[1], heard[2]
            if command == _READ_MEMORY:
                self._answer = bytes(memory[at:])
            elif command == _WRITE_SCRATCHPAD and len(heard) == 12:
                self._row[:] = heard[4:12]
                self._answer = _with_crc(bytes(heard[1:12]))[11:]
                self._target = at
            elif command == _COPY_SCRATCHPAD and len(heard) == 5:
                memory[at : at + 8] = self._row
                self._answer = b"\xaa"
        elif len(heard) == 2 and heard[1] == _READ_SCRATCHPAD:
            self._answer = _with_crc(bytes((_READ_SCRATCHPAD, self._target, 0, 7)) + bytes(self._row))[1:]


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


def _with_crc(data: bytes) -> bytes:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return bytes(data) + bytes((~crc & 0xFF, ~crc >> 8 & 0xFF))
