"""`mesoinjector devices`, `doctor`: what is connected by USB, and what is in its way."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mesoinjector import doctor as examination
from mesoinjector import errors, finding, udev_rule, usb_bus
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson, JournalPath
from mesoinjector.journal import default_path
from mesoinjector.machine import Machine

_BAD_INPUT, _WRONG = 2, 3
"""Exit codes: nothing was done; the device or its line."""
_STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def register(app: typer.Typer) -> None:
    """Add these commands to `mesoinjector`."""
    for command in (devices, doctor):
        app.command()(command)


def devices(as_json: AsJson = False) -> None:
    """List what is connected by USB and may be a mesoinjector. Each is asked who it is; nothing moves, no dose ends.

    A port that another program holds is not touched. `--device usb:serial=...` and `usb:uid=...` name one of the list.
    """
    machine = Machine()
    rows = [_facts(finding.look(each, machine), machine) for each in finding.candidates(machine.ports())]
    note = ""
    try:
        rows += [_bootloader(each) for each in usb_bus.bootloaders(machine.usb)]
    except errors.DeviceNotFound as error:
        note = str(error)
    if as_json:
        print(json.dumps({"devices": rows, "note": note}))
        return
    if note:
        screen.print(note, soft_wrap=True, markup=False)
    if not rows:
        screen.print("No device is connected by USB. Next: plug it in, then run `mesoinjector doctor`.", soft_wrap=True)
        return
    table = Table("port", "serial", "uid", "firmware", "state", box=SIMPLE_HEAD)
    for row in rows:
        state = row["state"] or row["mode"]
        table.add_row(row["port"] or row["product"], row["serial"], row["uid"] or "-", row["firmware"] or "-", state)
    out = Console(soft_wrap=True, highlight=False)
    out.print(table)
    for row in rows:
        if row["said"]:
            out.print(row["said"], markup=False)


def doctor(
    journal: JournalPath = None,
    reset: Annotated[
        str | None,
        typer.Option(
            metavar="SERIAL",
            help="Reset the USB line of this device, if it is stuck: silent for 15 s with nobody at its port, so that "
            "no dose is under way. Its firmware runs on.",
        ),
    ] = None,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="Install the udev rule on Linux, after showing what is written and run, and asking. Needs root.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --fix.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is in the way between this computer and the device, and the cure. Changes nothing, moves nothing.

    Exit code 3 if something is wrong.
    """
    machine = Machine()
    fixed = _fix(machine, yes) if fix else None
    if reset is not None:
        examination.free(finding.choose(finding.Wanted(serial=reset.upper()), machine), machine)
        screen.print(f"{reset}: its USB line was reset")
    checks = list(examination.examine(machine, journal or default_path(), datetime.now(UTC)))
    if as_json:
        told = {} if fixed is None else {"fix": fixed}
        print(json.dumps({**told, "checks": [dataclasses.asdict(each) for each in checks]}))
    else:
        _show(checks)
    if any(each.verdict == "wrong" for each in checks):
        raise typer.Exit(_WRONG)


def _fix(machine: Machine, yes: bool) -> dict[str, Any]:
    """Install the udev rule, once a person has said so. Without a terminal to answer, only --yes will do."""
    found = udev_rule.plan(machine)
    if not found.commands:
        screen.print(f"{found.target} is this release's: nothing to install.", soft_wrap=True)
        return {"file": str(found.target), "commands": [], "installed": False}
    screen.print(f"About to write {found.target}:\n\n{found.text}", soft_wrap=True)
    if found.replaced is not None:
        screen.print(f"in place of this, which is kept as {found.target}~:\n\n{found.replaced}", soft_wrap=True)
    screen.print("by these commands:\n\n" + "\n".join(f"    {line}" for line in found.lines()) + "\n", soft_wrap=True)
    try:
        wanted = yes or typer.confirm("Go on?", err=True)
    except typer.Abort:  # nobody is there to answer
        wanted = False
    if not wanted:
        screen.print("Nothing was changed. Without a terminal to ask at, --yes says it.")
        raise typer.Exit(_BAD_INPUT)
    udev_rule.install(found, machine)
    screen.print(f"{found.target} is installed. A board that is plugged in has it now.", soft_wrap=True)
    return {"file": str(found.target), "commands": found.lines(), "installed": True}


def _show(checks: list[examination.Check]) -> None:
    out = Console(soft_wrap=True, highlight=False)
    for check in checks:
        out.print(f"[{_STYLES[check.verdict]}]{check.verdict:5}[/] {check.name}: ", end="")
        out.print(check.said, markup=False)
        if check.cure and check.verdict != "ok":
            out.print(f"      Next: {check.cure}", markup=False)
        if check.name == "udev rule" and check.verdict != "ok":
            out.print(udev_rule.file().read_text(), markup=False)


def _facts(found: finding.Found, machine: Machine) -> dict[str, Any]:
    answer, error = found.answer, found.error
    mode = "firmware" if answer else "micropython" if isinstance(error, errors.FirmwareNotRunning) else "unknown"
    return {
        "port": found.candidate.port,
        "serial": found.candidate.serial,
        "product": found.candidate.product,
        "mode": mode,
        "uid": answer.uid if answer else None,
        "firmware": answer.hello.firmware if answer and answer.hello else None,
        "state": answer.state if answer else None,
        "held_by": [each._asdict() for each in machine.holders(found.candidate.port) or ()],
        "said": str(error) if error else "",
    }


def _bootloader(board: usb_bus.Bootloader) -> dict[str, Any]:
    return {
        "port": None,
        "serial": board.serial,
        "product": board.chip,
        "mode": "bootloader",
        "uid": None,
        "firmware": None,
        "state": None,
        "held_by": [],
        "said": f"{board.chip} at USB bus {board.bus} address {board.address} waits for firmware.",
    }
