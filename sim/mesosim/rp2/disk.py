"""A folder tree in memory, for what the board asks of `os` and `open`: files that outlive its resets."""

import errno

_FOLDER, _FILE = 0x4000, 0x8000
"""Modes, as littlefs has them."""


class Disk:
    """Files by their path."""

    def __init__(self) -> None:
        self.files: dict = {}
        self._folders = ["/"]

    def mkdir(self, path: str) -> None:
        """Make a folder. Raises OSError EEXIST."""
        if path in self._folders or path in self.files:
            raise OSError(errno.EEXIST, path)
        self._folders.append(path)

    def rmdir(self, path: str) -> None:
        """Remove a folder. Raises OSError ENOTEMPTY."""
        if self.listdir(path):
            raise OSError(errno.ENOTEMPTY, path)
        self._folders.remove(path)

    def listdir(self, path: str) -> list:
        """Names in a folder. Raises OSError ENOENT."""
        if path not in self._folders:
            raise OSError(errno.ENOENT, path)
        paths = list(self.files) + self._folders
        return [each[len(path) + 1 :] for each in paths if each.rpartition("/")[0] == path]

    def stat(self, path: str) -> tuple:
        """Mode first. Raises OSError ENOENT."""
        if path not in self._folders and path not in self.files:
            raise OSError(errno.ENOENT, path)
        return (_FOLDER if path in self._folders else _FILE, 0, 0, 0, 0, 0, len(self.files.get(path, b"")), 0, 0, 0)

    def rename(self, path: str, to: str) -> None:
        """Give a file another name, in place of whatever had it."""
        self.files[to] = self.files.pop(path)

    def remove(self, path: str) -> None:
        """Remove a file. Raises OSError ENOENT."""
        if path not in self.files:
            raise OSError(errno.ENOENT, path)
        del self.files[path]

    def open(self, path: str, mode: str = "r") -> "_File":
        """Open to read or to write. Raises OSError ENOENT."""
        folder = path.rpartition("/")[0]
        if (folder and folder not in self._folders) or ("w" not in mode and path not in self.files):
            raise OSError(errno.ENOENT, path)
        return _File(self.files, path, "w" in mode)

    def put(self, path: str, data: bytes) -> None:
        """A file, and the folders it lies in, from outside."""
        parts = path.split("/")
        for n in range(2, len(parts)):
            if "/".join(parts[:n]) not in self._folders:
                self.mkdir("/".join(parts[:n]))
        self.files[path] = data


class _File:
    def __init__(self, files: dict, path: str, writes: bool) -> None:
        self._files = files
        self._path = path
        self._writes = writes
        self._data = b"" if writes else files[path]
        if writes:
            files[path] = b""

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """What was written counts from here."""
        if self._writes:
            self._files[self._path] = self._data

    def seek(self, at: int) -> None:
        """Leave out what is before."""
        self._data = self._data[at:]

    def readinto(self, buf: bytearray) -> int:
        n = min(len(buf), len(self._data))
        buf[:n] = self._data[:n]
        self._data = self._data[n:]
        return n

    def write(self, data: bytes) -> int:
        self._data += bytes(data)
        return len(data)
