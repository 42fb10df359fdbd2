"""A board's flash by PICOBOOT: written, read back, and for each fault at each transfer done or said, and repeated.

The boards are simulated boot ROMs on a bus that pyusb asks; what is in their flash is the witness.
"""

from __future__ import annotations

import functools
import re
import struct
from pathlib import Path

import pytest

pytest.importorskip("usb", reason="pyusb is not installed: pip install 'mesoinjector[usb]'")
pytest.importorskip("libusb_package", reason="libusb-package is not installed: pip install 'mesoinjector[usb]'")

from mesoinjector import uf2, usb_bus
from mesoinjector.errors import DeviceNotFound, FlashError, ImageError, MesoError, PermissionDenied
from mesoinjector.picoboot import Boot
from mesoinjector.uf2 import FLASH, PAGE, SECTOR, Image
from mesosim.bootsel import images, rom
from mesosim.bootsel.bus import Board, Bus, Fault, Kind

MODELS = {"RP2040": rom.RP2040, "RP2350": rom.RP2350}
CHIPS = sorted(MODELS)
PAGES = 2 * SECTOR // PAGE + 3
END = 3 * SECTOR
"""The image's last sector is its own in three pages."""
PAGE_ON_FLASHING = Path(__file__).parents[2] / "docs" / "flashing.md"
FILES = b"calibration, keys and settings"
KINDS: tuple[Kind, ...] = ("unplugged", "torn", "stall", "timeout", "short")


@functools.cache
def image(chip: str, seed: int = 1) -> Image:
    return Image.read(f"{chip}.uf2", images.uf2(chip, images.image(chip, PAGES, seed)))


def board(chip: str, holds: Image | None = None) -> Board:
    """One with files behind its firmware, in its bootloader."""
    one = Board(MODELS[chip])
    if holds:
        one.flash.cells[: len(holds.data)] = holds.data
    one.flash.cells[len(image(chip).data) : END] = b"\x5a" * (END - len(image(chip).data))
    one.flash.cells[END : END + len(FILES)] = FILES
    put_filesystem(one, images.FILES_AT[chip])
    one.flash.cells[-len(FILES) :] = FILES
    one.plug(bootsel=True)
    return one


def put_filesystem(one: Board, at: int, block: int = 0) -> None:
    """The begin of a littlefs, in the first or the second of its two blocks."""
    begin = at - FLASH + block * SECTOR
    one.flash.cells[begin + 8 : begin + 16] = b"littlefs"


def flash(bus: Bus, wanted: Image) -> int:
    """All of it: written, compared, restarted."""
    (found,) = usb_bus.bootloaders(bus)
    with Boot(found, bus) as boot:
        count = boot.write(wanted)
        boot.verify(wanted)
        boot.reboot()
    return count


def outside(one: Board) -> bytes:
    """What no write of the image may touch."""
    return bytes(one.flash.cells[END:])


@pytest.mark.parametrize("chip", CHIPS)
def test_an_image_is_written_read_back_and_started(chip: str) -> None:
    one = board(chip)
    bus = Bus([one])
    before = bytes(one.flash.cells)
    assert flash(bus, image(chip)) == 3
    assert one.flash.cells == image(chip).data + before[len(image(chip).data) :]
    assert usb_bus.bootloaders(bus) == [] and one.boot is None and one.plugged


@pytest.mark.parametrize("chip", CHIPS)
def test_only_sectors_that_differ_are_erased(chip: str) -> None:
    one = board(chip, image(chip))
    bus = Bus([one])
    assert flash(bus, image(chip)) == 0
    assert one.flash.erased == [] and one.flash.programmed == []
    one.flash.cells[SECTOR + 5] ^= 1
    one.plug(bootsel=True)
    assert flash(bus, image(chip)) == 2
    assert one.flash.erased == [0, SECTOR]
    assert one.flash.cells[: len(image(chip).data)] == image(chip).data


