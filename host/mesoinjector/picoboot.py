"""A board's flash through its boot ROM: PICOBOOT, by the protocol that Raspberry Pi publishes.

RP2040 datasheet 2.8.5, RP2350 datasheet 5.6, pico-sdk `boot/picoboot.h`. A command is 32 bytes, then its data, then an
empty packet the other way. What a board refuses stalls; CMD_STATUS says why, IF_RESET ends it.

The boot ROM cannot be written, so a board can always be written again. The first sector, without which nothing starts,
is erased before any other changes and written after all others were read back; the one word in it that makes the boot
ROM start it comes last. So a board that was left half written comes back in its bootloader by itself. Of a sector that
is the image's in part the rest is written back as it was; only if that is broken off, the rest is lost. No other sector
is touched: files lie behind the image (`uf2.CHIPS`).
"""

from __future__ import annotations

import contextlib
import errno
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Any

from mesoinjector import errors, uf2, usb_bus
from mesoinjector.uf2 import FLASH, PAGE, SECTOR

Progress = Callable[[int, int], None]
"""Bytes done, of all."""

_MAGIC = 0x431FD10B
_EXCLUSIVE_ACCESS, _REBOOT, _FLASH_ERASE, _READ, _WRITE, _EXIT_XIP, _REBOOT2 = 1, 2, 3, 0x84, 5, 6, 0xA
_NAMES = {
    _EXCLUSIVE_ACCESS: "EXCLUSIVE_ACCESS",
    _REBOOT: "REBOOT",
    _FLASH_ERASE: "FLASH_ERASE",
    _READ: "READ",
    _WRITE: "WRITE",
    _EXIT_XIP: "EXIT_XIP",
    _REBOOT2: "REBOOT2",
}
_STATUSES = (
    "OK",
    "UNKNOWN_CMD",
    "INVALID_CMD_LENGTH",
    "INVALID_TRANSFER_LENGTH",
    "INVALID_ADDRESS",
    "BAD_ALIGNMENT",
    "INTERLEAVED_WRITE",
    "REBOOTING",
    "UNKNOWN_ERROR",
    "INVALID_STATE",
    "NOT_PERMITTED",
    "INVALID_ARG",
    "BUFFER_TOO_SMALL",
    "PRECONDITION_NOT_MET",
    "MODIFIED_DATA",
    "INVALID_DATA",
    "NOT_FOUND",
    "UNSUPPORTED_MODIFICATION",
)
_IF_RESET, _CMD_STATUS = (0x41, 0x41), (0xC1, 0x42)
"""bmRequestType and bRequest: a vendor's, of an interface."""
_VENDOR = 0xFF
"""bInterfaceClass of PICOBOOT; the drive's is another."""
_PACKET = 64
_TIMEOUT_MS = 3000
"""Longer than anything takes: erasing a sector 400 ms at most, W25Q16JV datasheet 9.6."""
_REBOOT_MS = 500
"""So that the command is acknowledged before the board goes."""
_STACK = 0x20042000
"""End of an RP2040's SRAM; the ROM wants one and the regular start does not use it."""
_BLANK = b"\xff" * PAGE
_AGAIN = "Next: plug the board in with BOOTSEL pressed, and run the same command again."


