"""Our firmware, written to a board at its prompt: /lib, the folder that starts next, boot.py and main.py.

Whatever breaks it off leaves a board whose next start ends at the prompt, and that takes the same again: main.py goes
first and comes last. Nothing is formatted. What is written is held against its SHA-256 on the board.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mesoinjector import errors
from mesoinjector.application import MANIFEST, SIGNATURE, Application

if TYPE_CHECKING:
    from mesoinjector.prompt import Prompt

LIB = "/lib"
"""The safe application, and what boot.py and main.py import."""
SLOTS = ("/app_a", "/app_b")
SIGNER = "/settings/signer"
"""The public key that updates must be signed with."""
MAIN = "/main.py"
STARTS = {
    "/boot.py": b"import mesofirmware.start.boot\n",
    MAIN: b"import micropython\n\nmicropython.kbd_intr(-1)\nfrom mesofirmware.start import main\n\nmain.main()\n",
}
"""What MicroPython runs first and second, written in this order.

Ctrl-C is a byte from main.py's first line on: a frame of the protocol may hold one, and loading what follows takes a
while, in which it would end the start at the prompt.
"""
PACKAGES = ("mesofirmware", "mesoprotocol")
"""What lies in an application's folder beside manifest and signature."""
ABSENT = "-"
_PIECE = 1536
"""Bytes of a file in one command: some 2 KiB of text, which a board's heap holds many times over."""
_BLOCK = 4096
"""A file on littlefs takes whole blocks of flash (RP2's are of 4,096 bytes)."""
_AT_ONCE = 16
"""Files in one command."""

Progress = Callable[[int, int], None]
"""Told how many bytes are written, and of how many."""

_TOOLS = """
import os, hashlib, binascii
def pieces(path):
    piece = bytearray(1024)
    view = memoryview(piece)
    with open(path, "rb") as file:
        n = file.readinto(piece)
        while n:
            yield view[:n]
            n = file.readinto(piece)
def digest(path):
    try:
        if os.stat(path)[0] & 0x4000:
            return "- 0"
    except OSError as e:
        if e.errno not in (2, 20):
            raise
        return "- 0"
    sha = hashlib.sha256()
    for piece in pieces(path):
        sha.update(piece)
    return binascii.hexlify(sha.digest()).decode() + " %d" % os.stat(path)[6]
def begin(path):
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError as e:
            if e.errno != 17:
                raise
        at = path.find("/", at + 1)
    return open(path, "wb")
def copy(path, to):
    with begin(to) as out:
        for piece in pieces(path):
            out.write(piece)
def walk(path):
    try:
        found = sorted(os.ilistdir(path))
    except OSError as e:
        if e.errno not in (2, 20):
            raise
        return
    for each in found:
        name = path + "/" + each[0]
        if each[1] & 0x4000:
            walk(name)
        else:
            print(name)
"""


