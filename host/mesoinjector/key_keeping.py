"""Where the keys of new boards are kept before they are set: files in a folder, or a command of the user's.

No key stands in an argument, a log or an error's text.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple, Protocol

from mesoinjector import durable
from mesoinjector.errors import KeyFileError, ProductionError
from mesoinjector.keys import ROLES, SIZE, Key

_DIGITS = re.compile(r"[0-9A-Fa-f]{24,}")
WITHIN_S = 60.0
"""A command that has not ended by then has not kept the keys."""


class Keys(NamedTuple):
    """Both keys of one board."""

    service: Key
    operator: Key

    @classmethod
    def new(cls) -> Keys:
        """Fresh ones, from the system's random source."""
        return cls(Key.new("service"), Key.new("operator"))


class Keeper(Protocol):
    """A place for keys that lasts."""

    def keep(self, serial: str, uid: str) -> Keys:
        """The board's keys, which are kept when this returns: those it has from before, else new ones.

        Raises `ProductionError`, `KeyFileError`: then nobody may set them on the board.
        """
        ...

    def recall(self, serial: str, uid: str) -> Keys:
        """The keys that were kept for a board. Raises `ProductionError`, `KeyFileError` if there are none."""
        ...


def make_folder(folder: Path) -> None:
    """A folder for key files, its owner's alone if it is new. Raises `KeyFileError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(
            f"{folder} cannot be made ({error.strerror or error}): no key is set. Next: name a folder for keys that "
            "you may write to."
        ) from None


class KeyFolder:
    """`SERIAL.service.key` and `SERIAL.operator.key`, their owner's alone; `SERIAL.uid` says of which board."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, serial: str, uid: str) -> Keys:
        """See `Keeper`."""
        make_folder(self._folder)
        whose = self._folder / f"{serial}.uid"
        try:
            if not whose.exists() and not any(self._path(serial, role).exists() for role in ROLES):
                durable.create(whose, f"{uid}\n".encode(), 0o600)
        except OSError as error:
            raise KeyFileError(f"{whose}: {error.strerror or error}: no key is set. Next: free space there.") from None
        self._check(serial, uid)
        fresh = Keys.new()
        for key in fresh:
            path = self._path(serial, key.role_name)
            if not path.exists():  # a crash has left one of two, or both
                key.save(path)
        return self.recall(serial, uid)

    def recall(self, serial: str, uid: str) -> Keys:
        """See `Keeper`."""
        service, operator = (Key.load(self._path(serial, role)) for role in ("service", "operator"))
        self._check(serial, uid)
        if (service.role, operator.role) != (ROLES["service"], ROLES["operator"]):
            raise KeyFileError(
                f"{self._folder}: the key files of {serial} are of other roles than their names say. Next: put back "
                "the right ones."
            )
        return Keys(service, operator)

    def _check(self, serial: str, uid: str) -> None:
        """Raises `KeyFileError` if the files are another board's."""
        whose = self._folder / f"{serial}.uid"
        try:
            there = whose.read_text().strip()
        except (OSError, UnicodeDecodeError):
            there = "nobody knows which"
        if there != uid:
            raise KeyFileError(
                f"{self._folder} has keys of {serial}, made for another board ({there}): two lists of serial numbers "
                "share it. No key was set. Next: name another folder for keys, or put back the line's own list."
            )

    def _path(self, serial: str, role: str) -> Path:
        return self._folder / f"{serial}.{role}.key"


class KeyCommand:
    """A program that keeps keys; it is run without a shell, and given a JSON object on its stdin.

    `{"want": "keep", "serial": ..., "uid": ..., "service": 64 hex digits, "operator": 64 hex digits}`: it keeps them
    and ends with 0; if it has keys of this uid already, it prints those (`{"service": ..., "operator": ...}`), and they
    are used. `"want": "recall"` brings no keys; it prints those it has, or does not end with 0.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def keep(self, serial: str, uid: str) -> Keys:
        """See `Keeper`."""
        fresh = Keys.new()
        told = {key.role_name: key.secret.hex() for key in fresh}
        return self._run(fresh, {"want": "keep", "serial": serial, "uid": uid, **told})

    def recall(self, serial: str, uid: str) -> Keys:
        """See `Keeper`."""
        return self._run(None, {"want": "recall", "serial": serial, "uid": uid})

    def _run(self, fresh: Keys | None, told: dict[str, str]) -> Keys:
        name, serial = self._command[0], told["serial"]
        try:
            done = subprocess.run(
                self._command,
                input=json.dumps(told) + "\n",
                capture_output=True,
                text=True,
                check=False,
                timeout=WITHIN_S,
            )
        except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired) as error:
            # not the error's own words: a time-out's has the output
            raise self._failed(serial, f"{name} did not run to its end ({type(error).__name__})") from None
        if done.returncode:
            raise self._failed(serial, f"{name} ended with {done.returncode}{_said(done.stderr)}")
        if not done.stdout.strip() and fresh is not None:
            return fresh
        try:
            had = json.loads(done.stdout)
            found = Keys(*(Key(ROLES[role], bytes.fromhex(had[role])) for role in ("service", "operator")))
        except (ValueError, KeyError, TypeError):
            raise self._failed(serial, f"{name} printed no keys") from None
        if not all(len(key.secret) == SIZE and any(key.secret) for key in found):
            raise self._failed(serial, f"{name} printed keys that are none")
        return found

    def _failed(self, serial: str, said: str) -> ProductionError:
        return ProductionError(
            f"keys of {serial}: {said}. No key was set on the board. Next: mend it, and run it again."
        )


def _said(text: str) -> str:
    """The end of what a command complained of; whatever may be a key in it is left out."""
    line = " ".join(_DIGITS.sub("(key)", text).split())[-200:]
    return f" and said: {line}" if line else ""
