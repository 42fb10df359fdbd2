"""A flash whose image is kept before, half through and after each write: littlefs on it, cut at any moment.

Needs `littlefs-python` (the `dev` extra). What was written since the last sync may also reach the flash in another
order: images in which one such write is missing while later ones are there belong to those to survive.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from littlefs import LittleFS, UserContext

BLOCK = 512
BLOCKS = 32


class Write(NamedTuple):
    """One program or erase: where, what it left there, and in which period between syncs."""

    at: int
    data: bytes
    epoch: int


class Flash(UserContext):  # type: ignore[misc]
    """A flash of 16 KiB that notes its writes."""

    def __init__(self, image: bytes = b"\xff" * BLOCK * BLOCKS) -> None:
        super().__init__(buffer=bytearray(image))
        self.writes: list[Write] = []
        self._epoch = 0

    def prog(self, cfg: object, block: int, off: int, data: bytes) -> int:
        """See littlefs."""
        self.writes.append(Write(block * BLOCK + off, bytes(data), self._epoch))
        return int(super().prog(cfg, block, off, data))

    def erase(self, cfg: object, block: int) -> int:
        """See littlefs."""
        self.writes.append(Write(block * BLOCK, b"\xff" * BLOCK, self._epoch))
        return int(super().erase(cfg, block))

    def sync(self, cfg: object) -> int:
        """See littlefs."""
        self._epoch += 1
        return int(super().sync(cfg))


def cut_images(before: bytes, writes: list[Write]) -> Iterator[tuple[str, bytes]]:
    """Every image that a power cut during `writes` may leave, with what it is: whole, half and missing writes."""
    image = bytearray(before)
    yield "before", bytes(image)
    for i, write in enumerate(writes):
        half = len(write.data) // 2
        yield f"write {i} by half", _with(image, [Write(write.at, write.data[:half], 0)])
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