@pytest.mark.parametrize("chip", CHIPS)
def test_progress_reaches_its_end_and_never_goes_back(chip: str) -> None:
    bus = Bus([board(chip)])
    told: list[tuple[int, int]] = []
    with Boot(usb_bus.bootloaders(bus)[0], bus) as boot:
        boot.write(image(chip), lambda done, of: told.append((done, of)))
        assert told == sorted(told) and told[-1] == (END, END)
        told.clear()
        boot.verify(image(chip), lambda done, of: told.append((done, of)))
    assert told == sorted(told) and told[-1] == (len(image(chip).data),) * 2


@functools.cache
def transfers(chip: str) -> int:
    bus = Bus([board(chip, image(chip, 2))])
    flash(bus, image(chip))
    return bus.transfers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chip", CHIPS)
def test_for_each_fault_at_each_transfer_it_is_done_or_said_and_repeated(chip: str, kind: Kind) -> None:
    old, new = image(chip, 2), image(chip)
    said: set[str] = set()
    for at in range(1, transfers(chip) + 1):
        one = board(chip, old)
        bus, before = Bus([one], Fault(kind, at)), outside(one)
        try:
            flash(bus, new)
            done = True
        except MesoError as error:
            done = False
            text = str(error)
            assert "Next: " in text, at
            said.add(text)
            if "Nothing was changed." in text:
                assert one.flash.cells[: len(old.data)] == old.data, at
        if done:
            assert one.flash.cells[: len(new.data)] == new.data, at
        assert outside(one) == before, at
        # without BOOTSEL, as somebody plugs it in who has not read the message: it runs what is whole, or waits
        one.unplug()
        one.plug(bootsel=False)
        if one.boot is None:
            assert bytes(one.flash.cells[: len(old.data)]) in (old.data, new.data), at
        # the same once more
        bus.fault = None
        one.plug(bootsel=True)
        flash(bus, new)
        assert one.flash.cells[: len(new.data)] == new.data, at
        assert outside(one) == before, at
    for stands in ("Nothing was changed.", "Its firmware is written in part", "perhaps not its start", "was read back"):
        assert any(stands in text for text in said), stands


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize("at", [0, 252, 253, PAGE, PAGE + 1, SECTOR - 1, SECTOR, 2 * SECTOR + 7])
def test_a_bit_that_does_not_take_is_found(chip: str, at: int, high: bool) -> None:
    bit = next(bit for bit in range(8) if image(chip).data[at] >> bit & 1 != high)
    one = board(chip)
    (one.flash.stuck_high if high else one.flash.stuck_low)[at] = 1 << bit
    before = outside(one)
    with pytest.raises(FlashError, match=f"at 0x{FLASH + at:08x}, .*Next: .* worn out"):
        flash(Bus([one]), image(chip))
    assert outside(one) == before
    one.unplug()
    one.plug(bootsel=False)
    assert one.boot is not None, "it runs what is not whole"


def test_a_changed_board_does_not_pass_for_verified() -> None:
    one = board("RP2040", image("RP2040"))
    one.flash.cells[SECTOR + 1] ^= 0x10
    with (
        Boot(usb_bus.bootloaders(bus := Bus([one]))[0], bus) as boot,
        pytest.raises(FlashError, match=f"at 0x{FLASH + SECTOR + 1:08x}"),
    ):
        boot.verify(image("RP2040"))


def test_an_image_for_another_chip_changes_nothing() -> None:
    one = board("RP2040", image("RP2040"))
    before = bytes(one.flash.cells)
    with pytest.raises(ImageError, match=r"is for RP2350, the board is an RP2040. Nothing was changed. .* RPI_PICO\."):
        flash(Bus([one]), image("RP2350"))
    assert one.flash.cells == before


def test_of_two_boards_only_the_one_that_is_meant_is_written() -> None:
    first, second = board("RP2040"), board("RP2040")
    second.path, second.address = (2, 3), 7
    bus, before = Bus([first, second]), bytes(first.flash.cells)
    found = usb_bus.bootloaders(bus)
    assert [each.path for each in found] == ["1-1", "1-2.3"]
    with Boot(found[1], bus) as boot:
        boot.write(image("RP2040"))
        boot.reboot()
    assert first.flash.cells == before
    assert [each.path for each in usb_bus.bootloaders(bus)] == ["1-1"]
    assert second.flash.cells[: len(image("RP2040").data)] == image("RP2040").data


