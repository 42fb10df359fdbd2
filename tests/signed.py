"""Applications for a device to take: made of a few bytes, sealed and signed, and sent as the protocol wants it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mesoprotocol import messages, wire

MOST = 192
"""Bytes of one UPDATE_WRITE."""
SIGNATURE = 384
FILES = (("main.mpy", b"M\x06" * 150), ("mesofirmware/app.mpy", bytes(range(256)) * 2), ("mesofirmware/none.mpy", b""))


@functools.cache
def key(name: str) -> rsa.RSAPrivateKey:
    """A signer's; the same for a name while the process lives."""
    return rsa.generate_private_key(65537, 3072)


def modulus(name: str) -> bytes:
    """What a device knows of its signer."""
    return key(name).public_key().public_numbers().n.to_bytes(SIGNATURE, "big")


def signature(text: bytes, name: str) -> bytes:
    """By the key of this name."""
    return key(name).sign(text, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True)
class Signed:
    """What is announced and sent."""

    manifest: bytes
    signature: bytes
    files: tuple[bytes, ...]
    digest: bytes

    @property
    def parts(self) -> tuple[bytes, ...]:
        """What UPDATE_WRITE numbers."""
        return (self.manifest, self.signature, *self.files)

    def altered(self, **parts: Any) -> Signed:
        """The same with other parts."""
        return replace(self, **parts)


def sealed(lines: bytes) -> bytes:
    """A manifest of these lines."""
    return lines + hashlib.sha256(lines).hexdigest().encode() + b"\n"


def of_manifest(manifest: bytes, files: tuple[bytes, ...] = (), name: str = "maker") -> Signed:
    """A manifest, signed."""
    return Signed(manifest, signature(manifest, name), files, hashlib.sha256(manifest).digest())


def application(
    version: str = "0.2.0",
    boards: str = "pico,pico2",
    files: tuple[tuple[str, bytes], ...] = FILES,
    name: str = "maker",
) -> Signed:
    """An application that a device should take."""
    listed = [
        b"%s %d %s\n" % (hashlib.sha256(data).hexdigest().encode(), len(data), path.encode()) for path, data in files
    ]
    head = f"mesoinjector {version} {boards}\n".encode()
    return of_manifest(sealed(head + b"".join(listed)), tuple(data for _, data in files), name)


def begin(ask: Callable[[Any], Any], what: Signed, older: int = 0) -> Any:
    """The answer to UPDATE_BEGIN."""
    return ask(messages.UpdateBegin(len(what.manifest), what.digest, older))


def piece(what: Signed, file: int, offset: int) -> messages.UpdateWrite:
    """What is to be sent there."""
    data = what.parts[file][offset : offset + MOST]
    return messages.UpdateWrite(file, offset, len(data), data.ljust(MOST, b"\0"))


def send(ask: Callable[[Any], Any], what: Signed, older: int = 0, until: tuple[int, int] | None = None) -> Any:
    """Begin, and write what the device asks for, to the end or to that place; the last answer, be it a refusal."""
    answer = begin(ask, what, older)
    while answer.status == wire.S_OK and answer.file < len(what.parts) and (answer.file, answer.offset) != until:
        answer = ask(piece(what, answer.file, answer.offset))
    return answer
