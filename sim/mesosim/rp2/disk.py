"""A folder tree in memory, for what the board asks of `os` and `open`: files that outlive its resets."""

import errno


class Disk:
    """Files by their path."""

    def __init__(self) -> None:
        self._files: dict = {}
        self._folders = ["/"]

    def mkdir(self, path: str) -> None:
        """Make a folder. Raises OSError EEXIST."""
        if path in self._folders:
            raise OSError(errno.EEXIST, path)
        self._folders.append(path)

    def rename(self, path: str, to: str) -> None:
        """Give a file another name, in place of whatever had it."""
        self._files[to] = self._files.pop(path)

    def open(self, path: str, mode: str = "r") -> "_File":
        """Open to read or to write. Raises OSError ENOENT."""
        if "w" not in mode and path not in self._files:
            raise OSError(errno.ENOENT, path)
        return _File(self._files, path, "w" in mode)


class _File:
    def __init__(self, files: dict, path: str, writes: bool) -> None:
        self._files = files
        self._path = path
        self._writes = writes
        self._data = b"" if writes else files[path]

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writes:
            self._files[self._path] = self._data

    def readinto(self, buf: bytearray) -> int:
        n = min(len(buf), len(self._data))
        buf[:n] = self._data[:n]
        self._data = self._data[n:]
        return n

    def write(self, data: bytes) -> int:
        self._data += bytes(data)
        return len(data)
