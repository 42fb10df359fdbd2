"""A board at MicroPython's prompt: what it is, and programs that it runs. By mpremote, which only this module knows.

mpremote's `SerialTransport` is no stable API: its version is pinned in the extra `flash`. A board stands at the prompt
if nothing runs on it, or something that Ctrl-C ends. Our firmware takes no Ctrl-C, but for Return and Ctrl-C within
two seconds after a start: `Prompt` sends these first, so a board that has just started is caught.
"""

from __future__ import annotations

import contextlib
import json
import re
import struct
import time
from collections.abc import Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from mesoinjector import errors
from mesoinjector.application import Application
from mesoinjector.installing import Installation, Progress
from mesoinjector.links import GONE, SerialLink

CHIPS = (("RP2350", "pico2"), ("RP2040", "pico"))
"""How MicroPython's name of a board ends, and ours."""
KNOCK_S = 3.0
"""Silence that means nobody is at the prompt: a start of MicroPython is shorter by far; choice."""
ENTER_S = 8.0
"""The whole way to the prompt, whatever is said meanwhile; choice."""
SILENCE_S = 10.0
"""Longest silence of a board that works: erasing a block of flash takes 0.4 s at most (W25Q16JV, tSE); choice."""
ANSWER_S = 60.0
"""The longest that one command may talk; choice."""
_LONGEST_ANSWER = 65_536
_ENOSPC = 28

_FACTS = """
import sys, os, json, machine
i = sys.implementation
try:
    s = os.statvfs("/")
    s = s[0] * s[3] if s[0] else -1
except OSError:
    s = -1
print(json.dumps([i.name, ".".join(map(str, i.version[:3])), getattr(i, "_machine", ""), getattr(i, "_mpy", 0),
    machine.unique_id().hex(), s]))
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a board says of itself at its prompt."""

    machine: str
    """MicroPython's name of it: `Raspberry Pi Pico with RP2040`."""
    version: str
    """MicroPython's: `1.29.0`."""
    mpy: int
    """`sys.implementation._mpy`: which .mpy files it loads; 0: none."""
    uid: str
    """`machine.unique_id`, hexadecimal."""
    free_bytes: int
    """On its filesystem; 0 without one."""
    has_filesystem: bool

    @property
    def board(self) -> str:
        """`pico`, `pico2`, or "" if it is neither."""
        return next((name for chip, name in CHIPS if self.machine.endswith(chip)), "")


