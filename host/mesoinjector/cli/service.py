"""`mesoinjector settings`, `cartridge`, `syringe`, `selftest`, `log`: what a device knows of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from mesoinjector import cartridges, device_log, errors
from mesoinjector.injector import Injector
from mesoinjector.service import Service
from mesoprotocol import messages

Device = Annotated[
    str,
    typer.Option(default_factory=lambda: "usb:", show_default="the only one found by USB", help="As for `info`."),
]
JournalPath = Annotated[Path | None, typer.Option("--journal", help="Journal file.")]
KeyFile = Annotated[Path | None, typer.Option("--key", help="File with the service key, of a device that has keys.")]
OperatorKey = Annotated[
    Path | None, typer.Option("--key", help="File with the operator's key, of a device that has keys.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]

_DEVICE = 3
"""Exit code: the device."""


def register(app: typer.Typer) -> None:
    """Add these commands to `mesoinjector`."""
    for command in (settings, cartridge, syringe, selftest, log):
        app.command()(command)


def settings(device: Device, journal: JournalPath = None, as_json: AsJson = False) -> None:
    """Say what is set for the device: its name, and what its sensors were calibrated to."""
    with Injector.open(device, journal) as injector:
        _show(Service(injector).settings(), as_json)


def cartridge(device: Device, journal: JournalPath = None, as_json: AsJson = False) -> None:
    """Say what cartridge is mounted, and whether it may be used."""
    with Injector.open(device, journal) as injector:
        found = Service(injector).cartridge()
        book = injector.journal.cartridge(found.chip.hex())
    facts: dict[str, str | float | list[str]] = {
        "chip": found.chip.hex(),
        "kind": messages.CARTRIDGE_NAMES.get(found.cartridge, "unknown").lower(),
        "needles": found.needles,
        "gauge": found.gauge,
        "lot": found.lot,
        "expires": cartridges.date_of(found.expiry_day).isoformat(),
        "device_says": messages.STATUS_NAMES[found.judged].lower(),
        "journal_says": "new" if book is None else f"used in treatment {book[1]} of {book[0]}",
    }
    _print(facts, as_json)


def syringe(
    device: Device,
    journal: JournalPath = None,
    key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Say that another syringe is mounted, a full one. Until then the device counts on with the former one's rest."""
    with Injector.open(device, journal, key) as injector:
        _print({"left_ml": injector.new_syringe()}, as_json)


def selftest(device: Device, journal: JournalPath = None, key: OperatorKey = None, as_json: AsJson = False) -> None:
    """Have the device test itself. Moves nothing. Exit code 3 if a check fails; therapy is refused then."""
    with Injector.open(device, journal, key) as injector:
        found = injector.self_test()
    failed = [name.lower() for bit, name in messages.CHECK_BITS.items() if found.failed_checks & bit]
    _print({"failed": failed, "self_tests": found.self_tests}, as_json)
    if failed:
        raise typer.Exit(_DEVICE)


def log(
    device: Device,
    journal: JournalPath = None,
    keep: Annotated[
        Path | None, typer.Option(help="File to append new entries to; what it has must not have changed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the device's log, verified: each entry's chain holds all before it, and the ledger's doses."""
    with Injector.open(device, journal) as injector:
        found = Service(injector).log()
        uid = injector.uid
    rows = [device_log.facts(entry) for entry in found.entries]
    if as_json:
        print(json.dumps({"uid": uid, "broken_n": found.broken_n, "entries": rows}))
    else:
        for row in rows:
            print(f"{row['n']:>8} boot {row['boot']:<5} {row['at_ms'] / 1000:>10.3f} s  {row['what']:9} {row['said']}")
    if found.broken_n is not None:
        raise errors.LogAltered(f"entry {found.broken_n} is not what its chain says, or its dose is not.")
    if keep is not None:
        device_log.keep(found, uid, keep)


def _show(found: messages.SettingsReply, as_json: bool) -> None:
    facts = {key: value for key, value in found._asdict().items() if key not in ("status", "state")}
    _print(facts, as_json)


def _print(facts: Mapping[str, str | float | list[str]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for key, value in facts.items():
        print(f"{key.replace('_', ' '):24} {', '.join(value) or 'nothing' if isinstance(value, list) else value}")
