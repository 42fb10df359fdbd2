"""Keys of a device's roles, and the files they lie in: one line, `operator` or `service` and 64 hex digits."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from mesoinjector import durable
from mesoinjector.errors import KeyFileError
from mesoprotocol import wire

SIZE = 32
ROLES = {"operator": wire.ROLE_OPERATOR, "service": wire.ROLE_SERVICE}


@dataclass(frozen=True, slots=True)
class Key:
    """The key of one role of one device."""

    role: int
    """`wire.ROLE_OPERATOR` or `wire.ROLE_SERVICE`."""
    secret: bytes = field(repr=False)
    """32 bytes; never shown."""

    @classmethod
    def new(cls, role: str) -> Key:
        """A fresh one, from the system's random source."""
        return cls(_role(role, "role"), secrets.token_bytes(SIZE))

    @property
    def role_name(self) -> str:
        """`operator` or `service`."""
        return next(name for name, role in ROLES.items() if role == self.role)

    @property
    def fingerprint(self) -> str:
        """Eight hex digits by which people tell keys apart; of 32 random bytes they betray nothing."""
        return hashlib.sha256(b"mesoinjector key" + self.secret).hexdigest()[:8]

    @classmethod
    def load(cls, path: Path | str) -> Key:
        """Read a key file. Raises `KeyFileError`, also if others than its owner may read it."""
        path = Path(path)
        try:
            if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyFileError(f"{path} may be read by others than its owner. Next: chmod 600 {path}")
            role, _, digits = path.read_text().strip().partition(" ")
            secret = bytes.fromhex(digits)
        except (OSError, ValueError) as error:
            raise KeyFileError(f"{path}: {error}. Next: a key file is one line, as in {EXAMPLE!r}.") from None
        if len(secret) != SIZE or not any(secret):
            raise KeyFileError(
                f"{path}: {len(secret)} bytes of key; it must be {SIZE}, not all zero, as in {EXAMPLE!r}."
            )
        return cls(_role(role, str(path)), secret)

    def save(self, path: Path | str) -> None:
        """Write a key file that only its owner may read; it is whole and on disk then. Refuses to replace one."""
        try:
            durable.create(Path(path), f"{self.role_name} {self.secret.hex()}\n".encode(), 0o600)
        except OSError as error:
            raise KeyFileError(f"{path}: {error}. Next: name a file that is not there yet.") from None


EXAMPLE = "operator 00112233… (64 hex digits)"


def _role(name: str, where: str) -> int:
    if name not in ROLES:
        raise KeyFileError(f"{where}: role {name!r} has no key; choose one of {', '.join(ROLES)}.")
    return ROLES[name]