class Prompt:
    """A board at its prompt, until this is closed. Every failure is a `MesoError` with what to do next."""

    def __init__(self, port: str) -> None:
        """Interrupt what runs, and start MicroPython anew (boot.py runs, main.py does not).

        Raises `DeviceNotFound`, `PortBusy`, `PermissionDenied`, `LinkLost`; `PromptError` if nobody is at the prompt.
        """
        self.port = port
        SerialLink(port).close()  # says why, if it cannot be opened
        self._transport = _transport(port)
        try:
            self._enter()
            self.facts = self._ask()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Leave the board at its prompt. Idempotent."""
        with contextlib.suppress(*GONE):
            if self._transport.serial.is_open:
                self._transport.exit_raw_repl()
        self._let_go()

    def install(self, application: Application, signer: bytes | None, progress: Progress) -> str:
        """Write an application and what starts it; the folder that starts next. See `Installation.run`."""
        return Installation(self, application).run(signer, progress)

    def restart(self) -> None:
        """Reset the chip: boot.py and main.py run. Closes the line, since a USB port goes away with a reset.

        Raises `PromptError`, `LinkLost` if the board has not taken it.
        """
        self._leave("reset")

    def enter_bootloader(self) -> None:
        """Restart the chip into its boot ROM, which waits for firmware. Closes the line. Raises what `restart` does."""
        self._leave("bootloader")

    def _leave(self, by: str) -> None:
        with self._answering():
            self._transport.exec_raw_no_follow(f"import machine\nmachine.{by}()")
        self._let_go()

    def run(self, program: str) -> str:
        """What a program prints. Raises `PromptError` with what it died of or that the disk is full; `LinkLost`."""
        with self._answering():
            said, died = self._transport.exec_raw(program, timeout=SILENCE_S)
            text = str(said.decode().replace("\r\n", "\n"))
            last = died.decode().strip().rpartition("\n")[2]
        if re.search(rf"OSError: (\[Errno )?{_ENOSPC}\b", last):
            raise self.full("it took no more")
        if died:
            raise Died(
                f"{self.port}: the board could not do a step of it: {last}. Next: run the same command again, which "
                "goes on where it was; if it fails again, write MicroPython to the board anew, in BOOTSEL."
            )
        return text

    def evaluate(self, expression: str) -> Any:
        """What an expression is, by JSON. Raises what `run` does."""
        return json.loads(self.run(f"import json\nprint(json.dumps({expression}))"))

    def full(self, why: str) -> errors.PromptError:
        """The exception for a filesystem on which there is no room."""
        return errors.PromptError(
            f"{self.port}: the board's filesystem is full: {why}. Next: remove what is not the injector's from the "
            "board (mpremote ls, mpremote rm), then run the same command again."
        )

    def _enter(self) -> None:
        with self._answering():
            try:
                self._transport.serial.write_timeout = KNOCK_S
                self._transport.enter_raw_repl(timeout_overall=ENTER_S)
                self._transport.serial.timeout = self._transport.serial.write_timeout = SILENCE_S
            except OSError:
                raise
            except Exception:
                heard = bytes(self._transport.heard).strip()[-80:]
                raise errors.PromptError(
                    f"{self.port}: nobody is at MicroPython's prompt{f', heard: {heard!r}' if heard else ''}. Our "
                    "firmware takes no Ctrl-C once it runs, but for its first two seconds. Next: unplug the board, "
                    "plug it in, and run this within two seconds; or write MicroPython to it anew, in BOOTSEL."
                ) from None

    def _ask(self) -> Facts:
        said: list[Any] = [""]
        with contextlib.suppress(ValueError, Died):
            said = json.loads(self.run(_FACTS))
        if said[0] != "micropython":
            raise errors.PromptError(
                f"{self.port}: what is at this prompt is not MicroPython for a board. Next: write MicroPython to the "
                "board, in BOOTSEL."
            )
        version, machine, mpy, uid, free = said[1:]
        return Facts(machine, version, mpy, uid, max(free, 0), free >= 0)

    def _let_go(self) -> None:
        with contextlib.suppress(*GONE):
            self._transport.close()

    @contextlib.contextmanager
    def _answering(self) -> Generator[None]:
        """What a user can do about what mpremote raises."""
        from mpremote.transport import TransportError

        try:
            yield
        except OSError as error:  # pyserial's own are some of these
            raise errors.LinkLost(
                f"the line to {self.port} broke ({error}). Next: plug the board in, and run the same command again: it "
                "goes on where it was."
            ) from None
        except (TransportError, struct.error, UnicodeDecodeError) as error:
            raise errors.PromptError(
                f"{self.port}: the board does not answer as MicroPython's prompt does ({error}). Next: unplug it, plug "
                "it in, and run the same command again: it goes on where it was."
            ) from None


class Died(errors.PromptError):
    """A program raised an exception on the board."""


def _transport(port: str) -> Any:
    """mpremote's, which waits for ever no more: neither for a line that never falls silent, nor for one that is."""
    try:
        from mpremote import transport_serial
        from mpremote.transport import TransportError
    except ImportError:
        raise errors.PromptError(
            "mpremote is not installed. Next: pip install 'mesoinjector[flash]', then run the same command again."
        ) from None

    def read_until(
        min_num_bytes: int, ending: bytes, timeout: float = SILENCE_S, *, timeout_overall: float = ANSWER_S, **_: object
    ) -> bytes:
        until = time.monotonic() + timeout_overall
        data = transport.heard = bytearray()
        while not data.endswith(ending) and time.monotonic() < until:
            new: bytes = transport.serial.read(1)
            if not new:
                break
            data += new
            if len(data) > _LONGEST_ANSWER:
                raise TransportError("it does not fall silent")
        return bytes(data)

    try:
        transport: Any = transport_serial.SerialTransport(port, timeout=KNOCK_S)
    except TransportError:
        raise errors.PortBusy(f"{port} is held by another program. Next: close it, then try again.") from None
    # its own goes on for as long as anything comes, be it garbage
    transport.read_until = read_until
    # and it prints what it has not understood
    module: Any = transport_serial
    module.print = _leave_unprinted
    return transport


def _leave_unprinted(*_: object) -> None:
    """What was not understood is in the error."""
