"""The computer this runs on, as far as finding a device and saying what is in its way need it.

What Linux tells of itself lies under `root`. Elsewhere those questions have no answer, and None says so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

RULE_FOLDERS = ("etc/udev/rules.d", "run/udev/rules.d", "usr/local/lib/udev/rules.d", "usr/lib/udev/rules.d")
"""Where udev looks; see udev(7)."""


class Holder(NamedTuple):
    """A program that has a port open."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid})"


@dataclass(frozen=True, slots=True)
class Machine:
    """This computer; a test's is a folder and a list of ports."""

    root: Path = Path("/")
    ports: Callable[[], Iterable[ListPortInfo]] = list_ports.comports
    """The serial ports there are."""
    is_linux: bool = sys.platform == "linux"
    usb: Any = None
    """pyusb's backend; None: libusb."""
    is_root: bool = hasattr(os, "geteuid") and os.geteuid() == 0
    programs: str | None = None
    """Folders of programs, as in PATH; None: this process's."""

    def program(self, name: str) -> str | None:
        """Where a program lies; None if there is none of this name. PATH of many users leaves out what is root's."""
        folders = (
            os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin" if self.programs is None else self.programs
        )
        return shutil.which(name, path=folders)

    def owner(self, port: str) -> str:
        """Whose a port is, and what they may: `root:dialout, mode 660`."""
        if sys.platform == "win32":
            return "another user's"
        import grp
        import pwd

        try:
            status = Path(port).stat()
        except OSError:
            return "gone by now"
        user, group = str(status.st_uid), str(status.st_gid)
        with contextlib.suppress(KeyError):  # a number without a name
            user = pwd.getpwuid(status.st_uid).pw_name
            group = grp.getgrgid(status.st_gid).gr_name
        return f"{user}:{group}, mode {status.st_mode & 0o777:o}"

    def holders(self, port: str) -> list[Holder] | None:
        """Who has a port open, as far as this user may know: other users' programs are not shown."""
        if not self.is_linux:
            return None
        names = {port, os.path.realpath(port)}
        found: list[Holder] = []
        for process in self._processes():
            try:
                is_open = any(_target(fd) in names for fd in (process / "fd").iterdir())
            except OSError:
                continue  # another user's, or it has just ended
            if is_open:
                found.append(Holder(int(process.name), _command(process)))
        return found

    def running(self, name: str) -> Holder | None:
        """A process of this name; None as well where that cannot be asked."""
        for process in self._processes():
            if _read(process / "comm").strip() == name:
                return Holder(int(process.name), _command(process))
        return None

    def rule_file(self, name: str) -> Path | None:
        """Where the udev rule of this name is installed: the first folder counts, as for udev."""
        files = (self.root / folder / name for folder in RULE_FOLDERS)
        return next((file for file in files if file.is_file()), None)

    def _processes(self) -> Iterator[Path]:
        folder = self.root / "proc"
        if self.is_linux and folder.is_dir():
            yield from sorted(
                (each for each in folder.iterdir() if each.name.isdigit()), key=lambda each: int(each.name)
            )


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _command(process: Path) -> str:
    words = _read(process / "cmdline").replace("\0", " ").strip()
    return words or _read(process / "comm").strip() or "unknown"


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
