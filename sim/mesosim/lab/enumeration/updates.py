"""Power cuts at every write of an update, on a board's littlefs: what starts then, and whether the update still ends.

What runs is the device's own: `mesofirmware.update`, `slots`, `start.manifest`, `boards.rp2_files` and
`boards.rp2_shelf`; of MicroPython only `os` and `open` are stood in for, by littlefs on a flash that notes its writes.
Needs `littlefs-python` (the `dev` extra). What must not be raises `Broken`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from mesofirmware import clock, log, slots, update
from mesofirmware.boards import rp2_files, rp2_shelf
from mesofirmware.start import manifest
from mesoprotocol import wire
from mesosim.lab import flash
from mesosim.world import parameters as p

BLOCKS = 48
CHUNK: int = wire.UPDATE_WRITE_FIELDS[wire.UPDATE_WRITE_DATA][1]
STARTS = 5
"""After so many at most an application that nobody confirms is given up."""
_SIZES = {
    "mesofirmware/__init__.mpy": 40,
    "mesofirmware/app.mpy": 5000,
    "mesofirmware/boards/__init__.mpy": 30,
    "mesofirmware/boards/rp2_link.mpy": 1300,
    "mesofirmware/boards/rp2_pico.mpy": 9100,
    "mesofirmware/log.mpy": 2400,
    "mesofirmware/start/main.mpy": 300,
    "mesofirmware/start/manifest.mpy": 800,
    "mesoprotocol/__init__.mpy": 20,
    "mesoprotocol/sha256_viper.mpy": flash.BOARD_BLOCK,
    "mesoprotocol/wire.mpy": 600,
}
"""A small application: files within their folder's block, of one block, and of three, as deep as the real one's."""


class Broken(Exception):
    """A device that a cut has left starts nothing whole, or cannot be updated any more."""


class Application(NamedTuple):
    """What a folder holds: its files by their paths, manifest and signature among them."""

    files: Mapping[str, bytes]

    @classmethod
    def of(cls, version: str, files: Mapping[str, bytes], sign: Callable[[bytes], bytes]) -> Application:
        """With its manifest, signed."""
        lines = [f"mesoinjector {version} pico,pico2\n"]
        lines += [f"{hashlib.sha256(files[path]).hexdigest()} {len(files[path])} {path}\n" for path in sorted(files)]
        text = "".join(lines).encode()
        text += hashlib.sha256(text).hexdigest().encode() + b"\n"
        return cls({**files, manifest.MANIFEST: text, manifest.SIGNATURE: sign(text)})

    def sent(self) -> list[bytes]:
        """In the order in which it is sent."""
        first = (manifest.MANIFEST, manifest.SIGNATURE)
        return [self.files[path] for path in (*first, *sorted(set(self.files) - set(first)))]


class _Memory:
    """The device's FRAM, which no cut of this kind concerns: the log is written there."""

    def __init__(self) -> None:
        self._content = bytearray(p.FRAM_BYTES)

    def read(self, at: int, buf: bytearray, n: int) -> None:
        """See `mesofirmware.boards.port.Store`."""
        buf[:n] = self._content[at : at + n]

    def write(self, at: int, buf: bytearray, n: int) -> None:
        """See `mesofirmware.boards.port.Store`."""
        self._content[at : at + n] = buf[:n]


class Device:
    """A board that has been switched on: its filesystem is mounted, nothing else has happened."""

    model = b"pico"

    def __init__(self, shelf: rp2_shelf.Shelf) -> None:
        self.shelf = shelf
        self.files = rp2_files.Files("/settings")

    def start(self) -> str:
        """What `start.main` starts: a folder, "" for the safe application."""
        return slots.Slots(self.files).choose(self._is_whole)

    def holds(self, folder: str, application: Application) -> bool:
        """Whether a folder has all of an application's files, byte by byte."""
        return all(self._content(f"{folder}/{path}") == data for path, data in application.files.items())

    def send(self, application: Application) -> None:
        """As a host does, and stage it."""
        board: Any = self  # of a board an update needs nothing else
        under_way = update.Update(board, slots.Slots(self.files), log.Log(_Memory(), clock.Clock(0)))
        text, *_ = pieces = application.sent()
        digest = bytearray(hashlib.sha256(text).digest())
        _ok(under_way.take(wire.UPDATE_BEGIN, [len(text), 0, 0], digest))
        while under_way.values[0] < len(pieces):
            file, offset = before = list(under_way.values)
            data = bytearray(pieces[file][offset : offset + CHUNK])
            _ok(under_way.take(wire.UPDATE_WRITE, [file, offset, len(data), 0], data))
            if under_way.values <= before:
                raise Broken(f"the device does not go on at {before}")
        _ok(under_way.take(wire.UPDATE_STAGE, [], bytearray()))

    def confirm(self) -> None:
        """As a host does."""
        _ok(slots.Slots(self.files).confirm())

    def state(self) -> int:
        """`update` of UPDATE's answer."""
        values = [0] * 4
        slots.Slots(self.files).tell(False, values)
        return values[wire.UPDATE_REPLY_UPDATE]

    def paths(self, folder: str, within: str = "") -> Iterator[str]:
        """Of all files in a folder."""
        for name in self.shelf.names(f"{folder}/{within}".rstrip("/")):
            if name.endswith("/"):
                yield from self.paths(folder, within + name)
            else:
                yield within + name

    def _is_whole(self, folder: str) -> bool:
        return manifest.is_whole(self.shelf, folder)

    def _content(self, path: str) -> bytes | None:
        try:
            return manifest.read(self.shelf, path)
        except OSError:
            return None