class Boot:
    """One board in its bootloader, for as long as the `with` lasts; nobody else writes it meanwhile.

    Every method raises `FlashError` with what stands on the board if the line breaks, the board refuses, or what it
    holds is not what was written. All of it can be repeated.
    """

    def __init__(self, board: usb_bus.Bootloader, backend: Any = None) -> None:
        self.board = board
        self._backend = backend
        self._token = 0
        self._stands = "Nothing was changed."
        self._restarts = False

    def __enter__(self) -> Boot:
        self._device = usb_bus.open_bootloader(self.board, self._backend)
        try:
            self._claim()
            self._reset()
            self._command(_EXCLUSIVE_ACCESS, b"\x01")
            self._command(_EXIT_XIP)
        except BaseException:
            self._dispose()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._restarts:
            with contextlib.suppress(errors.MesoError):  # it may have gone; what it is told here is a courtesy
                self._reset()
        self._dispose()

    def read(self, at: int, n: int) -> bytes:
        """`n` bytes of flash from address `at`, a multiple of 256."""
        pieces: list[bytes] = []
        for start in range(at, at + n, SECTOR):
            size = min(SECTOR, at + n - start)
            whole = -(-size // PAGE) * PAGE
            pieces.append(self._command(_READ, struct.pack("<II", start, whole), want=whole)[:size])
        return b"".join(pieces)

    def write(self, image: uf2.Image, progress: Progress = lambda done, of: None) -> int:
        """Make flash hold the image: erase and write the sectors that differ, and read each of them back.

        Returns how many sectors were written; 0: it held the image already. Raises `ImageError` if it is for another
        chip or would not find the board's files, `FlashError`.
        """
        self._check(image)
        self._check_files(image)
        wanted: dict[int, bytes] = {}
        for at in range(FLASH, FLASH + len(image.data), SECTOR):
            there = self.read(at, SECTOR)
            piece = image.data[at - FLASH : at - FLASH + SECTOR]
            piece += there[len(piece) :]
            if piece != there:
                wanted[at] = piece
        if not wanted:
            progress(len(image.data), len(image.data))
            return 0
        first = wanted.pop(FLASH, image.data[:SECTOR])
        self._stands = (
            f"Its firmware is written in part: it does not start, and stays in its bootloader until it is whole. What "
            f"lies from 0x{FLASH + -(-len(image.data) // SECTOR) * SECTOR:08x} on, its files, is as it was."
        )
        self._command(_FLASH_ERASE, struct.pack("<II", FLASH, SECTOR))
        for done, (at, piece) in enumerate(wanted.items()):
            progress(done * SECTOR, (len(wanted) + 1) * SECTOR)
            self._command(_FLASH_ERASE, struct.pack("<II", at, SECTOR))
            self._put(at, piece)
        progress(len(wanted) * SECTOR, (len(wanted) + 1) * SECTOR)
        self._put(FLASH, first[: image.start] + _BLANK[:4] + first[image.start + 4 :])
        self._stands = "Its firmware is written, but perhaps not its start: it runs, or stays in its bootloader."
        at = image.start // PAGE * PAGE
        word = first[image.start : image.start + 4]
        self._program(FLASH + at, _BLANK[: image.start - at] + word + _BLANK[image.start - at + 4 :])
        self._compare(FLASH, first, self.read(FLASH, SECTOR))
        progress((len(wanted) + 1) * SECTOR, (len(wanted) + 1) * SECTOR)
        self._stands = "Its firmware is written, and was read back."
        return len(wanted) + 1

    def verify(self, image: uf2.Image, progress: Progress = lambda done, of: None) -> None:
        """Read the image back and compare it, whole. Raises `FlashError` with where it differs."""
        self._check(image)
        for at in range(0, len(image.data), SECTOR):
            progress(at, len(image.data))
            piece = image.data[at : at + SECTOR]
            self._compare(FLASH + at, piece, self.read(FLASH + at, len(piece)))
        progress(len(image.data), len(image.data))

    def erase_files(self, progress: Progress = lambda done, of: None) -> None:
        """Erase all behind the firmware: the board's filesystem, with calibration and settings. MicroPython makes a new
        one when it starts.
        """
        chip = uf2.CHIPS[self.board.chip]
        begin, end = chip.files_at, FLASH + chip.flash_bytes
        self._stands = "Its filesystem is erased in part; its firmware is as it was."
        for at in range(begin, end, SECTOR):
            progress(at - begin, end - begin)
            self._command(_FLASH_ERASE, struct.pack("<II", at, SECTOR))
        progress(end - begin, end - begin)
        self._stands = "Its filesystem is erased."

    def reboot(self) -> None:
        """Restart the board into what its flash holds. It leaves the bus half a second later."""
        if self.board.chip == "RP2040":
            self._command(_REBOOT, struct.pack("<III", 0, _STACK, _REBOOT_MS))
        else:
            self._command(_REBOOT2, struct.pack("<IIII", 0, _REBOOT_MS, 0, 0))
        self._restarts = True

    # --- Flash ----------------------------------------------------------------------------------------------

    def _check(self, image: uf2.Image) -> None:
        if image.chip != self.board.chip:
            raise errors.ImageError(
                f"{image.name} is for {image.chip}, the board is an {self.board.chip}. {self._stands} Next: name the "
                f"file for it: MicroPython's build {uf2.CHIPS[self.board.chip].board}."
            )

    def _check_files(self, image: uf2.Image) -> None:
        """MicroPython formats where it finds no filesystem: it must not look where the board's own is not."""
        if self._has_files(image.files_at) or self._has_files(image.files_at + SECTOR):
            return
        begin = FLASH + -(-len(image.data) // SECTOR) * SECTOR
        for at in range(begin, FLASH + uf2.CHIPS[image.chip].flash_bytes, SECTOR):
            if self._has_files(at):
                raise errors.ImageError(
                    f"{image.name} looks for its files at 0x{image.files_at:08x}, and would make a new filesystem "
                    f"there: the board's own is at 0x{at:08x}. {self._stands} Next: name the build of MicroPython that "
                    "the board had, or have its filesystem erased."
                )

    def _has_files(self, at: int) -> bool:
        """Whether a littlefs begins here: SPEC.md of littlefs, the superblock's magic string."""
        return self.read(at, PAGE)[8:16] == b"littlefs"

    def _put(self, at: int, sector: bytes) -> None:
        """Program an erased sector, without the blank pages at its end, and read it back."""
        pages = [sector[start : start + PAGE] for start in range(0, SECTOR, PAGE)]
        while pages and pages[-1] == _BLANK:
            pages.pop()
        if pages:
            self._program(at, b"".join(pages))
        self._compare(at, sector, self.read(at, SECTOR))

    def _program(self, at: int, pages: bytes) -> None:
        self._command(_WRITE, struct.pack("<II", at, len(pages)), pages)

    def _compare(self, at: int, wanted: bytes, there: bytes) -> None:
        if there == wanted:
            return
        where = next(i for i in range(len(wanted)) if there[i] != wanted[i])
        raise errors.FlashError(
            f"{self.board}: flash reads 0x{there[where]:02x} at 0x{at + where:08x}, 0x{wanted[where]:02x} was written. "
            f"{self._stands} {_AGAIN} If it is the same place then, the board's flash is worn out: do not use it."
        )

    # --- The protocol ---------------------------------------------------------------------------------------

    def _command(self, command: int, arguments: bytes = b"", data: bytes = b"", want: int = 0) -> bytes:
        """One command: its 32 bytes, its data to or from the board, and the empty packet that ends it."""
        self._token += 1
        length = len(data) or want
        head = struct.pack("<IIBBHI16s", _MAGIC, self._token, command, len(arguments), 0, length, arguments)
        try:
            self._send(head)
            got = self._receive(want) if want else b""
            if data:
                self._send(data)
            if command & 0x80:
                self._send(b"")
            elif self._device.read(self._in, _PACKET, _TIMEOUT_MS):
                raise _Short("data where none belongs")
        except OSError as error:
            raise self._failed(command, error) from None
        return got

    def _send(self, data: bytes) -> None:
        sent = self._device.write(self._out, data, _TIMEOUT_MS)
        if sent != len(data):
            raise _Short(f"took {sent} of {len(data)} bytes")

    def _receive(self, n: int) -> bytes:
        got = bytes(self._device.read(self._in, -(-n // _PACKET) * _PACKET, _TIMEOUT_MS))
        if len(got) != n:
            raise _Short(f"gave {len(got)} of {n} bytes")
        return got

    def _failed(self, command: int, error: OSError) -> errors.FlashError:
        name = _NAMES[command]
        if isinstance(error, _Short):
            said = f"{name}: it {error}"
        elif error.errno == errno.EPIPE:
            said = f"it refuses {name}, {self._status()}"
        elif error.errno == errno.ETIMEDOUT:
            said = f"it does not answer {name} within {_TIMEOUT_MS // 1000} s"
        else:
            said = f"the line broke at {name} ({error.strerror})"
        return errors.FlashError(f"{self.board}: {said}. {self._stands} {_AGAIN}")

    def _status(self) -> str:
        """What CMD_STATUS says of a command that stalled."""
        try:
            said = bytes(self._device.ctrl_transfer(*_CMD_STATUS, 0, self._interface, 16, _TIMEOUT_MS))
        except OSError:
            return "and does not say why"
        code = struct.unpack_from("<I", said, 4)[0] if len(said) == 16 else -1
        return f"{_STATUSES[code] if 0 <= code < len(_STATUSES) else 'an unknown status'} ({code})"

    def _reset(self) -> None:
        """End whatever was under way, and the drive's exclusion with it."""
        try:
            for endpoint in (self._out, self._in):
                self._device.clear_halt(endpoint)
            self._device.ctrl_transfer(*_IF_RESET, 0, self._interface, None, _TIMEOUT_MS)
        except OSError as error:
            raise errors.FlashError(
                f"{self.board}: the line broke at IF_RESET ({error.strerror}). {self._stands} {_AGAIN}"
            ) from None

    def _claim(self) -> None:
        """Find PICOBOOT's interface and keep it: a vendor's, with two bulk endpoints."""
        try:
            there = self._device.get_active_configuration()
            interface = next(each for each in there if each.bInterfaceClass == _VENDOR)
            usb_bus.claim(self._device, interface)
        except StopIteration:
            raise errors.FlashError(
                f"{self.board} shows its drive only, PICOBOOT is off. {self._stands} Next: unplug it, and plug it in "
                "with BOOTSEL pressed."
            ) from None
        except NotImplementedError:  # pyusb's word for a device that has no driver for it
            raise errors.PermissionDenied(
                f"{self.board}: this system has no driver that lets a program open it. {self._stands} Next: on Windows "
                "give its interface 'RP2 Boot' the driver WinUSB, by Zadig."
            ) from None
        except OSError as error:
            raise self._not_open(error) from None
        self._interface = interface.bInterfaceNumber
        addresses = [endpoint.bEndpointAddress for endpoint in interface]
        self._in = next(address for address in addresses if address & 0x80)
        self._out = next(address for address in addresses if not address & 0x80)

    def _not_open(self, error: OSError) -> errors.MesoError:
        if error.errno == errno.EACCES:
            return errors.PermissionDenied(
                f"{self.board}: this user may not open it. Next: install the udev rule that `mesoinjector doctor` "
                "shows."
            )
        if error.errno == errno.EBUSY:
            return errors.PortBusy(f"{self.board} is held by another program. Next: close that one.")
        return errors.FlashError(f"{self.board}: it cannot be opened ({error.strerror}). {self._stands} {_AGAIN}")

    def _dispose(self) -> None:
        usb_bus.release(self._device)


class _Short(OSError):
    """A transfer that moved another number of bytes than it had to."""
