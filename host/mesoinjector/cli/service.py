"""`mesoinjector settings` and `calibrate`: what is set for one device. Nothing here moves anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mesoinjector.injector import Injector
from mesoinjector.service import Service
from mesoprotocol import messages

Device = Annotated[str, typer.Option(help="As for `info`.")]
JournalPath = Annotated[Path | None, typer.Option("--journal", help="Journal file.")]
KeyFile = Annotated[Path | None, typer.Option("--key", help="File with the service key, of a device that has keys.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def register(app: typer.Typer) -> None:
    """Add these commands to `mesoinjector`."""
    for command in (settings, calibrate):
        app.command()(command)


def settings(device: Device, journal: JournalPath = None, as_json: AsJson = False) -> None:
    """Say what is set for the device: its name, and what its sensors were calibrated to."""
    with Injector.open(device, journal) as injector:
        _show(Service(injector).settings(), as_json)


def calibrate(
    device: Device,
    journal: JournalPath = None,
    key: KeyFile = None,
    name: Annotated[str | None, typer.Option(help="The device's name, at most 16 ASCII letters.")] = None,
    carrier_zero_um: Annotated[int | None, typer.Option(help="Carrier sensor at the nose plane, -1000..1000.")] = None,
    pressure_zero_pa: Annotated[int | None, typer.Option(help="Sensor without pressure, -50000..50000.")] = None,
    encoder_gain_ppm: Annotated[int | None, typer.Option(help="Gain of the encoder, 900000..1100000.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the settings, while nothing moves; what is not named stays."""
    with Injector.open(device, journal, key) as injector:
        _show(Service(injector).calibrate(name, carrier_zero_um, pressure_zero_pa, encoder_gain_ppm), as_json)


def _show(found: messages.SettingsReply, as_json: bool) -> None:
    facts = {key: value for key, value in found._asdict().items() if key not in ("status", "state")}
    if as_json:
        print(json.dumps(facts))
        return
    for key, value in facts.items():
        print(f"{key.replace('_', ' '):24} {value}")
