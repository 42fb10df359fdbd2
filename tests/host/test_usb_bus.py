"""USB through pyusb: boards in their bootloader, a reset, and what stands in the way. The bus is a pyusb backend."""

from __future__ import annotations

import pytest

from mesoinjector import DeviceNotFound, InsufficientSelector, LinkLost, PermissionDenied, usb_bus
from mesoinjector.finding import Candidate

pytest.importorskip("usb", reason="pyusb is not installed: pip install 'mesoinjector[usb]'")
pytest.importorskip("libusb_package", reason="libusb-package is not installed: pip install 'mesoinjector[usb]'")

from tests.host.usb_backend import Board, Bus

WANTED = Candidate("/dev/ttyACM0", "A1", "")


def test_boards_in_their_bootloader_are_seen_also_by_who_may_not_open_them() -> None:
    bus = Bus(
        [
            Board(0x000F, "1a2b", address=4),
            Board(0x0005, "A1"),
            Board(0x0003, "", address=2),
            Board(0x0003, "E0C9125B0D9B", address=3, readable=False),
            Board(0x0003, "X", vendor=0x1234),
        ]
    )
    assert usb_bus.bootloaders(bus) == [
        ("RP2040", 1, 2, "", "1-2"),
        ("RP2040", 1, 3, "", "1-3"),
        ("RP2350", 1, 4, "1A2B", "1-4"),
    ]


def test_only_the_one_that_is_named_is_reset() -> None:
    bus = Bus([Board(0x0005, "a2"), Board(0x0005, "a1"), Board(0x0003, "A1")])
    usb_bus.reset(WANTED, bus)
    assert bus.was_reset == ["a1"]


@pytest.mark.parametrize(
    ("boards", "wanted", "error"),
    [
        ([Board(0x0005, "A2")], WANTED, DeviceNotFound),
        ([Board(0x0003, "A1")], WANTED, DeviceNotFound),
        ([Board(0x0005, "A1", readable=False)], WANTED, PermissionDenied),
        ([Board(0x0005, "", readable=False)], WANTED._replace(serial=""), PermissionDenied),
        ([Board(0x0005, "A1", stuck=True)], WANTED, LinkLost),
        ([Board(0x0005, "A1"), Board(0x0005, "A2")], WANTED._replace(serial=""), InsufficientSelector),
    ],
)
def test_what_stands_in_the_way_of_a_reset_is_said(boards: list[Board], wanted: Candidate, error: type) -> None:
    bus = Bus(boards)
    with pytest.raises(error, match="Next: "):
        usb_bus.reset(wanted, bus)
    assert bus.was_reset == []
