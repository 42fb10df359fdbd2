"""One program at a time writes about a device: a lock of the operating system, which ends however its holder ends.

The file lies beside the journal, holds the holder's process id and stays there: its presence means nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mesoinjector import errors

_FAR = 1 << 20
"""Windows locks bytes against reading too: one far behind the process id."""


class DeviceLock:
    """Held from its making to `release`. Another holder in this same process is no obstacle: its threads share it.

    Raises `JournalHeld` with the other's process id, `OSError` if the file cannot be made.
    """

    def __init__(self, journal: Path, device: str) -> None:
        path = journal.with_name(f"{journal.name}-{device}.lock")
        self._fd: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if _lock(self._fd):
            self._write(str(os.getpid()))
            return
        holder = os.read(self._fd, 20).decode()
        os.close(self._fd)
        self._fd = None
        if holder != str(os.getpid()):
            raise errors.JournalHeld(
                f"journal {journal}: process {holder or 'that has just begun'} has device {device} open. Next: end "
                "that program, or wait for its end; it is the one to stop the device. Other devices are free."
            )

    def release(self) -> None:
        """Let others have it. Idempotent."""
        if self._fd is not None:
            self._write("")
            os.close(self._fd)
            self._fd = None

    def __del__(self) -> None:
        self.release()

    def _write(self, text: str) -> None:
        assert self._fd is not None
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        os.write(self._fd, text.encode())


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
