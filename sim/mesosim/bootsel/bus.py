"""A USB bus as pyusb's backends show one, with boards on it, and what goes wrong there.

Time is not waited for but added up: a transfer takes
whole frames of 1 ms, with 19 packets of 64 bytes each (USB 2.0, 5.8.4), and the flash what it takes.
"""

from __future__ import annotations

import errno
from array import array
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

from usb.backend import IBackend
from usb.core import USBError, USBTimeoutError

from mesosim.bootsel import images, rom
from mesosim.bootsel.flash import Flash

MICROPYTHON = 0x0005
IF_RESET, CMD_STATUS, GET_DESCRIPTOR, STRING = 0x41, 0x42, 6, 3
OUT, IN, PACKET = 0x03, 0x84, 64
FRAME_US = 1000
PACKETS_A_FRAME = 19
_DRIVE, _PICOBOOT = 0, 1
"""Interfaces: mass storage and PICOBOOT."""

Kind = Literal["unplugged", "torn", "stall", "timeout", "short"]


class Fault(NamedTuple):
    """What happens at one transfer, counted from 1: the cable is out before it, and what the flash was doing is torn;
    the endpoint stalls; nothing is answered; half of it goes.
    """

    kind: Kind
    transfer: int


@dataclass(eq=False)
class Board:
    """A board at one place of the bus. Its flash outlives all of it."""

    model: rom.Model
    path: tuple[int, ...] = (1,)
    """The ports that lead to it."""
    unique: str = "E6612483CB1A2B2F"
    """Its flash's unique id; an RP2350's bootloader shows it too."""
    may_open: bool = True
    flash: Flash = field(init=False)
    boot: rom.BootRom | None = None
    """None: it runs what is in its flash, or is unplugged."""
    plugged: bool = False
    address: int = 0
    claimed: bool = False
    halted: set[int] = field(default_factory=set)
    """What the host holds to be halted until it clears it."""

    def __post_init__(self) -> None:
        self.flash = Flash(self.model.flash_bytes)

    def starts(self) -> bool:
        """Whether its flash holds something to run."""
        return images.starts(self.model.chip, bytes(self.flash.cells[:4096]))

    def unplug(self) -> None:
        """No power."""
        self.plugged, self.boot = False, None

    def plug(self, bootsel: bool) -> None:
        """Power, with BOOTSEL pressed or not."""
        self.plugged, self.claimed = True, False
        self.address += 1
        self.halted.clear()
        self.flash.settle()
        self.boot = rom.BootRom(self.model, self.flash) if bootsel or not self.starts() else None

    def drive_writes(self, at: int, page: bytes) -> bool:
        """Somebody copies a file onto the drive that it shows: one page. Whether it was taken."""
        if self.boot is None or self.boot.exclusive:
            return False
        self.flash.program(at, page)
        return True

    @property
    def product(self) -> int:
        return MICROPYTHON if self.boot is None else self.model.product

    @property
    def serial(self) -> str:
        """All RP2040 say the same in their bootloader."""
        return "E0C9125B0D9B" if self.boot and self.model.chip == "RP2040" else self.unique


