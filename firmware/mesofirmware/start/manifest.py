"""An application folder against its manifest.

The manifest's first line is `mesoinjector VERSION BOARDS`: three numbers below 1,024 with dots between them, and the
boards it was built for with commas. A line a file follows, `sha256 size path`, each path behind the one before as
strings compare, and last the SHA-256 of them all.
"""

import binascii
import errno
import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from mesofirmware.boards.port import Shelf

MANIFEST, SIGNATURE = "manifest", "signature"
"""Files of a folder that its manifest does not list. SIGNATURE is over the whole manifest: `mesofirmware.signature`."""
PRODUCT = b"mesoinjector"
_PIECE = 1024
_HASH = 65
"""Bytes of the last line."""
_SIZE_MOST = 0xFFFFFF
"""What UPDATE_WRITE can number. Of files, too: no manifest of 16 KiB lists 253."""


def is_whole(shelf: "Shelf", folder: str) -> bool:
    """Whether every file of a folder's manifest is there, as the manifest says. Allocates; takes its time."""
    try:
        files = parse(read(shelf, folder + "/" + MANIFEST))[2]
    except (OSError, ValueError):
        return False
    for digest, size, path in files:
        if not is_listed(shelf, folder + "/" + path, size, digest):
            return False
    return True


def is_listed(shelf: "Shelf", path: str, size: int, digest: bytes) -> bool:
    """Whether a file is there and has this size and SHA-256."""
    sha = hashlib.sha256()
    try:
        for piece in _pieces(shelf, path):
            size -= len(piece)
            sha.update(piece)
    except OSError:
        return False
    return size == 0 and sha.digest() == digest


def read(shelf: "Shelf", path: str) -> bytes:
    """A whole file. Raises OSError if there is none."""
    data = bytearray()
    for piece in _pieces(shelf, path):
        data.extend(piece)
    return bytes(data)


def parse(text: bytes) -> "tuple[int, list, list]":
    """Version, boards, and `(sha256, size, path)` of each file. Raises ValueError if it is no whole manifest."""
    lines = text.split(b"\n")
    if len(lines) < 4:
        raise ValueError("%d lines" % len(lines))
    if lines[-1] or binascii.hexlify(hashlib.sha256(memoryview(text)[:-_HASH]).digest()) != lines[-2]:
        raise ValueError("SHA-256")
    product, number, boards = lines[0].split(b" ")
    if product != PRODUCT:
        raise ValueError("product")
    files: list = []
    last = ""
    for line in lines[1:-2]:
        digest, size, name = line.split(b" ", 2)
        sha, path = binascii.unhexlify(digest), name.decode()
        if len(sha) != 32 or not size.isdigit() or int(size) > _SIZE_MOST:
            raise ValueError(path)
        if path <= last or path in (MANIFEST, SIGNATURE):
            raise ValueError(path)
        for part in path.split("/"):
            if part in ("", ".", ".."):
                raise ValueError(path)
        files.append((sha, int(size), path))
        last = path
    return version(number), boards.split(b","), files


def version(text: bytes) -> int:
    """`a.b.c` as one integer that compares as versions do: 10 bits each. Raises ValueError."""
    n = 0
    parts = text.split(b".")
    for part in parts:
        if not part.isdigit() or int(part) > 1023:
            raise ValueError("version")
        n = n << 10 | int(part)
    if len(parts) != 3:
        raise ValueError("version")
    return n


def _pieces(shelf: "Shelf", path: str) -> "Iterator[memoryview]":
    piece = bytearray(_PIECE)
    view = memoryview(piece)
    at = 0
    n = shelf.read(path, 0, piece)
    if n < 0:
        raise OSError(errno.ENOENT)
    while n:
        yield view[:n]
        at += n
        n = shelf.read(path, at, piece)
