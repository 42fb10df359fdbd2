"""Files that are whole and on disk, or not there: after a crash, and when a disk is full."""

from __future__ import annotations

import os
import threading
from pathlib import Path

_BINARY: int = getattr(os, "O_BINARY", 0)
"""Windows' alone."""


def replace(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Make `data` a file's whole content. Raises `OSError`; then it is as it was before."""
    partial = _written(path, data, mode)
    try:
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)


def create(path: Path, data: bytes, mode: int = 0o666) -> None:
    """As `replace`, but of a file that is not there yet. Raises `FileExistsError` as well."""
    partial = _written(path, data, mode)
    try:
        os.link(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _written(path: Path, data: bytes, mode: int) -> Path:
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        partial.unlink(missing_ok=True)  # what a process of the same number has left when it was killed
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return partial


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
