"""A blank board and what it is given: for tests and benches of flashing."""

from __future__ import annotations

import time
from pathlib import Path

from littlefs import LittleFS

from mesofirmware import build
from mesoinjector import Injector, errors
from mesoinjector.application import SIGNATURE, SIGNATURE_BYTES, Application
from mesosim.blank import FLASH_BYTES

BLOCK = 4096
START_S = 60.0
"""A start takes some three seconds: two of them are the window."""


def built(folder: Path) -> Application:
    """The firmware, compiled without machine code: for whatever MicroPython there is."""
    build.compiled(folder, arch="")
    build.seal(folder)
    (folder / SIGNATURE).write_bytes(b"\x5a" * SIGNATURE_BYTES)
    return Application.load(folder)


def on_flash(folder: Path, model: str = "pico") -> dict[str, bytes]:
    """Every file that a board without power holds, by path, read by another littlefs."""
    disk = _disk((folder / "flash.bin").read_bytes(), model)
    found = {}
    for root, _, files in disk.walk("/"):
        for name in files:
            path = f"{root.rstrip('/')}/{name}"
            with disk.open(path, "rb") as file:
                found[path] = bytes(file.read())
    return found


def put_on_flash(folder: Path, files: dict[str, bytes], model: str = "pico") -> None:
    """Write files to a board without power; one whose flash is blank is formatted, as its first start would."""
    image = folder / "flash.bin"
    there = image.read_bytes() if image.exists() else b""
    disk = _disk(there, model)
    for path, data in files.items():
        disk.makedirs(path.rpartition("/")[0] or "/", exist_ok=True)
        with disk.open(path, "wb") as file:
            file.write(data)
    image.write_bytes(bytes(disk.context.buffer))


def _disk(image: bytes, model: str) -> LittleFS:
    disk = LittleFS(block_size=BLOCK, block_count=FLASH_BYTES[model] // BLOCK, prog_size=256, read_size=32, mount=False)
    if image:
        disk.context.buffer = bytearray(image)
    else:
        disk.format()
    disk.mount()
    return disk


def opened(path: str, journal: Path) -> Injector:
    """The device on a line, once it has started."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return Injector.open(path, journal)
        except (errors.DeviceNotFound, errors.PortBusy):
            # busy: a process that is just being made has, for a moment, what this one had open
            if time.monotonic() > deadline:
                raise
