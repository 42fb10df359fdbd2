"""`mesoinjector prime`, `dose`, `fractional`: one by itself, from the terminal; and the ledger of what was given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mesoinjector import errors, results, shown
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson, Device, JournalPath, OperatorKey
from mesoinjector.injector import Injector
from mesoinjector.links import is_simulated
from mesoprotocol import messages, wire

BAD_INPUT, ENDED_EARLY, UNKNOWN, INTERRUPTED = 2, 4, 5, 130
"""Exit codes; see `cli`."""
FEWEST, MOST = 20, 255
"""Ledger entries that are shown, and that a device remembers."""

MODES = {
    **{wire.MODE_PRIME: "prime", wire.MODE_SINGLE: "dose", wire.MODE_RETROGRADE: "retrograde", wire.MODE_TEST: "test"},
    **{wire.MODE_REPEAT: "repeat", wire.MODE_PERFUSION: "perfusion", wire.MODE_FRACTIONAL: "fractional"},
    **{wire.MODE_DRY: "dry", wire.MODE_HOME: "home"},
}

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before a dose on a real device.")]
Profile = Annotated[str, typer.Option(help="Syringe, needle and fluid, as one of the known profiles.")]
Zone = Annotated[str, typer.Option(help="Where: forehead, cheek, ... An unknown name lists those that are known.")]
Depth = Annotated[float, typer.Option("--depth-mm", help="Depth of the needle, within the zone's limit.")]


def register(app: typer.Typer) -> None:
    """Add these commands to `mesoinjector`."""
    for command in (prime, dose, fractional, ledger):
        app.command()(command)


def prime(
    device: Device,
    volume_ml: Annotated[float, typer.Option(help="At most so much, to 0.5; ends as soon as fluid flows.")] = 0.1,
    profile: Profile = "1ml-30G4-aqueous",
    yes: Yes = False,
    journal: JournalPath = None,
    key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Begin a treatment, and push fluid away from the skin until it flows: hold the handpiece up, press the trigger."""
    with Injector.open(device, journal, key) as injector:
        confirm(injector, f"prime with at most {volume_ml:g} ml, in a new treatment", yes)
        injector.begin_treatment()
        asked = "hold the handpiece away from the skin and press the trigger"
        _tell(_given(injector, asked, lambda: injector.prime(volume_ml, profile)), as_json)