def test_nobody_writes_by_the_drive_meanwhile_and_anybody_may_afterwards() -> None:
    one = board("RP2040")
    bus = Bus([one])
    with Boot(usb_bus.bootloaders(bus)[0], bus):
        assert not one.drive_writes(0, bytes(PAGE))
    assert one.drive_writes(0, bytes(PAGE))


def test_a_board_that_has_gone_may_not_be_opened_or_shows_its_drive_only_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = board("RP2350")
    bus = Bus([one])
    (found,) = usb_bus.bootloaders(bus)
    one.may_open = False
    with pytest.raises(PermissionDenied, match="udev rule"), Boot(found, bus):
        pass
    one.unplug()
    with pytest.raises(DeviceNotFound, match=r"RP2350 at USB 1-1 has gone\. Next: "), Boot(found, bus):
        pass


REFUSALS = [
    ("FLASH_ERASE", 3, struct.pack("<II", FLASH + 1, SECTOR), b"", 0, "BAD_ALIGNMENT (5)"),
    ("FLASH_ERASE", 3, struct.pack("<II", 0, SECTOR), b"", 0, "INVALID_ADDRESS (4)"),
    ("READ", 0x84, struct.pack("<II", FLASH + 1, PAGE), b"", PAGE, "BAD_ALIGNMENT (5)"),
    ("READ", 0x84, struct.pack("<II", 0x40000000, PAGE), b"", PAGE, "INVALID_ADDRESS (4)"),
    ("READ", 0x84, struct.pack("<II", FLASH, 2 * PAGE), b"", PAGE, "INVALID_TRANSFER_LENGTH (3)"),
    ("WRITE", 5, struct.pack("<II", FLASH + 128, PAGE), bytes(PAGE), 0, "BAD_ALIGNMENT (5)"),
    ("EXIT_XIP", 6, b"\0", b"", 0, "INVALID_CMD_LENGTH (2)"),
    ("REBOOT", 2, bytes(12), b"", 0, "UNKNOWN_CMD (1)"),
]


@pytest.mark.parametrize(("name", "command", "arguments", "data", "want", "status"), REFUSALS)
def test_what_the_boot_rom_refuses_is_named(
    name: str, command: int, arguments: bytes, data: bytes, want: int, status: str
) -> None:
    one = board("RP2350")
    before = bytes(one.flash.cells)
    with (
        Boot(usb_bus.bootloaders(bus := Bus([one]))[0], bus) as boot,
        pytest.raises(FlashError) as refused,
    ):
        boot._command(command, arguments, data, want)
    assert f"it refuses {name}, {status}" in str(refused.value)
    assert one.flash.cells == before
    assert one.boot and one.boot.halted == set(), "it stays halted for whoever comes next"


def test_an_rp2040_does_not_tell_that_it_did_not_erase() -> None:
    """Why every sector is read back."""
    one = board("RP2040")
    with Boot(usb_bus.bootloaders(bus := Bus([one]))[0], bus) as boot:
        boot._command(3, struct.pack("<II", FLASH + 1, SECTOR))
    assert one.flash.erased == []


def test_any_part_of_flash_can_be_read() -> None:
    one = board("RP2040")
    with Boot(usb_bus.bootloaders(bus := Bus([one]))[0], bus) as boot:
        assert boot.read(FLASH + END, len(FILES)) == FILES
        assert boot.read(FLASH + PAGE, 3 * SECTOR + 1) == one.flash.cells[PAGE : PAGE + 3 * SECTOR + 1]


