"""Applications: folders of `.mpy` files with a manifest and a signature, as a device takes them into /app_a or /app_b.

`manifest` is text: `mesoinjector VERSION BOARDS`, a line `sha256 size path` a file, sorted by path, and last the hex
SHA-256 of all lines before. `signature` is 384 bytes, the signer's over the whole manifest (`signing`). What is loaded
is whole; whose it is only `is_signed_by` says. Everything raises `ApplicationError`.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mesoinjector.errors import ApplicationError

MANIFEST, SIGNATURE = "manifest", "signature"
BOARDS = ("pico", "pico2")
SIGNATURE_BYTES = 384
MANIFEST_MOST = 16_384
"""Bytes; UPDATE_BEGIN's range."""
FILES_MOST = 253
"""UPDATE_WRITE numbers them in one byte, from 2 on, and one more says that nothing is left."""
FILE_MOST = 0xFFFFFF
"""Bytes of one file; UPDATE_WRITE's offset has 24 bits."""
VERSION_MOST = 1023
"""Of each of a version's three numbers: the device's log has 10 bits for it."""
_FIRST = re.compile(r"mesoinjector ((?:0|[1-9]\d{0,3})(?:\.(?:0|[1-9]\d{0,3})){2}) ([a-z0-9]+(?:,[a-z0-9]+)*)")
_FILE = re.compile(r"([0-9a-f]{64}) (0|[1-9]\d{0,7}) (\S+)")
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
_HEADER = 4
"""Bytes before a `.mpy` file's content: M, version, what it was compiled for, bits of a small integer."""
_ARMV6M, _ARMV7EMDP = 4, 8
"""Numbers of machine codes in `.mpy` files; an Arm core runs those from ARMV6M to its own (py/persistentcode.h)."""


@dataclass(frozen=True, slots=True)
class Application:
    """One application that is whole. `Application.load` makes it from a folder."""

    version: str
    """`a.b.c`, each 0..1023."""
    boards: tuple[str, ...]
    """Those it was built for, of `BOARDS`."""
    files: tuple[tuple[str, bytes], ...]
    """Path and content, in the manifest's order."""
    manifest: bytes
    signature: bytes | None
    """384 bytes; None if it is not signed yet."""

    @classmethod
    def load(cls, folder: Path | str) -> Application:
        """Read a folder and hold every file in it against its manifest. A file that is not listed is refused, too."""
        folder = Path(folder)
        manifest = _read(folder / MANIFEST)
        version, boards, listed = _parsed(manifest, folder / MANIFEST)
        files = tuple((path, _as_listed(folder / path, digest, size)) for digest, size, path in listed)
        there = {each.relative_to(folder).as_posix() for each in folder.rglob("*") if not each.is_dir()}
        if more := sorted(there - {MANIFEST, SIGNATURE} - {path for path, _ in files}):
            raise _not_whole(folder / more[0], "not in the manifest")
        signature = _read(folder / SIGNATURE) if SIGNATURE in there else None
        if signature is not None and len(signature) != SIGNATURE_BYTES:
            raise ApplicationError(
                f"{folder / SIGNATURE}: {len(signature)} bytes, must be {SIGNATURE_BYTES}. Next: sign it again."
            )
        return cls(version, boards, files, manifest, signature)

    @property
    def size(self) -> int:
        """Bytes that a device is sent: manifest, signature and files."""
        return len(self.manifest) + SIGNATURE_BYTES + sum(len(data) for _, data in self.files)

    @property
    def mpy(self) -> tuple[int, ...]:
        """What its `.mpy` files were compiled for, each once, numbered as MicroPython's `sys.implementation._mpy`.

        Version in bits 0 to 7, sub-version in 8 and 9, machine code from 10 on; both 0 for bytecode alone.
        """
        headers = {data[1] | data[2] << 8 for _, data in self._compiled() if data[:1] == b"M" and len(data) >= _HEADER}
        return tuple(sorted(headers))

    def check_runs_on(self, board: str, mpy: int) -> None:
        """Raise unless a board of this name, whose `sys.implementation._mpy` is `mpy`, can import all of it."""
        if board not in self.boards:
            raise ApplicationError(
                f"version {self.version} is built for {', '.join(self.boards)}, not for {board}. Next: take one that "
                "is built for this board."
            )
        for path, data in self._compiled():
            if data[:1] != b"M" or len(data) < _HEADER:
                raise ApplicationError(
                    f"version {self.version}: {path} does not begin as a .mpy file does: no board can import it. "
                    "Next: build it again, and sign it."
                )
        theirs = mpy >> 10 & 0xF
        for each in self.mpy:
            own = each >> 10 & 0xF
            is_bytecode = own == 0
            runs = is_bytecode or (each >> 8 & 3 == mpy >> 8 & 3 and _ARMV6M <= own <= theirs <= _ARMV7EMDP)
            if each & 0xFF != mpy & 0xFF or not runs:
                raise ApplicationError(
                    f"version {self.version} has .mpy files of {_said(each)}; the board imports {_said(mpy)}. Next: "
                    "put the MicroPython on the board that the application was built for."
                )

    def _compiled(self) -> list[tuple[str, bytes]]:
        return [(path, data) for path, data in self.files if path.endswith(".mpy")]

    def is_signed_by(self, modulus: bytes) -> bool:
        """Whether its signature is of the key with this modulus (384 bytes, big endian). Wants the `flash` extra."""
        from mesoinjector import signing

        return self.signature is not None and signing.is_genuine(self.manifest, self.signature, modulus)


