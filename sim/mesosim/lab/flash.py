"""A flash whose image is kept before, half through and after each write: littlefs on it, cut at any moment.

`LittleFiles` is the port's files on a small flash, `System` what MicroPython's `os` and `open` are on a board's.

Needs `littlefs-python` (the `dev` extra). What was written since the last sync may also reach the flash in another
order: images in which one such write is missing while later ones are there belong to those to survive.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from littlefs import LittleFS, LittleFSError, UserContext, lfs

BLOCK = 512
BLOCKS = 32
BOARD_BLOCK = 4096
"""What a Pico's flash erases."""
_BOARD = {"block_size": BOARD_BLOCK, "prog_size": 256, "read_size": 32, "cache_size": 1024, "lookahead_size": 32}
"""As `VfsLfs2(flash, progsize=256)` sets it up: MicroPython's extmod/vfs_lfsx.c and ports/rp2/modules/_boot.py."""
_BOARD_CYCLES = 100


class Write(NamedTuple):
    """One program or erase: where, what it left there, and in which period between syncs."""

    at: int
    data: bytes
    epoch: int


class Flash(UserContext):  # type: ignore[misc]
    """A flash that notes its writes, of 16 KiB unless an image is given."""

    def __init__(self, image: bytes = b"\xff" * BLOCK * BLOCKS, block: int = BLOCK) -> None:
        super().__init__(buffer=bytearray(image))
        self.block = block
        self.writes: list[Write] = []
        self._epoch = 0

    def read(self, cfg: object, block: int, off: int, size: int) -> bytearray:
        """See littlefs."""
        at = block * self.block + off
        return bytearray(self.buffer[at : at + size])

    def prog(self, cfg: object, block: int, off: int, data: bytes) -> int:
        """See littlefs."""
        return self._write(block * self.block + off, bytes(data))

    def erase(self, cfg: object, block: int) -> int:
        """See littlefs."""
        return self._write(block * self.block, b"\xff" * self.block)

    def _write(self, at: int, data: bytes) -> int:
        self.writes.append(Write(at, data, self._epoch))
        self.buffer[at : at + len(data)] = data
        return 0

    def sync(self, cfg: object) -> int:
        """See littlefs."""
        self._epoch += 1
        return int(super().sync(cfg))


def cut_images(before: bytes, writes: list[Write], pieces: int = 2) -> Iterator[tuple[str, bytes]]:
    """Every image that a power cut during `writes` may leave, with what it is: whole, torn and missing writes.

    A write is torn at each border of `pieces` equal ones, by default in its middle.
    """
    image = bytearray(before)
    yield "before", bytes(image)
    for i, write in enumerate(writes):
        for n in range(1, pieces):
            torn = len(write.data) * n // pieces
            yield (
                f"write {i} torn at {torn} of {len(write.data)}",
                _with(image, [Write(write.at, write.data[:torn], 0)]),
            )
        later = [after for after in writes[i + 1 :] if after.epoch == write.epoch]
        for n in range(1, len(later) + 1):
            yield f"write {i} missing, {n} after it", _with(image, later[:n])
        image = bytearray(_with(image, [write]))
        yield f"after write {i}", bytes(image)


def _with(image: bytes | bytearray, writes: list[Write]) -> bytes:
    changed = bytearray(image)
    for write in writes:
        changed[write.at : write.at + len(write.data)] = write.data
    return bytes(changed)


class LittleFiles:
    """The firmware's files on littlefs on a flash. Raises littlefs' error if it does not mount."""

    def __init__(self, flash: Flash, new: bool = False) -> None:
        self.system = LittleFS(flash, mount=False, block_size=BLOCK, block_count=BLOCKS)
        if new:
            self.system.format()
        self.system.mount()

    def read(self, name: str, buf: bytearray) -> int:
        """See `mesofirmware.boards.port.Files`."""
        try:
            with self.system.open(name, "rb") as file:
                data = file.read(len(buf))
        except FileNotFoundError:
            return -1
        buf[: len(data)] = data
        return len(data)

    def write(self, name: str, buf: bytearray, n: int) -> None:
        """See `mesofirmware.boards.port.Files`."""
        with self.system.open(name, "wb") as file:
            file.write(bytes(buf[:n]))


class System:
    """A board's filesystem on a flash: what `rp2_files` and `rp2_shelf` use of `os`, and `open`. OSError as there.

    It is mounted as the board does it. Raises littlefs' error if it does not mount.
    """

    def __init__(self, flash: Flash, new: bool = False) -> None:
        blocks = len(flash.buffer) // BOARD_BLOCK
        self._fs = LittleFS(flash, mount=False, block_count=blocks, block_cycles=_BOARD_CYCLES, **_BOARD)
        if new:
            self._fs.format()
        self._fs.mount()

    def open(self, path: str, mode: str) -> File:
        """Binary modes only."""
        return File(self._fs.fs, path, mode)

    def mkdir(self, path: str) -> None:
        """See `os`."""
        _done(lfs.mkdir, self._fs.fs, path)

    def rename(self, old: str, new: str) -> None:
        """See `os`."""
        _done(lfs.rename, self._fs.fs, old, new)

    def remove(self, path: str) -> None:
        """See `os`."""
        _done(lfs.remove, self._fs.fs, path)

    rmdir = remove
    """littlefs knows one way for both."""

    def listdir(self, path: str) -> list[str]:
        """See `os`."""
        folder = _done(lfs.dir_open, self._fs.fs, path)
        names: list[str] = []
        while (each := _done(lfs.dir_read, self._fs.fs, folder)) is not None:
            names.append(each.name)
        lfs.dir_close(self._fs.fs, folder)
        return [name for name in names if name not in (".", "..")]

    def stat(self, path: str) -> tuple[int]:
        """The mode alone, with what MicroPython has in it: whether it is a folder or a file."""
        return (0x4000 if _done(lfs.stat, self._fs.fs, path).type == lfs.LFSStat.TYPE_DIR else 0x8000,)


class File:
    """An open file, unbuffered but by littlefs, as on a board."""

    def __init__(self, fs: lfs.LFSFilesystem, path: str, mode: str) -> None:
        self._fs = fs
        self._file = _done(lfs.file_open, fs, path, mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: types.TracebackType | type[BaseException] | BaseException | None) -> None:
        self.close()

    def readinto(self, buf: bytearray | memoryview) -> int:
        """See `io`."""
        data = _done(lfs.file_read, self._fs, self._file, len(buf))
        buf[: len(data)] = data
        return len(data)

    def write(self, data: bytes | memoryview) -> int:
        """See `io`."""
        return int(_done(lfs.file_write, self._fs, self._file, bytes(data)))

    def seek(self, at: int) -> None:
        """See `io`."""
        _done(lfs.file_seek, self._fs, self._file, at, 0)

    def close(self) -> None:
        """See `io`."""
        _done(lfs.file_close, self._fs, self._file)


def _done(call: Any, *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except LittleFSError as error:
        raise OSError(-int(error.code)) from None
