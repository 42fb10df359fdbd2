"""USB below the serial port, by pyusb: boards in their bootloader, and the reset of a line that is stuck.

pyusb and the libusb it calls come with the extra `[usb]`; without, `DeviceNotFound` says so. pyusb has no types: what
it returns stays in this module.
"""

from __future__ import annotations

import errno
from typing import Any, NamedTuple, cast

from mesoinjector import errors
from mesoinjector.finding import MICROPYTHON, RASPBERRY_PI, Candidate

BOOTLOADERS = {0x0003: "RP2040", 0x000F: "RP2350"}
"""USB products of the boot ROMs: Raspberry Pi, raspberrypi/usb-pid."""


class Bootloader(NamedTuple):
    """A board that waits for firmware."""

    chip: str
    bus: int
    address: int
    serial: str
    """An RP2350's is its own; all RP2040 have the same one. Empty where this user may not ask."""
    path: str
    """The USB ports that lead to it, `1-2.3`: the same ones after it has restarted. Empty where that is not known."""

    def __str__(self) -> str:
        return f"{self.chip} at USB {self.path or f'{self.bus}:{self.address}'}"


def bootloaders(backend: Any = None) -> list[Bootloader]:
    """The boards in their bootloader. Raises `DeviceNotFound` where there is no pyusb."""
    return sorted(
        Bootloader(BOOTLOADERS[device.idProduct], device.bus or 0, device.address or 0, _serial(device), _path(device))
        for device in _devices(backend)
        if device.idProduct in BOOTLOADERS
    )


def open_bootloader(board: Bootloader, backend: Any = None) -> Any:
    """pyusb's device of a board that is there. Raises `DeviceNotFound`."""
    for device in _devices(backend):
        if (device.idProduct in BOOTLOADERS, device.bus, device.address) == (True, board.bus, board.address):
            return device
    raise errors.DeviceNotFound(
        f"{board} has gone. Next: plug it in with BOOTSEL pressed, and run the same command again."
    )


def claim(device: Any, interface: Any) -> None:
    """Keep an interface of a device for this program. Raises OSError."""
    import usb.util

    cast(Any, usb.util).claim_interface(device, interface)


def release(device: Any) -> None:
    """Let go of a device, whatever was claimed of it."""
    import usb.util

    cast(Any, usb.util).dispose_resources(device)


def reset(candidate: Candidate, backend: Any = None) -> None:
    """Reset a device's USB line: the system sets it up anew, its port is gone for a moment. Its firmware runs on.

    Raises `DeviceNotFound`, `InsufficientSelector`, `PermissionDenied`, `LinkLost`.
    """
    import usb.core

    boards = [(_serial(each), each) for each in _devices(backend) if each.idProduct == MICROPYTHON]
    there = [each for serial, each in boards if candidate.serial in ("", serial)]
    if not there and any(not serial for serial, _ in boards):
        raise _not_allowed(candidate)
    if not there:
        raise errors.DeviceNotFound(f"{candidate} is not seen by pyusb. Next: unplug it and plug it in again.")
    if len(there) > 1:
        raise errors.InsufficientSelector(f"several boards may be {candidate}. Next: unplug the others.")
    try:
        there[0].reset()
    except NotImplementedError:
        raise errors.LinkLost(f"{candidate} cannot be reset here. Next: unplug it and plug it in again.") from None
    except usb.core.USBError as error:
        if error.errno == errno.EACCES:
            raise _not_allowed(candidate) from None
        raise errors.LinkLost(f"{candidate} cannot be reset ({error}). Next: unplug it and plug it in again.") from None


def _not_allowed(candidate: Candidate) -> errors.PermissionDenied:
    return errors.PermissionDenied(
        f"{candidate}: this user may not reset it. Next: install the udev rule: `mesoinjector doctor --fix`."
    )


def _devices(backend: Any) -> list[Any]:
    try:
        import libusb_package
        import usb.core
    except ImportError:
        raise errors.DeviceNotFound(
            "pyusb is not installed: boards in their bootloader are not seen. Next: pip install 'mesoinjector[usb]'."
        ) from None
    try:
        backend = backend or libusb_package.get_libusb1_backend()
        return list(cast(Any, usb.core).find(find_all=True, idVendor=RASPBERRY_PI, backend=backend))
    except (usb.core.USBError, usb.core.NoBackendError) as error:
        raise errors.DeviceNotFound(
            f"USB cannot be asked ({error}). Next: unplug the device and plug it in again."
        ) from None


def _path(device: Any) -> str:
    """As Linux and pyserial write it."""
    return f"{device.bus}-{'.'.join(map(str, device.port_numbers))}" if device.port_numbers else ""


def _serial(device: Any) -> str:
    import usb.core

    try:
        return str(device.serial_number or "").upper()
    except (usb.core.USBError, ValueError, NotImplementedError):  # no right or driver to ask by, or nothing told
        return ""
