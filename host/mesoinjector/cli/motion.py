"""`mesoinjector home`, `dry`: what moves with neither syringe nor cartridge, while somebody holds the trigger."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from mesoinjector import results
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson, Device, JournalPath, KeyFile, OperatorKey
from mesoinjector.injector import Injector

_ENDED_EARLY, _UNKNOWN = 4, 5
"""Exit codes, as of `run`."""


def register(app: typer.Typer) -> None:
    """Add these commands to `mesoinjector`."""
    for command in (home, dry):
        app.command()(command)


def home(device: Device, journal: JournalPath = None, key: OperatorKey = None, as_json: AsJson = False) -> None:
    """Bring all axes to their origins; the carriage goes back, so that a full syringe can be mounted."""
    with Injector.open(device, journal, key) as injector:
        _ask_for_the_hand()
        _tell(injector.home(), as_json)


def dry(
    device: Device,
    strokes: Annotated[int, typer.Option(help="How many, 1..27000.")] = 100,
    depth_mm: Annotated[float, typer.Option(help="Protrusion of the carrier, 0.4..4.0.")] = 1.0,
    rate_per_min: Annotated[int, typer.Option(help="Strokes a minute, 60..1800.")] = 900,
    journal: JournalPath = None,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Move the needle drive with nothing mounted, and check each stroke."""
    with Injector.open(device, journal, key) as injector:
        _ask_for_the_hand()
        _tell(injector.dry_run(strokes, depth_mm, rate_per_min), as_json)


def _ask_for_the_hand() -> None:
    screen.print(
        "hold the handpiece away from skin, with neither syringe nor cartridge, and press and hold the trigger"
    )


def _tell(result: results.Result, as_json: bool) -> None:
    facts = {"result": type(result).__name__, **dataclasses.asdict(result)}
    if as_json:
        print(json.dumps(facts))
    else:
        for name in (
            "result",
            "reason",
            "needle_home",
            "strokes",
            "bad_strokes",
            "worst_interval_us",
            "worst_depth_um",
        ):
            if name in facts:
                print(f"{name.replace('_', ' '):24} {facts[name]}")
    if isinstance(result, results.Unknown):
        raise typer.Exit(_UNKNOWN)
    if not (isinstance(result, results.Delivered) and result.complete):
        raise typer.Exit(_ENDED_EARLY)
