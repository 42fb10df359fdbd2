"""Boards in whatever state: in the boot ROM, at MicroPython's prompt, running our firmware; and the same one again.

A board has another port, another USB address and perhaps another serial number after each restart. What stays is
where it is plugged in; where the system does not say that, its serial number; where both are unknown it must be the
only one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mesoinjector import errors, finding, probing, usb_bus
from mesoinjector.machine import Machine

State = Literal["bootloader", "prompt", "firmware", "unknown"]
STATES: dict[State, str] = {
    "bootloader": "in its bootloader",
    "prompt": "at MicroPython's prompt",
    "firmware": "runs the firmware, or its safe application",
    "unknown": "does not answer",
}
START_S = 90.0
"""Wait for a board that starts: three starts of an application that fails, and then the one before; choice."""
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Board:
    """One board, as it was when it was looked at."""

    state: State
    path: str
    """USB ports that lead to it, `1-2.3`; empty where the system does not say."""
    serial: str
    """Its USB serial number; an RP2040's in the bootloader is no board's own, and left out."""
    port: str = ""
    """Its serial port, unless it is in its bootloader."""
    bootloader: usb_bus.Bootloader | None = None
    answer: probing.Answer | None = None
    """What the firmware says of itself."""
    error: errors.MesoError | None = None
    """Why it does not answer."""

    def __str__(self) -> str:
        name = self.port or str(self.bootloader)
        return f"{name} (serial {self.serial})" if self.serial else name

    @property
    def chip(self) -> str:
        """`RP2040`, `RP2350`, or empty: only the bootloader says so by itself."""
        return self.bootloader.chip if self.bootloader else ""

    def is_named(self, selector: str) -> bool:
        """Whether it is what `usb:`, `usb:path=`, `usb:serial=`, `usb:uid=` or a port's name says."""
        kind, _, value = selector.removeprefix("usb:").partition("=")
        if not selector.startswith("usb:"):
            return self.port == selector
        uid = self.answer.uid if self.answer else None
        return {"": True, "path": self.path == value, "serial": self.serial == value.upper(), "uid": uid == value}.get(
            kind, False
        )

    def may_be(self, other: Board) -> bool:
        """Whether the other one is where this one was, or is this one by its number."""
        if self.path and other.path:
            return self.path == other.path
        return not (self.serial and other.serial) or self.serial == other.serial


def find(machine: Machine, like: Board | None = None) -> list[Board]:
    """All boards by USB, each asked who it is. Nothing moves, no dose ends; a port that is held is not touched.

    `like`: only those that may be that board; the ports of others are somebody else's, and not opened.
    """
    found = [
        _at_port(finding.look(each, machine))
        for each in finding.candidates(machine.ports())
        if like is None or like.may_be(Board("unknown", each.path, each.serial, each.port))
    ] + [
        Board("bootloader", each.path, "" if each.chip == "RP2040" else each.serial, bootloader=each)
        for each in usb_bus.bootloaders(machine.usb)
    ]
    return [each for each in found if like is None or like.may_be(each)]


def choose(selector: str, found: list[Board]) -> Board:
    """The one board that is meant. Raises `DeviceNotFound`, `InsufficientSelector`."""
    meant = [board for board in found if board.is_named(selector)]
    if len(meant) == 1:
        return meant[0]
    there = "; ".join(f"{board} {STATES[board.state]}" for board in meant or found) or "none is connected"
    if meant:
        raise errors.InsufficientSelector(
            f"several boards may be meant: {there}. Next: say which, as in --device usb:path={meant[0].path or 'PORTS'}"
            ", or unplug the others."
        )
    raise errors.DeviceNotFound(
        f"no board is {selector}: {there}. Next: plug it in by a cable that carries data; a blank one is in its "
        "bootloader, any other gets there with BOOTSEL pressed."
    )


def wait(machine: Machine, board: Board, is_there: Callable[[Board], bool], within_s: float = START_S) -> Board:
    """The same board, once it is as it should be. Raises `FlashError` with how it is instead."""
    until = time.monotonic() + within_s
    while True:
        there = find(machine, board)
        ready = [each for each in there if is_there(each)]
        if len(ready) == 1 and len(there) == 1:
            return ready[0]
        if time.monotonic() > until:
            said = "; ".join(f"{each} {STATES[each.state]}{_why(each)}" for each in there) or "it is not there"
            raise errors.FlashError(
                f"{board}: it has not come back within {within_s:g} s: {said}. Next: unplug it, plug it in, and run "
                "the same command again: it goes on where it was."
            )
        time.sleep(_LOOK_S)


def _at_port(found: finding.Found) -> Board:
    candidate, answer, error = found.candidate, found.answer, found.error
    state: State = "unknown"
    if answer is not None:
        state = "firmware"
    elif isinstance(error, errors.FirmwareNotRunning):
        state = "prompt"
    return Board(state, candidate.path, candidate.serial, candidate.port, None, answer, error)


def _why(board: Board) -> str:
    return f" ({str(board.error).partition(' Next:')[0]})" if board.error else ""