@contextmanager
def on(medium: flash.Flash, new: bool = False) -> Generator[Device]:
    """A device whose files lie on this flash, in one process one at a time."""
    system: Any = flash.System(medium, new)
    modules: list[Any] = [rp2_files, rp2_shelf]
    before = [module.os for module in modules]
    for module in modules:
        module.os, module.open = system, system.open
    try:
        yield Device(rp2_shelf.Shelf(lambda: None))
    finally:
        for module, its in zip(modules, before, strict=True):
            module.os = its
            del module.open


class Play(NamedTuple):
    """An update of a device: `old` runs from A and is confirmed, `former` lies in B, and `new` comes."""

    former: Application
    old: Application
    new: Application
    signer: bytes
    """The modulus of who has signed them."""

    @classmethod
    def small(cls, sign: Callable[[bytes], bytes], signer: bytes) -> Play:
        """Three versions of a small application; the new one has a file more, and an empty one."""
        random_of = random.Random(1)
        contents = [{path: random_of.randbytes(size) for path, size in _SIZES.items()} for _ in range(3)]
        contents[2] |= {"mesofirmware/empty.mpy": b"", "mesofirmware/update.mpy": random_of.randbytes(700)}
        versions = ("0.1.0", "0.1.1", "0.2.0")
        three = [Application.of(*each, sign) for each in zip(versions, contents, strict=True)]
        return cls(three[0], three[1], three[2], signer)

    def device(self) -> bytes:
        """The image of its flash before."""
        medium = flash.Flash(b"\xff" * flash.BOARD_BLOCK * BLOCKS, flash.BOARD_BLOCK)
        with on(medium, new=True) as device:
            device.files.write(update.SIGNER, bytearray(self.signer), len(self.signer))
            for folder, application in zip(slots.FOLDERS, (self.old, self.former), strict=True):
                for path, data in application.files.items():
                    device.shelf.begin(f"{folder}/{path}")
                    device.shelf.write(data, 0, len(data))
                    device.shelf.end()
        return bytes(medium.buffer)

    def installed(self, medium: flash.Flash) -> None:
        """The whole way, each start on its own: sent, staged, tried, confirmed, started again."""
        for act in (lambda device: device.send(self.new), self._tried, Device.confirm, self._tried):
            with on(medium) as device:
                act(device)

    def given_up(self, medium: flash.Flash, damage: str = "") -> None:
        """Staged, and never confirmed, until the device goes back. `damage`: a file that does not stay as it was."""
        with on(medium) as device:
            device.send(self.new)
            if damage:
                device.shelf.begin(f"{slots.FOLDERS[1]}/{damage}")
                device.shelf.end()
        for _ in range(STARTS):
            with on(medium) as device:
                device.start()

    def started(self, device: Device) -> Application:
        """What starts now, and is there byte by byte. Raises `Broken` if it is neither the old nor the new one."""
        folder = device.start()
        for application in (self.old, self.new):
            if folder and device.holds(folder, application):
                return application
        raise Broken(f"{folder or 'the safe application'} starts, not the old application nor the new one")

    def survives(self, image: bytes) -> list[flash.Write]:
        """Held against a flash that a cut has left: something starts, and the update ends. The writes that it takes."""
        medium = flash.Flash(image, flash.BOARD_BLOCK)
        with on(medium) as device:
            runs = self.started(device)
        if runs is self.old:
            with on(medium) as device:
                device.send(self.new)
            with on(medium) as device:
                self._tried(device)
        with on(medium) as device:
            device.confirm()
        with on(medium) as device:
            self._tried(device)
            if device.state() != wire.UPDATE_CONFIRMED:
                raise Broken("it is not confirmed")
        return medium.writes

    def goes_back(self, image: bytes) -> list[flash.Write]:
        """Held against a flash that a cut has left while nobody confirms: the old one runs in the end. The writes."""
        medium = flash.Flash(image, flash.BOARD_BLOCK)
        runs = self.new
        for _ in range(STARTS):
            with on(medium) as device:
                runs = self.started(device)
        if runs is not self.old:
            raise Broken("the new application is started for ever, and nobody has confirmed it")
        return medium.writes

    def _tried(self, device: Device) -> None:
        if self.started(device) is not self.new:
            raise Broken("the old application starts, not the new one")


def images(before: bytes, writes: list[flash.Write], pieces: int = 2) -> Iterator[tuple[str, bytes]]:
    """As `flash.cut_images`, each image once."""
    seen: set[bytes] = set()
    for story, image in flash.cut_images(before, writes, pieces):
        digest = hashlib.sha256(image).digest()
        if digest not in seen:
            seen.add(digest)
            yield story, image


def _ok(status: int) -> None:
    if status != wire.S_OK:
        raise Broken(f"refused with status {status}")
