"""Application folders on littlefs. Each file is written whole and closed before it counts.

Flash stops all interrupts while it is erased: whoever writes sees to it that nothing moves. A folder of files takes
longer than the watchdog waits, so each call says that the loop is alive.
"""

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

_IS_FOLDER = 0x4000
"""Of a mode, in `os.stat`."""


class Shelf:
    """See `port.Shelf`. `feed` is called with each call."""

    def __init__(self, feed: "Callable[[], None]") -> None:
        self._feed = feed
        self._file: "Any" = None

    def names(self, folder: str) -> list:
        """See the port."""
        self._feed()
        try:
            names = os.listdir(folder)
        except OSError as error:
            if error.args[0] != errno.ENOENT:
                raise
            return []
        return sorted([name + "/" if os.stat(folder + "/" + name)[0] & _IS_FOLDER else name for name in names])

    def read(self, path: str, at: int, buf: bytearray) -> int:
        """See the port."""
        self._feed()
        try:
            file = open(path, "rb")
        except OSError as error:
            if error.args[0] != errno.ENOENT:
                raise
            return -1
        with file:
            file.seek(at)
            return file.readinto(buf)

    def begin(self, path: str) -> None:
        """See the port."""
        self.end()
        at = path.find("/", 1)
        while at > 0:
            try:
                os.mkdir(path[:at])
            except OSError as error:
                if error.args[0] != errno.EEXIST:
                    raise
            at = path.find("/", at + 1)
        self._file = open(path, "wb")

    def write(self, buf: "bytes | bytearray", at: int, n: int) -> None:
        """See the port."""
        self._feed()
        self._file.write(memoryview(buf)[at : at + n])

    def end(self) -> None:
        """See the port."""
        self._feed()
        file = self._file
        self._file = None
        if file is not None:
            file.close()

    def remove(self, path: str) -> None:
        """See the port."""
        self._feed()
        if path.endswith("/"):
            os.rmdir(path[:-1])
        else:
            os.remove(path)
