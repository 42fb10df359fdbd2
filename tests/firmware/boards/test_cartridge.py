"""The cartridge's chip (DS2431) behind its bridge (DS2484): CRCs, rows, and what a bad wire does."""

from typing import Any

import pytest

from mesofirmware.boards import rp2_cartridge, rp2_onewire
from tests.firmware.boards.i2c import Bus

ROM = bytes((0x2D, 1, 2, 3, 4, 5, 6))
ROM += bytes((rp2_onewire.crc8(bytearray(ROM), 7),))


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (b"\x02\x1c\xb8\x01\x00\x00\x00", 0xA2),  # Maxim application note 27
        (b"123456789", 0xA1),  # the catalogue's CRC-8/MAXIM-DOW
    ],
)
def test_crc8(data: bytes, crc: int):
    assert rp2_onewire.crc8(bytearray(data), len(data)) == crc
    assert rp2_onewire.crc8(bytearray(data) + bytes((crc,)), len(data) + 1) == 0


def test_crc16():
    """The catalogue's CRC-16/ARC; with its complement behind it always the same."""
    assert rp2_onewire.crc16(0, bytearray(b"123456789"), 9) == 0xBB3D
    whole = bytearray(b"123456789") + (0xBB3D ^ 0xFFFF).to_bytes(2, "little")
    assert rp2_onewire.crc16(0, whole, 11) == 0xB001


class Bridge:
    """DS2484, and the DS2431 on its wire; `flips` turns over a bit of the n-th byte that the chip receives or sends."""

    def __init__(self, *, present: bool = True, flips: int = -1, rom: bytes = ROM) -> None:
        self.memory = bytearray(range(128))
        self.asleep_ms = 0
        self._present = present
        self._flips = flips
        self._rom = rom
        self._passed = 0
        self._said: list[int] = []
        self._answers = bytearray()
        self._pointer = 0xF0
        self._data = 0
        self._scratch: tuple[int, bytes] = (0, bytes(8))
        self._copying: bytes | None = None

    def receive(self, message: bytes) -> None:
        match message[0]:
            case 0xE1:
                self._pointer = message[1]
            case 0xB4:
                self._pointer = 0xF0
                self._said.clear()
                self._answers.clear()
            case 0xA5:
                self._pointer = 0xF0
                self._said.append(self._over(message[1]))
                if self._present:
                    self._say()
            case 0x96:
                self._pointer = 0xF0
                self._data = self._over(self._answers.pop(0)) if self._answers else 0xFF

    def answer(self, n: int) -> bytes:
        return bytes((self._data if self._pointer == 0xE1 else 0x02 if self._present else 0x00,)) * n

    def sleep_ms(self, ms: int) -> None:
        self.asleep_ms += ms
        if self._copying is not None and ms >= 10:
            at, row = self._scratch
            self.memory[at : at + 8] = row
        self._copying = None

    def _over(self, byte: int) -> int:
        self._passed += 1
        return byte ^ 0x10 if self._passed == self._flips else byte

    def _say(self) -> None:
        match self._said:
            case [0x33]:
                self._answers = bytearray(self._rom)
            case [0xCC, 0xF0, at, 0]:
                self._answers = bytearray(self.memory[at:])
            case [0xCC, 0x0F, at, 0, *row] if len(row) == 8:
                self._scratch = (at & 0x78, bytes(row))
                self._answers = bytearray(_with_crc(bytes((0x0F, at, 0)) + bytes(row))[11:])
            case [0xCC, 0xAA]:
                at, held = self._scratch
                self._answers = bytearray(_with_crc(bytes((0xAA, at, 0, 0x07)) + held)[1:])
            case [0xCC, 0x55, at, 0, 0x07] if at == self._scratch[0]:
                self._copying = self._scratch[1]


def _with_crc(data: bytes) -> bytes:
    return data + (rp2_onewire.crc16(0, bytearray(data), len(data)) ^ 0xFFFF).to_bytes(2, "little")


def mounted(bridge: Bridge) -> rp2_cartridge.Cartridge:
    return rp2_cartridge.Cartridge(rp2_onewire.OneWire(Bus({0x18: bridge})), bridge.sleep_ms)


def test_the_chips_number():
    buf = bytearray(8)
    assert mounted(Bridge()).identity(buf)
    assert buf == ROM


@pytest.mark.parametrize(
    "how", [{"present": False}, {"flips": 5}, {"flips": 14}, {"rom": bytes(8)}, {"rom": b"\xff" * 8}], ids=str
)
def test_no_number_without_a_chip_that_gives_it_twice(how: dict[str, Any]):
    assert not mounted(Bridge(**how)).identity(bytearray(8))


@pytest.mark.parametrize(("at", "n"), [(0, 128), (5, 1), (120, 8), (60, 9)])
def test_reading(at: int, n: int):
    buf = bytearray(128)
    mounted(Bridge()).read(at, buf, n)
    assert buf[:n] == bytes(range(at, at + n))


@pytest.mark.parametrize(("at", "n"), [(0, 8), (0, 1), (7, 2), (3, 20), (120, 8), (0, 128)])
def test_writing_keeps_the_bytes_beside(at: int, n: int):
    bridge = Bridge()
    mounted(bridge).write(at, bytearray([0xA5] * n), n)
    assert bridge.memory == bytes(range(at)) + b"\xa5" * n + bytes(range(at + n, 128))


@pytest.mark.parametrize("flips", [17, 24, 25, 26, 29, 34, 39, 40])
def test_a_row_that_was_not_received_as_sent_is_not_written(flips: int):
    bridge = Bridge(flips=flips)
    mounted(bridge).write(8, bytearray([0xA5] * 8), 8)
    assert bridge.memory == bytes(range(128))


def test_without_a_chip_every_byte_is_255_and_writing_is_lost():
    bridge = Bridge(present=False)
    buf = bytearray(4)
    cartridge = mounted(bridge)
    cartridge.write(0, buf, 4)
    cartridge.read(0, buf, 4)
    assert buf == b"\xff\xff\xff\xff"


@pytest.mark.parametrize(("at", "n"), [(-1, 1), (128, 1), (121, 8), (0, 129)])
def test_outside_the_chip_is_refused(at: int, n: int):
    cartridge = mounted(Bridge())
    for call in (cartridge.read, cartridge.write):
        with pytest.raises(IndexError, match="of a chip of 128"):
            call(at, bytearray(200), n)
