"""Images that the boot ROMs start, with nothing that runs, and UF2 files of them."""

from __future__ import annotations

import random
import struct

PAGE = 256
FLASH = 0x10000000
FAMILY = {"RP2040": 0xE48BFF56, "RP2350": 0xE48BFF59}
ABSOLUTE = 0xE48BFF57
FLASH_BYTES = {"RP2040": 2 << 20, "RP2350": 4 << 20}
FILES_AT = {"RP2040": FLASH + (2048 - 1408) * 1024, "RP2350": FLASH + (4096 - 2560) * 1024}
"""Where MicroPython's filesystem begins on a Pico and on a Pico 2: as `mesosim.blank` has it."""
IMAGE_DEF = struct.pack("<5I", 0xFFFFDED3, 0x10210142, 0x000001FF, 0, 0xAB123579)
"""The least that makes a program for Arm of an RP2350's flash: RP2350 datasheet 5.9.5.1."""


def image(chip: str, pages: int, seed: int = 0, files_at: int = 0) -> bytes:
    """Drawn bytes with a start that the chip's boot ROM accepts, which say where their filesystem is."""
    drawn = bytearray(random.Random(seed).randbytes(pages * PAGE))
    begin = files_at or FILES_AT[chip]
    drawn[-100:-84] = struct.pack("<HHIII", 7, 0x504D, 0, begin, FLASH + FLASH_BYTES[chip] - begin)
    if chip == "RP2040":
        drawn[PAGE - 4 : PAGE] = struct.pack("<I", checksum(bytes(drawn[: PAGE - 4])))
    else:
        drawn[PAGE : PAGE + len(IMAGE_DEF)] = IMAGE_DEF
    return bytes(drawn)


def checksum(data: bytes) -> int:
    """What an RP2040's first page ends with: CRC-32 from the highest bit on, by long division."""
    number = int.from_bytes(data, "big") << 32
    number ^= 0xFFFFFFFF << (8 * len(data))
    for bit in range(8 * len(data) + 31, 31, -1):
        if number >> bit & 1:
            number ^= 0x104C11DB7 << (bit - 32)
    return number


def starts(chip: str, flash: bytes) -> bool:
    """Whether the chip's boot ROM leaves its bootloader for what is in flash."""
    if chip == "RP2040":
        return flash[PAGE - 4 : PAGE] == struct.pack("<I", checksum(flash[: PAGE - 4]))
    at = flash.find(IMAGE_DEF, 0, 4096)
    return at >= 0 and at % 4 == 0


def block(family: int, at: int, page: bytes, number: int, count: int, flags: int = 0x2000) -> bytes:
    """One block of 512 bytes."""
    head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, at, len(page), number, count, family)
    return head + page + bytes(476 - len(page)) + struct.pack("<I", 0x0AB16F30)


def uf2(chip: str, data: bytes) -> bytes:
    """A UF2 file as picotool writes it, an RP2350's with the block against erratum E10 before it."""
    count = len(data) // PAGE
    blocks = [block(FAMILY[chip], FLASH + i * PAGE, data[i * PAGE : (i + 1) * PAGE], i, count) for i in range(count)]
    if chip == "RP2350":
        ignored = block(ABSOLUTE, FLASH + 0xFFFF00, b"\xef" * PAGE, 0, 2, 0xA000)
        blocks.insert(0, ignored[:288] + struct.pack("<I", 0x9957E304) + ignored[292:])
    return b"".join(blocks)