@pytest.mark.parametrize(
    ("kind", "transfer", "said"),
    [
        ("stall", 2, r"it refuses READ, UNKNOWN_ERROR \(8\)"),
        ("timeout", 2, "it does not answer READ within 3 s"),
        ("short", 1, "READ: it took 16 of 32 bytes"),
        ("short", 2, "READ: it gave 128 of 256 bytes"),
        ("unplugged", 2, "the line broke at READ"),
    ],
)
def test_each_fault_is_named_and_the_next_one_finds_the_board_ready(kind: Kind, transfer: int, said: str) -> None:
    one = board("RP2040")
    bus = Bus([one])
    with Boot(usb_bus.bootloaders(bus)[0], bus) as boot:
        bus.fault = Fault(kind, bus.transfers + transfer)
        with pytest.raises(FlashError, match=said):
            boot.read(FLASH, PAGE)
    if not one.plugged:
        one.plug(bootsel=True)
    with Boot(usb_bus.bootloaders(bus)[0], bus) as boot:
        assert boot.read(FLASH, PAGE) == bytes(one.flash.cells[:PAGE])


@pytest.mark.parametrize("chip", CHIPS)
def test_files_are_erased_from_where_they_begin_to_the_end_of_flash_and_nothing_else(chip: str) -> None:
    one = board(chip, image(chip))
    begin = uf2.CHIPS[chip].files_at - FLASH
    one.flash.cells[begin - SECTOR : begin] = one.flash.cells[begin:][:SECTOR] = bytes(SECTOR)
    before = bytes(one.flash.cells)
    with Boot(usb_bus.bootloaders(bus := Bus([one]))[0], bus) as boot:
        boot.erase_files()
    assert one.flash.cells == before[:begin] + b"\xff" * (len(before) - begin)


@functools.cache
def seconds(chip: str, is_blank: bool) -> tuple[float, float]:
    """What writing and verifying 340 KiB take, by the simulated boot ROM."""
    bus = Bus([Board(MODELS[chip])])
    if not is_blank:
        put_filesystem(bus.boards[0], images.FILES_AT[chip])
    bus.boards[0].plug(bootsel=True)
    wanted = Image.read("", images.uf2(chip, images.image(chip, 340 * 1024 // PAGE)))
    with Boot(usb_bus.bootloaders(bus)[0], bus) as boot:
        begun_us = bus.us
        boot.write(wanted)
        written_us = bus.us
        boot.verify(wanted)
    return (written_us - begun_us) / 1e6, (bus.us - written_us) / 1e6


def test_the_page_says_how_long_it_takes() -> None:
    page = PAGE_ON_FLASHING.read_text()
    rows = [said for _, said in re.findall(r"^\| ([^|]+) \| ([\d.]+) \|", page, re.MULTILINE)]
    for chip in CHIPS:
        assert rows[:2] == [f"{said:.1f}" for said in seconds(chip, is_blank=False)]
    pico, pico_2 = (seconds(chip, is_blank=True)[0] - seconds(chip, is_blank=False)[0] for chip in CHIPS)
    assert rows[2] == f"{pico_2:.1f}" and f"on a Pico {pico:.1f}" in page
    assert f"| **{sum(map(float, rows)):.0f}** |" in page


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("block", [0, 1])
def test_micropython_that_would_not_find_the_files_is_refused(chip: str, block: int) -> None:
    elsewhere = images.FILES_AT[chip] + 64 * SECTOR
    other = Image.read("other.uf2", images.uf2(chip, images.image(chip, PAGES, 3, elsewhere)))
    one = Board(MODELS[chip])
    put_filesystem(one, images.FILES_AT[chip], block)
    one.plug(bootsel=True)
    before, bus = bytes(one.flash.cells), Bus([one])
    with pytest.raises(ImageError, match=rf"other\.uf2 looks for its files at 0x{elsewhere:08x}.*Nothing was changed"):
        flash(bus, other)
    assert one.flash.cells == before
    flash(bus, image(chip))
    one.plug(bootsel=True)
    with Boot(usb_bus.bootloaders(bus)[0], bus) as boot:
        boot.erase_files()
        boot.write(other)
    assert one.flash.cells[: len(other.data)] == other.data
