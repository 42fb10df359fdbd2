"""A simulated device's flash: the port's files and shelf over dicts, and what a new device has in its folders.

Whatever lies there, the simulator runs the firmware that it was imported with: what a folder holds decides what is
started, not what that does. A new device's folder A is whole and holds one file that says so.
"""

import binascii
import hashlib

from mesofirmware import slots, version
from mesofirmware.start import manifest

_FILE, _TEXT = "application", b"The simulator runs the firmware that it was imported with.\n"


class Files:
    """See `port.Files`. `content` has each file's bytes by its name, and outlives it."""

    def __init__(self, content: dict) -> None:
        self._content = content

    def read(self, name: str, buf: bytearray) -> int:
        """See the port."""
        if name not in self._content:
            return -1
        data = self._content[name][: len(buf)]
        buf[: len(data)] = data
        return len(data)

    def write(self, name: str, buf: bytearray, n: int) -> None:
        """See the port."""
        self._content[name] = bytes(buf[:n])


class Shelf:
    """See `port.Shelf`. `content` has each file's bytes by its path, and outlives it."""

    def __init__(self, content: dict) -> None:
        self._content = content
        self._path = ""
        self._data = b""

    def names(self, folder: str) -> list:
        """See the port."""
        start = folder + "/"
        below = [path[len(start) :] for path in sorted(self._content) if path.startswith(start)]
        found = []
        for path in below:
            name, slash, _ = path.partition("/")
            if name + slash not in found:
                found.append(name + slash)
        return found

    def read(self, path: str, at: int, buf: bytearray) -> int:
        """See the port."""
        if path not in self._content:
            return -1
        data = self._content[path][at : at + len(buf)]
        buf[: len(data)] = data
        return len(data)

    def begin(self, path: str) -> None:
        """See the port."""
        self._content[path] = b""
        self._path = path
        self._data = b""

    def write(self, buf: "bytes | bytearray", at: int, n: int) -> None:
        """See the port."""
        self._data += bytes(buf[at : at + n])

    def end(self) -> None:
        """See the port. What is not ended is empty after a restart."""
        if self._path:
            self._content[self._path] = self._data
        self._path = ""

    def remove(self, path: str) -> None:
        """See the port. Folders are what paths have in common, and go with their last file."""
        self._content.pop(path, None)


def new() -> dict:
    """What a new device has: this firmware in folder A."""
    folder = slots.FOLDERS[0] + "/"
    listed = b"%s %s pico,pico2\n" % (manifest.PRODUCT, version.FIRMWARE.encode())
    listed += b"%s %d %s\n" % (_sha256(_TEXT), len(_TEXT), _FILE.encode())
    return {folder + _FILE: _TEXT, folder + manifest.MANIFEST: listed + _sha256(listed) + b"\n"}


def _sha256(data: bytes) -> bytes:
    return binascii.hexlify(hashlib.sha256(data).digest())
