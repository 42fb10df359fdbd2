"""An application folder against its manifest: a line a file, `sha256 size path`, and last the SHA-256 of them all."""

import binascii
import hashlib

MANIFEST = "manifest"
_PIECE = 512


def is_whole(folder: str) -> bool:
    """Whether every file of a folder's manifest is there, as the manifest says. Allocates; takes its time."""
    try:
        with open(folder + "/" + MANIFEST, "rb") as file:
            lines = file.read().split(b"\n")
        listed = b"\n".join(lines[:-2]) + b"\n"
        if len(lines) < 3 or lines[-1] or binascii.hexlify(hashlib.sha256(listed).digest()) != lines[-2]:
            return False
        for line in lines[:-2]:
            digest, size, path = line.split(b" ", 2)
            if not _is_file(folder + "/" + path.decode(), int(size), digest):
                return False
    except (OSError, ValueError):
        return False
    return True


def _is_file(path: str, size: int, digest: bytes) -> bool:
    sha = hashlib.sha256()
    piece = bytearray(_PIECE)
    view = memoryview(piece)
    with open(path, "rb") as file:
        n = file.readinto(piece)
        while n:
            size -= n
            sha.update(view[:n])
            n = file.readinto(piece)
    return size == 0 and binascii.hexlify(sha.digest()) == digest
