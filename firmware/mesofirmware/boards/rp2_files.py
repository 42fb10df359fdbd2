"""Settings as files in a folder of littlefs: written beside, then renamed, so that a power cut leaves old or new.

Flash stops all interrupts while it is erased: whoever writes sees to it that nothing moves.
"""

import errno
import os

_BESIDE = "/.new"


class Files:
    """See `port.Files`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        try:
            os.mkdir(folder)
        except OSError as error:
            if error.args[0] != errno.EEXIST:
                raise

    def read(self, name: str, buf: bytearray) -> int:
        """See the port."""
        try:
            file = open(self._folder + "/" + name, "rb")
        except OSError as error:
            if error.args[0] != errno.ENOENT:
                raise
            return -1
        with file:
            return file.readinto(buf)

    def write(self, name: str, buf: bytearray, n: int) -> None:
        """See the port."""
        beside = self._folder + _BESIDE
        with open(beside, "wb") as file:
            file.write(memoryview(buf)[:n])
        os.rename(beside, self._folder + "/" + name)
