"""The boot ROM's side of PICOBOOT: commands, what it demands of them, stalls, statuses, and what it does to flash.

Where the two chips differ is in `Model`. One thing is stricter than silicon: an RP2040's flash is as a program left it,
reading in XIP, until EXIT_XIP: it gives zeros, and neither erases nor programs. What an RP2040 does not tell: a command
without data that fails, an erase off its sector's begin, is acknowledged like one that did not. GET_INFO, EXEC and OTP
are not modelled: unknown commands.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from mesosim.bootsel.flash import PAGE, SECTOR, Flash

MAGIC = 0x431FD10B
OK, UNKNOWN_CMD, INVALID_CMD_LENGTH, INVALID_TRANSFER_LENGTH, INVALID_ADDRESS, BAD_ALIGNMENT = range(6)
REBOOTING = 7
EXCLUSIVE_ACCESS, REBOOT, FLASH_ERASE, READ, WRITE, EXIT_XIP, ENTER_CMD_XIP = 1, 2, 3, 0x84, 5, 6, 7
REBOOT2 = 0xA
FLASH = 0x10000000
_COMMAND = struct.Struct("<IIBBHI16s")


class Model(NamedTuple):
    """A chip, as far as its bootloader shows it."""

    chip: str
    product: int
    flash_bytes: int
    """Of the board that has it: Pico, Pico 2."""
    flash_end: int
    """Behind the last address that the ROM takes for flash."""
    sizes: dict[int, int]
    """Bytes of arguments by command; others are unknown to it."""
    tells_failed_tasks: bool
    """Whether a command without data that failed stalls, and one with data stalls both ways."""
    starts_in_xip: bool


_BOTH = {EXCLUSIVE_ACCESS: 1, FLASH_ERASE: 8, READ: 8, WRITE: 8, EXIT_XIP: 0, ENTER_CMD_XIP: 0}
RP2040 = Model("RP2040", 0x0003, 2 << 20, 0x20000000, {**_BOTH, REBOOT: 12}, False, True)
RP2350 = Model("RP2350", 0x000F, 4 << 20, FLASH + (32 << 20), {**_BOTH, REBOOT2: 16}, True, False)


class Stalled(Exception):
    """The endpoint is halted."""


class NotReady(Exception):
    """The device answers nothing: it waits for something else."""


@dataclass
class BootRom:
    """One board's. `out`, `give` and the two control requests are what USB brings."""

    model: Model
    flash: Flash
    exclusive: int = 0
    rebooting: bool = False
    halted: set[str] = field(default_factory=set)
    """`in`, `out`."""
    _xip: bool = field(init=False)
    _expects: str = "command"
    """`command`, `data`, `ack` (from the host); `reading`, `acking` (to it)."""
    _at: int = 0
    _left: int = 0
    _held: bytes = b""
    _token: int = 0
    _status: int = 0
    _command: int = 0

    def __post_init__(self) -> None:
        self._xip = self.model.starts_in_xip

    def reset(self) -> None:
        """IF_RESET: nothing is halted, exclusive or under way any more."""
        self.halted.clear()
        self.exclusive = self._token = self._status = self._command = 0
        self._expects, self._held = "command", b""

    def status(self) -> bytes:
        """CMD_STATUS: 16 bytes on the last command."""
        return struct.pack("<IIBB6x", self._token, self._status, self._command, self._expects in ("data", "reading"))

    def halt(self, status: int, *endpoints: str) -> None:
        """Give up the command that is under way."""
        self._status, self._expects, self._held = status, "command", b""
        self.halted |= set(endpoints or ("in", "out"))

    def out(self, data: bytes) -> None:
        """Bytes from the host. Raises `Stalled`, `NotReady`."""
        if "out" in self.halted:
            raise Stalled
        if self._expects == "command":
            self._begin(data)
        elif self._expects == "ack":
            self._expects = "command"
        elif self._expects == "data":
            self._take(data)
        else:
            raise NotReady

    def give(self, n: int) -> bytes:
        """At most `n` bytes for the host. Raises `Stalled`, `NotReady`."""
        if "in" in self.halted:
            raise Stalled
        if self._expects == "acking":
            self._expects = "command"
            return b""
        if self._expects != "reading":
            raise NotReady
        given = b""
        while self._left and len(given) < n:
            piece = self._piece(min(PAGE, self._left))
            if piece is None:
                raise Stalled
            given += piece
        if not self._left:
            self._expects = "ack"
        return given

    def _begin(self, data: bytes) -> None:
        if len(data) != _COMMAND.size or data[:4] != struct.pack("<I", MAGIC):
            self.halted |= {"in", "out"}
            return
        _, self._token, self._command, size, _, transfer, arguments = _COMMAND.unpack(data)
        self._at, length = struct.unpack_from("<II", arguments)
        wanted = self.model.sizes.get(self._command)
        moves = self._command in (READ, WRITE)
        if wanted is None:
            self.halt(UNKNOWN_CMD)
        elif size != wanted:
            self.halt(INVALID_CMD_LENGTH)
        elif transfer != (length if moves else 0):
            self.halt(INVALID_TRANSFER_LENGTH)
        elif moves:
            self._status, self._left = OK, transfer
            self._expects = "data" if self._command == WRITE else "reading"
        else:
            failed = self._do(arguments, length)
            if failed and self.model.tells_failed_tasks:
                self.halt(failed)
            else:
                self._status, self._expects = OK, "acking"

    def _do(self, arguments: bytes, length: int) -> int:
        """A command without data; its status."""
        if self.rebooting:
            return REBOOTING
        if self._command == EXCLUSIVE_ACCESS:
            self.exclusive = arguments[0]
        elif self._command == EXIT_XIP:
            self._xip = False
        elif self._command in (REBOOT, REBOOT2):
            self.rebooting = True
        elif self._command == FLASH_ERASE:
            if self._at % SECTOR or length % SECTOR:
                return BAD_ALIGNMENT
            if not (self._is_flash(self._at) and self._is_flash(self._at + length)):
                return INVALID_ADDRESS
            if not self._xip:
                for sector in range(self._at, self._at + length, SECTOR):
                    self.flash.erase(sector - FLASH)
        return OK

    def _take(self, data: bytes) -> None:
        self._held += data[: self._left - len(self._held)]
        while len(self._held) >= min(PAGE, self._left) > 0:
            page, self._held = self._held[:PAGE], self._held[PAGE:]
            failed = self._check()
            if failed:
                self._fail(failed, "out")
                return
            if not self._xip:
                self.flash.program(self._at - FLASH, page.ljust(PAGE, b"\xff"))
            self._at += len(page)
            self._left -= len(page)
        if not self._left:
            self._expects = "acking"

    def _piece(self, n: int) -> bytes | None:
        """What is read next; None: it is halted."""
        failed = self._check()
        if failed:
            self._fail(failed, "in")
            return None
        piece = bytes(n) if self._xip else self.flash.read(self._at - FLASH, n)
        self._at += n
        self._left -= n
        return piece

    def _fail(self, status: int, endpoint: str) -> None:
        """An RP2040 halts the endpoint of the data alone."""
        self.halt(status, *(() if self.model.tells_failed_tasks else (endpoint,)))

    def _check(self) -> int:
        if self.rebooting:
            return REBOOTING
        if not (self._is_flash(self._at) and self._is_flash(self._at + PAGE)):
            return INVALID_ADDRESS
        return BAD_ALIGNMENT if self._at % PAGE else OK

    def _is_flash(self, at: int) -> bool:
        return FLASH <= at <= self.model.flash_end