def dose(
    device: Device,
    volume_ml: Annotated[float, typer.Option(help="0.02 to 0.2, within the zone's limit.")],
    depth_mm: Depth,
    zone: Zone,
    profile: Profile = "1ml-30G4-aqueous",
    yes: Yes = False,
    journal: JournalPath = None,
    key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Give one dose in the treatment that `prime` began: set the handpiece to the skin, then press the trigger."""
    with Injector.open(device, journal, key) as injector:
        confirm(injector, f"give {volume_ml:g} ml at {depth_mm:g} mm, zone {zone}", yes)
        asked = "set the handpiece to the skin and press the trigger"
        _tell(_given(injector, asked, lambda: injector.dose(volume_ml, depth_mm, zone, profile=profile)), as_json)


def fractional(
    device: Device,
    strokes: Annotated[int, typer.Option(help="1 to 27000.")],
    depth_mm: Depth,
    zone: Zone,
    area_cm2: Annotated[int, typer.Option("--area-cm2", help="Whole; at most 20 % of it may be punctured.")],
    rate_per_min: Annotated[int, typer.Option(help="Punctures a minute, 60 to 1800.")] = 900,
    needles: Annotated[int, typer.Option(help="Needles of the cartridge, 12 to 20.")] = 16,
    yes: Yes = False,
    journal: JournalPath = None,
    key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Begin a treatment and puncture an area: set the handpiece to the skin and hold the trigger."""
    with Injector.open(device, journal, key) as injector:
        what = f"{strokes} punctures at {depth_mm:g} mm, {rate_per_min} a minute, zone {zone}, {area_cm2} cm2"
        confirm(injector, f"{what}, in a new treatment", yes)
        injector.begin_treatment()
        asked, how = "set the handpiece to the skin and hold the trigger", (area_cm2, rate_per_min, needles)
        _tell(_given(injector, asked, lambda: injector.fractional(strokes, depth_mm, zone, *how)), as_json)


def ledger(
    device: Device,
    last: Annotated[int, typer.Option(min=1, max=MOST, help="So many of the newest.")] = FEWEST,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> None:
    """Show what the device itself remembers of its doses, the newest last. Moves nothing."""
    with Injector.open(device, journal) as injector:
        next_n = injector.status().next_n
        rows = [_entry(injector, n) for n in range(max(1, next_n - last), next_n)]
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        said = row["refused"] or f"{row['state']}, {row['reason']}"
        given = "" if row["refused"] else f"{shown.ul(row['lower_nl'])} to {shown.ul(row['upper_nl'])}"
        print(f"{row['n']:>8} {row['mode']:10} {given:26} {row['strokes']:>6} strokes  {said}")
    if not rows:
        print("nothing was given yet")


def _entry(injector: Injector, n: int) -> dict[str, Any]:
    try:
        entry = injector.ledger(n)
    except errors.DeviceError as error:  # one that cannot be read, or that has no end
        return {"n": n, "mode": "", "strokes": 0, "refused": error.name.lower()}
    return {
        "n": n,
        "dose_id": entry.dose_id.hex(),
        "mode": MODES.get(entry.mode, str(entry.mode)),
        "state": messages.DOSE_STATE_NAMES[entry.dose_state].lower(),
        "reason": messages.REASON_NAMES.get(entry.reason, str(entry.reason)).lower(),
        "asked_nl": entry.asked_nl,
        "delivered_nl": entry.delivered_nl,
        "lower_nl": entry.lower_nl,
        "upper_nl": entry.upper_nl,
        "strokes": entry.strokes,
        "refused": "",
    }


def confirm(injector: Injector, what: str, yes: bool) -> None:
    """Ask before something is given by a real device. Without a terminal to answer, only --yes will do."""
    if yes or is_simulated(injector.link):
        return
    status = injector.status()
    screen.print(f"{injector.link.url}, device {injector.uid}, battery {status.battery_mv / 1000:.2f} V.")
    try:
        wanted = typer.confirm(f"About to {what}. Go on?", err=True)
    except typer.Abort:  # nobody is there to answer
        wanted = False
    if not wanted:
        screen.print("Nothing was sent. Without a terminal to ask at, --yes says it.")
        raise typer.Exit(BAD_INPUT)


def _given(injector: Injector, asked: str, give: Callable[[], results.Result]) -> results.Result:
    """The result; once it is armed the operator is asked for something. After Ctrl-C, which sends STOP, what was
    delivered is said.
    """

    def ask(event: object) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_ARMED:
            screen.print(asked)

    unlisten = injector.listen(ask)
    try:
        return give()
    except KeyboardInterrupt:
        if injector.interrupted is None:
            screen.print("Stopped. What was delivered is not known yet: open the device again, it is asked for.")
        else:
            screen.print(f"Stopped. {_said(injector.interrupted)}")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        unlisten()


def _tell(result: results.Result, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"result": type(result).__name__, **asdict(result)}))
    else:
        print(_said(result))
    if isinstance(result, results.Unknown):
        raise typer.Exit(UNKNOWN)
    if not (isinstance(result, results.Delivered) and result.complete):
        raise typer.Exit(ENDED_EARLY)


def _said(result: results.Result) -> str:
    """One line for a person: how much, between which bounds, and how it ended."""
    name = f"dose {result.dose_id}"
    if isinstance(result, results.NotDelivered):
        return f"{name}: nothing was delivered, {result.reason}"
    bounds = f"{shown.ul(result.lower_nl)} to {shown.ul(result.upper_nl)}"
    if isinstance(result, results.Unknown):
        return f"{name}: UNKNOWN, {bounds}, {result.reason}. Next: open the device again, it is asked for."
    strokes = f"{result.strokes:,} of {result.asked_strokes:,} punctures, {result.bad_strokes} bad, "
    amount = strokes if result.asked_strokes else f"{shown.ul(result.delivered_nl)} delivered ({bounds}), "
    return f"{name}: {amount}{'as asked' if result.complete else f'ended early: {result.reason}'}"