@dataclass(eq=False)
class Bus(IBackend):  # type: ignore[misc]
    """The boards, and one fault."""

    boards: list[Board]
    fault: Fault | None = None
    transfers: int = 0
    """How many there were: of bulk, vendor requests and cleared halts."""
    us: int = 0
    """The time that the transfers have taken."""

    # --- What pyusb calls: descriptors ----------------------------------------------------------------

    def enumerate_devices(self) -> list[Board]:
        for board in self.boards:
            if board.boot is not None and board.boot.rebooting:
                board.unplug()
                board.plug(bootsel=False)
        return [board for board in self.boards if board.plugged]

    def get_device_descriptor(self, dev: Board) -> Any:
        return SimpleNamespace(
            bLength=18,
            bDescriptorType=1,
            bcdUSB=0x0110 if dev.model.chip == "RP2040" else 0x0210,
            bDeviceClass=0,
            bDeviceSubClass=0,
            bDeviceProtocol=0,
            bMaxPacketSize0=PACKET,
            idVendor=0x2E8A,
            idProduct=dev.product,
            bcdDevice=0x100,
            iManufacturer=1,
            iProduct=2,
            iSerialNumber=3,
            bNumConfigurations=1,
            address=dev.address,
            bus=1,
            port_number=dev.path[-1],
            port_numbers=dev.path,
            speed=2,
        )

    def get_configuration_descriptor(self, dev: Board, config: int) -> Any:
        if config:
            raise IndexError
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=2,
            wTotalLength=9 + 2 * 23,
            bNumInterfaces=2,
            bConfigurationValue=1,
            iConfiguration=0,
            bmAttributes=0x80,
            bMaxPower=0xFA,
            extra_descriptors=[],
        )

    def get_interface_descriptor(self, dev: Board, intf: int, alt: int, config: int) -> Any:
        if alt or intf > _PICOBOOT or config:
            raise IndexError
        kinds = ((0x02, 2, 1), (0x0A, 0, 0)) if dev.boot is None else ((0x08, 6, 0x50), (0xFF, 0, 0))
        kind, subclass, protocol = kinds[intf]
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=4,
            bInterfaceNumber=intf,
            bAlternateSetting=0,
            bNumEndpoints=2,
            bInterfaceClass=kind,
            bInterfaceSubClass=subclass,
            bInterfaceProtocol=protocol,
            iInterface=0,
            extra_descriptors=[],
        )

    def get_endpoint_descriptor(self, dev: Board, ep: int, intf: int, alt: int, config: int) -> Any:
        address = ((0x81, 0x02), (OUT, IN))[intf][ep]
        return SimpleNamespace(
            bLength=7,
            bDescriptorType=5,
            bEndpointAddress=address,
            bmAttributes=2,
            wMaxPacketSize=PACKET,
            bInterval=0,
            bRefresh=0,
            bSynchAddress=0,
            extra_descriptors=[],
        )

    # --- What pyusb calls: a device that is open --------------------------------------------------------

    def open_device(self, dev: Board) -> Board:
        if not dev.may_open:
            raise USBError("Access denied (insufficient permissions)", -3, errno.EACCES)
        return dev

    def close_device(self, dev_handle: Board) -> None:
        dev_handle.claimed = False

    def get_configuration(self, dev_handle: Board) -> int:
        _there(dev_handle)
        return 1

    def claim_interface(self, dev_handle: Board, intf: int) -> None:
        _there(dev_handle)
        if intf == _DRIVE:
            raise USBError("Resource busy", -6, errno.EBUSY)  # the system's own driver has it
        dev_handle.claimed = True

    def release_interface(self, dev_handle: Board, intf: int) -> None:
        _there(dev_handle)
        dev_handle.claimed = False

    def ctrl_transfer(
        self, dev_handle: Board, kind: int, request: int, value: int, index: int, data: array[int], timeout: int
    ) -> int:
        if kind == 0x80 and request == GET_DESCRIPTOR and value >> 8 == STRING:
            return _string(dev_handle, value & 255, data)
        device = self._begin(dev_handle, 0, len(data))
        if (kind, request, index) == (0x41, IF_RESET, _PICOBOOT):
            device.reset()
            return 0
        if (kind, request, index, len(data)) == (0xC1, CMD_STATUS, _PICOBOOT, 16):
            data[:] = array("B", device.status())
            return 16
        raise _stalled()

    def clear_halt(self, dev_handle: Board, ep: int) -> None:
        device = self._begin(dev_handle, 0, 0)
        device.halted.discard("in" if ep == IN else "out")
        dev_handle.halted.discard(ep)

    def bulk_write(self, dev_handle: Board, ep: int, intf: int, data: array[int], timeout: int) -> int:
        device = self._begin(dev_handle, ep, len(data))
        taken = bytes(data[: len(data) // 2] if self._is("short") else data)
        self._try(dev_handle, ep, lambda: device.out(taken))
        return len(taken)

    def bulk_read(self, dev_handle: Board, ep: int, intf: int, buff: array[int], timeout: int) -> int:
        if len(buff) % PACKET:
            raise USBError("Overflow", -8, errno.EOVERFLOW)
        device = self._begin(dev_handle, ep, len(buff))
        given = self._try(dev_handle, ep, lambda: device.give(len(buff)))
        if self._is("short"):
            given = given[: len(given) // 2]
        buff[: len(given)] = array("B", given)
        return len(given)

    # --- Faults and time --------------------------------------------------------------------------------

    def _begin(self, board: Board, ep: int, size: int) -> rom.BootRom:
        """One transfer more; what is to happen at it, happens."""
        self.transfers += 1
        self.us += FRAME_US * max(1, -(-size // (PACKET * PACKETS_A_FRAME)))
        if self._is("torn"):
            board.flash.tear()
        if self._is("torn") or self._is("unplugged"):
            board.unplug()
        device = _there(board)
        board.flash.settle()
        if self._is("timeout"):
            raise _silent()
        if self._is("stall"):
            if ep:
                device.halt(8)
                board.halted |= {OUT, IN}
            raise _stalled()
        if ep and not board.claimed:
            raise USBError("Entity not found", -5, errno.ENOENT)
        if ep in board.halted:
            raise _stalled()
        return device

    def _is(self, kind: Kind) -> bool:
        return self.fault == (kind, self.transfers)

    def _try(self, board: Board, ep: int, move: Any) -> Any:
        before = board.flash.busy_us
        try:
            return move()
        except rom.Stalled:
            board.halted.add(ep)
            raise _stalled() from None
        except rom.NotReady:
            raise _silent() from None
        finally:
            self.us += board.flash.busy_us - before


def _there(board: Board) -> rom.BootRom:
    if not board.plugged or board.boot is None:
        raise USBError("No such device (it may have been disconnected)", -4, errno.ENODEV)
    return board.boot


def _stalled() -> USBError:
    return USBError("Pipe error", -9, errno.EPIPE)


def _silent() -> USBTimeoutError:
    return USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)


def _string(board: Board, index: int, data: array[int]) -> int:
    if not board.plugged:
        raise USBError("No such device (it may have been disconnected)", -4, errno.ENODEV)
    said = b"\x09\x04" if index == 0 else board.serial.encode("utf-16-le")
    reply = bytes((2 + len(said), STRING)) + said
    data[: len(reply)] = array("B", reply)
    return len(reply)
