"""UF2 images of MicroPython, checked whole before anything is written: one run of flash for one chip, which starts it.

The format is Microsoft's, its families are Raspberry Pi's: pico-sdk `boot/uf2.h`. What is stricter here: the blocks are
in order, without a hole, from the begin of flash, so that a damaged header is never another image.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mesoinjector import errors

FLASH = 0x10000000
"""Where flash begins in both chips' memory: pico-sdk `hardware/regs/addressmap.h`, XIP_BASE."""
PAGE = 256
SECTOR = 4096
BLOCK = 512
_HEADER = struct.Struct("<8I")
_START = (0x0A324655, 0x9E5D5157)
_END = 0x0AB16F30
_NOT_MAIN_FLASH = 0x0001
_FAMILY_ID = 0x2000
_EXTENSION = 0x8000
_IGNORE_BLOCK = 0x9957E304
_ABSOLUTE = 0xE48BFF57


class _Chip(NamedTuple):
    family: int
    board: str
    """MicroPython's build for it."""
    files_at: int
    """The first place at which a release of MicroPython for such a board begins its filesystem, which goes to the end
    of flash: micropython `ports/rp2`, MICROPY_HW_FLASH_STORAGE_BYTES."""
    flash_bytes: int


CHIPS = {
    "RP2040": _Chip(0xE48BFF56, "RPI_PICO", FLASH + (2048 - 1408) * 1024, 2 << 20),
    "RP2350": _Chip(0xE48BFF59, "RPI_PICO2", FLASH + 1024 * 1024, 4 << 20),
}
_FAMILIES = {
    0xE48BFF55: "CYW43 firmware",
    _ABSOLUTE: "absolute",
    0xE48BFF58: "data",
    0xE48BFF5A: "RP2350 RISC-V",
    0xE48BFF5B: "RP2350 Arm, non-secure",
    **{chip.family: name for name, chip in CHIPS.items()},
}
_MOST = 2 * (max(chip.files_at for chip in CHIPS.values()) - FLASH) + BLOCK
"""Bytes of the largest file that can be one: each block of 512 has a page of 256; and one block is skipped."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a chip's flash shall hold from `FLASH` on."""

    name: str
    """The file's."""
    chip: str
    """`RP2040` or `RP2350`."""
    data: bytes
    """Whole pages."""
    start: int
    """Offset of the word without which the boot ROM does not start it."""
    files_at: int
    """Address at which it looks for its filesystem, and makes one where there is none."""

    @property
    def sha256(self) -> str:
        """Of `data`, 64 hex digits."""
        return hashlib.sha256(self.data).hexdigest()

    @classmethod
    def load(cls, path: Path | str) -> Image:
        """Read a file. Raises `ImageError`."""
        try:
            with open(path, "rb") as file:
                contents = file.read(_MOST + 1)
        except OSError as error:
            raise errors.ImageError(f"{path}: {error.strerror}. Next: name a UF2 file of MicroPython.") from None
        return cls.read(str(path), contents)

    @classmethod
    def read(cls, name: str, contents: bytes) -> Image:
        """Take a file's bytes. Raises `ImageError`, with the block that is wrong and why."""
        if len(contents) > _MOST:
            raise _wrong(name, f"is larger than {_MOST} bytes, more than any board has room for")
        if not contents or len(contents) % BLOCK:
            raise _wrong(
                name, f"{len(contents)} bytes; a UF2 file is whole blocks of {BLOCK}: it is not one, or cut off"
            )
        blocks = [contents[at : at + BLOCK] for at in range(0, len(contents), BLOCK)]
        first = 1 if _is_absolute(blocks[0]) else 0
        if len(blocks) == first:
            raise _wrong(name, "has no block of firmware")
        family = _HEADER.unpack_from(blocks[first])[7]
        chip = next((chip for chip, facts in CHIPS.items() if facts.family == family), None)
        for at, block in enumerate(blocks[first:]):
            said = _header(block) or _place(block, at, len(blocks) - first, family)
            if said:
                raise _wrong(name, f"block {at + first} of {len(blocks)} (from 0): {said}")
        if chip is None:
            raise _wrong(name, f"is for {_family(family)}; it must be for {' or '.join(CHIPS)}")
        data = b"".join(block[_HEADER.size : _HEADER.size + PAGE] for block in blocks[first:])
        start = _start(chip, data)
        if start is None:
            raise _wrong(name, f"has no start that the {chip}'s boot ROM accepts")
        files_at = _files_at(chip, data)
        if files_at is None:
            raise _wrong(name, f"does not say where its files lie: it is not MicroPython for a board with an {chip}")
        end = FLASH + len(data)
        if end > files_at:
            raise _wrong(name, f"ends at 0x{end:08x}, but its files begin at 0x{files_at:08x}")
        return cls(name, chip, data, start, files_at)