class Installation:
    """One application on its way to one board."""

    def __init__(self, prompt: Prompt, application: Application) -> None:
        self._prompt = prompt
        self._application = application
        self._done = self._total = 0

    def run(self, signer: bytes | None, progress: Progress) -> str:
        """Write all that is not there yet; the folder that starts next, which may be on trial, and stays so.

        /settings keeps what it holds, but for the signer's public key: None leaves that, too. Raises
        `ApplicationError` before anything is written if it is for another board or another MicroPython, `PromptError`
        if it is too large; later if the board does not take it, or has not taken what was sent. Raises `LinkLost`.
        """
        self._check()
        self._prompt.run(_TOOLS)
        lib = self._files(LIB)
        missing = self._missing(lib)
        copies = min((self._missing(self._files(slot)) for slot in SLOTS), key=len)
        self._check_room({**missing, **copies})
        self._total = sum(map(len, (*missing.values(), *self._files(SLOTS[0]).values())))
        if self._digests([MAIN])[MAIN][0] != ABSENT:
            self._prompt.run(f"os.remove({MAIN!r})")
        self._remove_strangers(LIB)
        for path, data in missing.items():
            self._write(path, data, progress)
        self._check_whole(LIB)
        folder = self._folder()
        self._copy(folder, progress)
        self._check_whole(folder)
        last = ({} if signer is None else {SIGNER: signer}) | STARTS
        for path, data in self._missing(last).items():
            self._write(path, data, None)
        self._verify(last)
        return folder

    # --- What is checked before anything is written -------------------------------------------------------

    def _check(self) -> None:
        facts, port = self._prompt.facts, self._prompt.port
        if not facts.board:
            raise errors.PromptError(
                f"{port}: {facts.machine or 'this'} is no board that the firmware is for: a Raspberry Pi Pico or Pico "
                "2. Nothing was written. Next: take one of these."
            )
        self._application.check_runs_on(facts.board, facts.mpy)
        if not facts.has_filesystem:
            raise errors.PromptError(
                f"{port}: the board has no filesystem. Nothing was written, and nothing was formatted. Next: write "
                "MicroPython to it anew, in BOOTSEL: its first start makes one."
            )

    def _check_room(self, missing: dict[str, bytes]) -> None:
        there = self._digests(missing)
        needed = sum(_room(len(data)) for data in missing.values())
        free = self._prompt.facts.free_bytes + sum(_room(size) for _, size in there.values())
        if needed > free:
            raise self._prompt.full(f"{needed} bytes are needed, {free} are free. Nothing was written")

    # --- Steps --------------------------------------------------------------------------------------------

    def _files(self, folder: str) -> dict[str, bytes]:
        """What lies in a folder in the end, by path; the manifest last."""
        files = {f"{folder}/{path}": data for path, data in self._application.files}
        if folder != LIB and self._application.signature is not None:
            files[f"{folder}/{SIGNATURE}"] = self._application.signature
        return {**files, f"{folder}/{MANIFEST}": self._application.manifest}

    def _folder(self) -> str:
        """The folder that starts next, by the board's own record."""
        folder: str = self._prompt.evaluate(_on_board("folder()"))
        if not folder:
            raise errors.PromptError(
                f"{self._prompt.port}: the record of which application starts (/settings/slots.a, slots.b) is damaged: "
                "with it only the safe application ever starts. /lib was written, the application was not. Next: copy "
                "/settings to a safe place, remove these two files, then run the same command again."
            )
        return folder

    def _copy(self, folder: str, progress: Progress) -> None:
        """Fill an application's folder, on the board, from /lib."""
        self._remove_strangers(folder)
        files = self._files(folder)
        missing = self._missing(files)
        own = {f"{folder}/{SIGNATURE}", f"{folder}/{MANIFEST}"}
        for path, data in files.items():
            if path in missing and path not in own:
                self._prompt.run(f"copy({LIB + path[len(folder) :]!r}, {path!r})")
            elif path in missing:
                self._write(path, data, None)
            self._tell(len(data), progress)
        self._verify(files)

    def _remove_strangers(self, folder: str) -> None:
        """Remove of our packages what is not the application's: an old .py would be taken before its .mpy."""
        files = self._files(folder)
        walks = "\n".join(f"walk({folder + '/' + package!r})" for package in PACKAGES)
        for path in self._prompt.run(walks).split():
            if path not in files:
                self._prompt.run(f"os.remove({path!r})")

    def _missing(self, files: dict[str, bytes]) -> dict[str, bytes]:
        """Those that are not on the board as they should be."""
        there = self._digests(files)
        return {path: data for path, data in files.items() if there[path][0] != _sha(data)}

    def _digests(self, files: Iterable[str]) -> dict[str, tuple[str, int]]:
        """SHA-256 and size of files on the board by path; ABSENT and 0 where there is none."""
        paths = list(files)
        found: dict[str, tuple[str, int]] = {}
        for i in range(0, len(paths), _AT_ONCE):
            some = paths[i : i + _AT_ONCE]
            lines = self._prompt.run(f"for p in {some!r}:\n print(digest(p))").splitlines()
            for path, line in zip(some, lines, strict=True):
                digest, size = line.split()
                found[path] = digest, int(size)
        return found

    def _write(self, path: str, data: bytes, progress: Progress | None) -> None:
        self._prompt.run(f"f = begin({path!r})")
        for i in range(0, len(data), _PIECE):
            piece = data[i : i + _PIECE]
            text = binascii.b2a_base64(piece, newline=False)
            self._prompt.run(f"f.write(binascii.a2b_base64({text!r}))")
            if progress is not None:
                self._tell(len(piece), progress)
        self._prompt.run("f.close()")

    def _tell(self, n: int, progress: Progress) -> None:
        self._done += n
        progress(self._done, self._total)

    def _check_whole(self, folder: str) -> None:
        """By the firmware's own code, as each start of the board does it."""
        if not self._prompt.evaluate(_on_board(f"is_whole({folder!r})")):
            raise self._spoiled(folder)

    def _verify(self, files: dict[str, bytes]) -> None:
        for path in self._missing(files):
            raise self._spoiled(path)

    def _spoiled(self, path: str) -> errors.PromptError:
        return errors.PromptError(
            f"{self._prompt.port}: {path} is not what was written: the flash may be defective. A start ends at the "
            "prompt. Next: run the same command again; if it fails again, use another board."
        )


def _on_board(call: str) -> str:
    """An expression that calls what the firmware has for this."""
    return f"__import__('mesofirmware.start.installing', None, None, ['*']).{call}"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _room(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
