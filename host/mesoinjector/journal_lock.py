"""One program at a time writes about a device: a lock of the operating system, which ends however its holder ends.

The file lies beside the journal, holds the holder's process id and stays there: its presence means nothing.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from weakref import WeakValueDictionary

from mesoinjector import errors

_FAR = 1 << 20
"""Windows locks bytes against reading too: one far behind the process id."""


class DeviceLock:
    """Held from its making to `release`. Holders in one process share it; the last one's `release` lets others in.

    Raises `JournalHeld` with the other's process id, `OSError` if the file cannot be made.
    """

    def __init__(self, journal: Path, device: str) -> None:
        path = journal.with_name(f"{journal.name}-{device}.lock")
        # a forked process inherits what is held, but must not take it for its own
        key = os.getpid(), path.resolve()
        with _turn:
            file = _held.get(key)
            if file is None:
                file = _held[key] = _LockFile(path, journal, device)
            self._file: _LockFile | None = file

    def release(self) -> None:
        """Let others have it. Idempotent."""
        with _turn:
            self._file = None


class _LockFile:
    """Locked until nobody refers to it."""

    def __init__(self, path: Path, journal: Path, device: str) -> None:
        self._fd: int | None = None
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if _lock(self._fd):
            self._write(str(os.getpid()))
            return
        # for people only: in another container the same number may be another process
        holder = os.read(self._fd, 20).decode()
        os.close(self._fd)
        self._fd = None
        raise errors.JournalHeld(
            f"journal {journal}: process {holder or 'that has just begun'} has device {device} open. Next: end "
            "that program, or wait for its end; it is the one to stop the device. Other devices are free."
        )

    def __del__(self) -> None:
        if self._fd is not None:
            self._write("")
            os.close(self._fd)

    def _write(self, text: str) -> None:
        assert self._fd is not None
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        os.write(self._fd, text.encode())


_turn = threading.Lock()
_held: WeakValueDictionary[tuple[int, Path], _LockFile] = WeakValueDictionary()
"""What this process holds: by its id, and by the lock's file."""


def _lock(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(fd, _FAR, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.lseek(fd, 0, os.SEEK_SET)
    return True
