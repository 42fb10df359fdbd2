"""A USB bus for pyusb: boards with their descriptors, and what was reset."""

from __future__ import annotations

import errno
from array import array
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from usb.backend import IBackend
from usb.core import USBError

STRINGS = 0x03
DEVICE = dict.fromkeys(
    ("bLength", "bDescriptorType", "bcdUSB", "bDeviceClass", "bDeviceSubClass", "bDeviceProtocol"), 0
)


@dataclass
class Board:
    """One device on the bus."""

    product: int
    serial: str
    vendor: int = 0x2E8A
    address: int = 1
    readable: bool = True
    """Whether this user may open it."""
    stuck: bool = False
    """Whether a reset fails."""


@dataclass
class Bus(IBackend):
    """What lies on it, and the serial numbers that were reset."""

    boards: list[Board]
    was_reset: list[str] = field(default_factory=list)

    def enumerate_devices(self) -> list[Board]:
        return self.boards

    def get_device_descriptor(self, dev: Board) -> Any:
        return SimpleNamespace(
            **DEVICE,
            bMaxPacketSize0=64,
            idVendor=dev.vendor,
            idProduct=dev.product,
            bcdDevice=0x100,
            iManufacturer=0,
            iProduct=0,
            iSerialNumber=1 if dev.serial else 0,
            bNumConfigurations=1,
            address=dev.address,
            bus=1,
            port_number=dev.address,
            port_numbers=(dev.address,),
            speed=2,
        )

    def open_device(self, dev: Board) -> Board:
        if not dev.readable:
            raise USBError("Access denied (insufficient permissions)", -3, errno.EACCES)
        return dev

    def close_device(self, dev_handle: Board) -> None:
        pass

    def ctrl_transfer(
        self, dev_handle: Board, kind: int, request: int, value: int, index: int, data: array[int], timeout: int
    ) -> int:
        """GET_DESCRIPTOR of strings: the languages, and the serial number."""
        assert value >> 8 == STRINGS
        said = b"\x09\x04" if value & 255 == 0 else dev_handle.serial.encode("utf-16-le")
        reply = bytes((2 + len(said), STRINGS)) + said
        data[: len(reply)] = array("B", reply)
        return len(reply)

    def reset_device(self, dev_handle: Board) -> None:
        if dev_handle.stuck:
            raise USBError("Input/Output Error", -1, errno.EIO)
        self.was_reset.append(dev_handle.serial)