def _header(block: bytes) -> str:
    """What is wrong with a block by itself; empty: nothing."""
    start, second, flags, target, size, _, _, _ = _HEADER.unpack_from(block)
    if (start, second) != _START or struct.unpack_from("<I", block, BLOCK - 4)[0] != _END:
        return "a magic number is wrong: it is not UF2, or damaged"
    if flags & _NOT_MAIN_FLASH:
        return "is not for the main flash (flag NOT_MAIN_FLASH)"
    if not flags & _FAMILY_ID:
        return "names no chip (flag FAMILY_ID is not set)"
    if flags != _FAMILY_ID:
        return f"flags 0x{flags:08x}; only FAMILY_ID, 0x{_FAMILY_ID:08x}, is taken"
    if size != PAGE:
        return f"{size} bytes of payload; it must be {PAGE}"
    if target % PAGE:
        return f"goes to 0x{target:08x}, not to a page's begin (a multiple of {PAGE})"
    return ""


def _place(block: bytes, at: int, count: int, family: int) -> str:
    """What is wrong with a block among the others."""
    _, _, _, target, _, number, of, its_family = _HEADER.unpack_from(block)
    if its_family != family:
        return f"is for {_family(its_family)}, the first one for {_family(family)}: a file for one chip is wanted"
    if of != count:
        return f"the file says it has {of} blocks, but there are {count}: it is cut off, or two files in one"
    if number != at:
        return f"is numbered {number}, not {at}: blocks are missing, repeated or out of order"
    if target != FLASH + at * PAGE:
        return f"goes to 0x{target:08x}, not to 0x{FLASH + at * PAGE:08x}: a hole, an overlap, or outside of flash"
    return ""


def _is_absolute(block: bytes) -> bool:
    """Whether it is the one that picotool puts before an RP2350's, against erratum E10, and that nobody shall write.

    By pico-sdk's picotool, `elf2uf2.cpp`: block 0 of 2, a page of 0xEF. Where it would lie does not matter.
    """
    start, second, flags, _, size, number, of, family = _HEADER.unpack_from(block)
    extension, end = (
        struct.unpack_from("<I", block, _HEADER.size + PAGE)[0],
        struct.unpack_from("<I", block, BLOCK - 4)[0],
    )
    return (
        (start, second, end, size, number, of, family) == (*_START, _END, PAGE, 0, 2, _ABSOLUTE)
        and (flags == _FAMILY_ID or (flags == _FAMILY_ID | _EXTENSION and extension == _IGNORE_BLOCK))
        and block[_HEADER.size : _HEADER.size + PAGE] == b"\xef" * PAGE
    )


def _start(chip: str, data: bytes) -> int | None:
    """Offset of the word by which the boot ROM knows that it may start it; None: it would not.

    RP2040 datasheet 2.8.1: the first page ends with the CRC-32 of the rest of it. RP2350 datasheet 5.9: in the first
    4096 bytes is a block that begins with an IMAGE_DEF, here of a program for Arm.
    """
    if chip == "RP2040":
        return PAGE - 4 if crc32(data[: PAGE - 4]) == struct.unpack_from("<I", data, PAGE - 4)[0] else None
    words = struct.unpack(f"<{min(len(data), SECTOR) // 4}I", data[:SECTOR])
    pairs = itertools.pairwise(words)
    return next((4 * i for i, pair in enumerate(pairs) if (pair[0], pair[1] & ~_TRIED) == _IMAGE_DEF), None)


def _files_at(chip: str, data: bytes) -> int | None:
    """Where the filesystem lies, by the binary information in the image; None: it has none up to the end of flash.

    pico-sdk `pico/binary_info/structure.h`: a block device of MicroPython's is type 7, tag MP, name, address, size.
    """
    facts = CHIPS[chip]
    at = data.find(_BLOCK_DEVICE)
    while at >= 0 and at + _DEVICE.size <= len(data):
        _, _, address, size = _DEVICE.unpack_from(data, at)
        if address % SECTOR == 0 and address >= facts.files_at and address + size == FLASH + facts.flash_bytes:
            return int(address)
        at = data.find(_BLOCK_DEVICE, at + 1)
    return None


_BLOCK_DEVICE = b"\x07\0MP"
_DEVICE = struct.Struct("<4sIII")
_IMAGE_DEF = (0xFFFFDED3, 0x10210142)
_TRIED = 1 << 31
"""Flag of an image that is tried before it is kept."""


def crc32(data: bytes) -> int:
    """CRC-32 without reflection: polynomial 0x04C11DB7, start 0xFFFFFFFF, nothing inverted at the end."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def _family(family: int) -> str:
    return f"{_FAMILIES.get(family, 'an unknown family')} (0x{family:08x})"


def _wrong(name: str, said: str) -> errors.ImageError:
    builds = ", ".join(f"{chip.board} for {name}" for name, chip in CHIPS.items())
    return errors.ImageError(
        f"{name}: {said}. Nothing was written. Next: download MicroPython's UF2 file again, {builds}."
    )
