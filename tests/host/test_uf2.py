"""UF2 files: whole ones are taken, and whatever is altered is refused or changes nothing."""

from __future__ import annotations

import contextlib
import hashlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesoinjector import uf2
from mesoinjector.errors import ImageError
from mesoinjector.uf2 import BLOCK, FLASH, PAGE, Image
from mesosim.bootsel import images

CHIPS = sorted(uf2.CHIPS)
DATA = {chip: images.image(chip, 18) for chip in CHIPS}
FILES = {chip: images.uf2(chip, DATA[chip]) for chip in CHIPS}


@pytest.mark.parametrize("chip", CHIPS)
def test_a_whole_file_is_taken(chip: str, tmp_path: Path) -> None:
    file = tmp_path / "firmware.uf2"
    file.write_bytes(FILES[chip])
    image = Image.load(file)
    assert (image.chip, image.data) == (chip, DATA[chip])
    assert image.sha256 == hashlib.sha256(DATA[chip]).hexdigest()


def test_the_start_is_where_the_boot_roms_look_for_it() -> None:
    assert Image.read("", FILES["RP2040"]).start == 252
    assert Image.read("", FILES["RP2350"]).start == PAGE
    assert uf2.crc32(b"123456789") == 0x0376E6E7  # CRC-32/MPEG-2's check value


@given(st.sampled_from(CHIPS), st.integers(0, 17), st.integers(0, 35), st.integers(1, 255))
def test_any_altered_byte_of_a_header_is_refused_or_leaves_the_image(chip: str, number: int, at: int, by: int) -> None:
    altered = bytearray(FILES[chip])
    place = number * BLOCK + (at if at < 32 else BLOCK - 36 + at)
    altered[place] ^= by
    with contextlib.suppress(ImageError):
        assert Image.read("", bytes(altered)).data == DATA[chip]


@given(st.sampled_from(CHIPS), st.data())
def test_blocks_that_are_missing_repeated_or_out_of_order_are_refused(chip: str, data: st.DataObject) -> None:
    blocks = [FILES[chip][at : at + BLOCK] for at in range(0, len(FILES[chip]), BLOCK)]
    first = len(blocks) - 18
    drawn = data.draw(st.lists(st.sampled_from(range(first, len(blocks))), max_size=20))
    if drawn != list(range(first, len(blocks))):
        with pytest.raises(ImageError, match="Next: "):
            Image.read("", b"".join(blocks[:first] + [blocks[i] for i in drawn]))


@given(st.binary(max_size=3 * BLOCK))
def test_any_bytes_are_refused(contents: bytes) -> None:
    with pytest.raises(ImageError, match="Next: "):
        Image.read("", contents)


def put(at: int, value: int) -> bytes:
    """An RP2040's file with another word in the header of block 1."""
    return FILES["RP2040"][: BLOCK + at] + struct.pack("<I", value) + FILES["RP2040"][BLOCK + at + 4 :]


LARGE = images.uf2("RP2040", DATA["RP2040"] + bytes(640 * 1024))
MISPLACED = [images.uf2("RP2040", images.image("RP2040", 18, 0, at)) for at in (FLASH + 0x20000, FLASH + 0xB0001)]
NO_CRC = images.uf2("RP2040", b"\0" * 4096)
NO_DEFINITION = images.uf2("RP2350", b"\0" * 4096)


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"", "0 bytes; a UF2 file is whole blocks of 512"),
        (FILES["RP2040"][:-1], "9215 bytes; .* cut off"),
        (FILES["RP2040"][:-BLOCK], "says it has 18 blocks, but there are 17"),
        (FILES["RP2350"][:BLOCK], "has no block of firmware"),
        (put(0, 0), "block 1 of 18 .*magic number"),
        (put(8, 0x2001), "not for the main flash"),
        (put(8, 0), "names no chip"),
        (put(8, 0x6000), "flags 0x00006000"),
        (put(12, FLASH + 1), "not to a page's begin"),
        (put(12, FLASH), "goes to 0x10000000, not to 0x10000100: a hole, an overlap"),
        (put(16, 476), "476 bytes of payload; it must be 256"),
        (put(20, 0), "is numbered 0, not 1"),
        (put(28, 0xE48BFF59), r"is for RP2350 \(0xe48bff59\), the first one for RP2040"),
        (put(28, 0xE48BFF57), "is for absolute"),
        (FILES["RP2350"].replace(b"\x59\xff\x8b\xe4", b"\x5a\xff\x8b\xe4"), "is for RP2350 RISC-V"),
        (FILES["RP2350"].replace(b"\x59\xff\x8b\xe4", b"\x5b\xff\x8b\xe4"), "is for RP2350 Arm, non-secure"),
        (FILES["RP2350"].replace(b"\x59\xff\x8b\xe4", b"\x01\x00\x00\x00"), "is for an unknown family"),
        (FILES["RP2350"] + FILES["RP2040"], "says it has 18 blocks, but there are 36|is for RP2040"),
        (LARGE, "its files begin at 0x100a0000"),
        *((each, "does not say where its files lie") for each in MISPLACED),
        (NO_CRC, "no start that the RP2040's boot ROM accepts"),
        (NO_DEFINITION, "no start that the RP2350's boot ROM accepts"),
        (bytes(3 << 20), "is larger than 2097664 bytes"),
    ],
)
def test_what_is_wrong_is_said(contents: bytes, said: str) -> None:
    with pytest.raises(ImageError, match=f"firmware.uf2: .*(?:{said}).* Nothing was written. Next: download"):
        Image.read("firmware.uf2", contents)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"No such file.* Next: "):
        Image.load(tmp_path / "none.uf2")
    with pytest.raises(ImageError, match=r"Is a directory.* Next: "):
        Image.load(tmp_path)