def build(folder: Path | str, boards: tuple[str, ...] = BOARDS) -> Application:
    """Compile this installation's firmware into a new or empty folder, for boards of these names. It is not signed yet.

    Wants the `sim` or the `flash` extra, for the cross-compiler that is pinned there.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ApplicationError(f"{folder} is there, and no empty folder. Next: name one that is not there yet.")
    if not boards or not set(boards) <= set(BOARDS):
        raise ApplicationError(
            f"boards = {', '.join(boards)!r}: there is no such board. Next: choose of {', '.join(BOARDS)}."
        )
    command = [sys.executable, "-m", "mesofirmware.build", str(folder), "--boards", ",".join(boards)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ApplicationError(f"the firmware does not build: {said}. Next: pip install 'mesoinjector[flash]'")
    return Application.load(folder)


def sign(folder: Path | str, key_pem: bytes) -> Application:
    """Sign what is in a folder with a private key in PEM; a signature that is there is replaced. Wants `flash`."""
    from mesoinjector import signing

    path = Path(folder) / SIGNATURE
    signature = signing.signature(Application.load(folder).manifest, key_pem)
    try:
        path.write_bytes(signature)
    except OSError as error:
        raise ApplicationError(f"{path}: {error.strerror}. Next: make the folder writable.") from None
    return Application.load(folder)


def _parsed(manifest: bytes, where: Path) -> tuple[str, tuple[str, ...], list[tuple[str, int, str]]]:
    """Version, boards and files (digest, size, path) of a manifest."""
    if len(manifest) > MANIFEST_MOST:
        raise _unreadable(where, f"{len(manifest)} bytes, at most {MANIFEST_MOST}")
    listed, _, last = manifest.removesuffix(b"\n").rpartition(b"\n")
    if not manifest.endswith(b"\n") or hashlib.sha256(listed + b"\n").hexdigest().encode() != last:
        raise _unreadable(where, "its last line is not the SHA-256 of those before")
    if not listed.isascii():
        raise _unreadable(where, "not ASCII")
    first, *rest = listed.decode().split("\n")
    begins = _FIRST.fullmatch(first)
    if not begins or any(int(number) > VERSION_MOST for number in begins[1].split(".")):
        raise _unreadable(where, f"line 1 must be `mesoinjector a.b.c BOARDS`, with numbers up to {VERSION_MOST}")
    files: list[tuple[str, int, str]] = []
    for n, line in enumerate(rest, 2):
        found = _FILE.fullmatch(line)
        if not found or int(found[2]) > FILE_MOST or not all(_NAME.fullmatch(name) for name in found[3].split("/")):
            raise _unreadable(where, f"line {n} must be `sha256 size path`, at most {FILE_MOST} bytes, path relative")
        files.append((found[1], int(found[2]), found[3]))
    paths = [path for _, _, path in files]
    if not 1 <= len(paths) <= FILES_MOST or paths != sorted(set(paths)) or {MANIFEST, SIGNATURE} & set(paths):
        raise _unreadable(where, f"must list 1 to {FILES_MOST} files, sorted, each once, itself not")
    return begins[1], tuple(begins[2].split(",")), files


def _as_listed(path: Path, digest: str, size: int) -> bytes:
    data = _read(path)
    if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
        raise _not_whole(path, "not as its manifest says")
    return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _not_whole(path, error.strerror or str(error)) from None


def _not_whole(path: Path, why: str) -> ApplicationError:
    return ApplicationError(f"{path}: {why}. Next: take the application from where it was built.")


def _unreadable(where: Path, why: str) -> ApplicationError:
    return ApplicationError(f"{where}: no manifest of an application: {why}. Next: build it again, and sign it.")


def _said(mpy: int) -> str:
    return f"version {mpy & 0xFF}.{mpy >> 8 & 3}, machine code {mpy >> 10 & 0xF}"
