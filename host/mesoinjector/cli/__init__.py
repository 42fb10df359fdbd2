"""The command line. Figures go to stdout, progress and errors to stderr.

Exit codes: 0 everything was given as asked; 1 an error of this program; 2 bad input, nothing was sent; 3 the
device or its line; 4 not all was given as asked, with the amounts known; 5 a dose is unknown; 130 Ctrl-C.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mesoinjector import capture, errors, links, listing, logs, shown, simulated
from mesoinjector import demo as demonstration
from mesoinjector.cli import (
    application,
    calibrate,
    devices,
    evidence,
    flash,
    giving,
    motion,
    observing,
    plan,
    provision,
    report,
    run,
    scenarios,
    service,
    sim,
)
from mesoinjector.cli import journal as journal_commands
from mesoinjector.cli.run import ENDED_EARLY, INTERRUPTED, UNKNOWN
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson
from mesoinjector.connection import STOP_BYTES
from mesoinjector.injector import Injector
from mesoinjector.journal import Journal
from mesoinjector.recorder import RecordingLink
from mesoinjector.results import Result
from mesoprotocol import messages

BAD_INPUT, DEVICE = 2, 3

app: typer.Typer = typer.Typer(no_args_is_help=True)


@app.callback()
def begin(
    context: typer.Context,
    log: Annotated[
        Path | None, typer.Option(help="Append what is done to this file, a JSON object a line; before the command.")
    ] = None,
) -> None:
    """Drive a mesoinjector, or a simulated one."""
    if log is None:
        return
    if context.invoked_subcommand == "stop":
        context.obj = log  # STOP waits for no file
    else:
        logs.write_to(log)


app.add_typer(scenarios.app, name="sim")
service.register(app)
calibrate.register(app)
giving.register(app)
observing.register(app)
motion.register(app)
run.register(app)
report.register(app)
app.add_typer(plan.app, name="plan")
devices.register(app)
application.register(app)
flash.register(app)
provision.register(app)
journal_commands.register(app)
evidence.register(app)

Device = Annotated[
    str,
    typer.Option(
        default_factory=lambda: "usb:",
        show_default="the only one found by USB",
        help="usb:serial=NUMBER or usb:uid=ID as `devices` shows them, /dev/ttyACM0, socket://host:port, sim://, "
        "sim://micropython or replay:FILE",
    ),
]
JournalPath = Annotated[
    Path | None,
    typer.Option("--journal", help="Journal file; by default this user's own, for a simulated device none that lasts."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key", help="File with the operator's key, of a device that has keys; without, you can look and stop."
    ),
]
Record = Annotated[
    Path | None,
    typer.Option(
        "--record", help="New file for all that passes on the line; `decode` reads it, replay:FILE replays it."
    ),
]


def main() -> None:
    """Entry point: errors of this package become one message and an exit code.

    Ctrl-C, a terminal that closes and an end by the system are one: whoever gives something sends STOP first.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (
        errors.PlanError,
        errors.KeyFileError,
        errors.RecordingError,
        errors.ExportError,
        errors.ApplicationError,
        errors.ImageError,
    ) as error:
        _fail(error, BAD_INPUT)
    except errors.DoseUncertain as error:
        _fail(error, UNKNOWN)
    except errors.MesoError as error:
        _fail(error, DEVICE)


def _fail(error: Exception, code: int) -> None:
    print(f"mesoinjector: {error}", file=sys.stderr)
    sys.exit(code)


@app.command()
def demo(
    runtime: Annotated[
        str | None,
        typer.Option(help="micropython or cpython; by default MicroPython where its wheel exists."),
    ] = None,
    paced: Annotated[bool, typer.Option(help="In real time, behind a pty, as a real device would be.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the simulated device.")] = 1,
    out: Annotated[Path, typer.Option(help="HTML report to write.")] = Path("demo.html"),
    as_json: AsJson = False,
) -> None:
    """Give 30 doses and 1,800 punctures on the simulated device, and compare two accounts of them."""
    run.check_report(out)
    chosen = sim.choose_runtime(runtime)
    with run.bar() as (on_progress, _):
        link: links.Link = (
            simulated.paced_link(chosen, seed) if paced else links.open_link(f"sim://{chosen}?seed={seed}")
        )
        result = demonstration.run(link, on_progress)
    if as_json:
        print(json.dumps(result.figures))
    else:
        shown.treatment(result.record)
        shown.demo(result.figures)
    run.keep(result.record, out)
    if not result.as_asked:
        raise typer.Exit(ENDED_EARLY)


@app.command()
def info(device: Device, journal: JournalPath = None, record: Record = None, as_json: AsJson = False) -> None:
    """Say what the device is and where it stands. Moves nothing."""
    with Injector.open(device, journal, record=record) as injector:
        status = injector.status()
        facts: dict[str, str | int | list[Any]] = {
            "uid": injector.uid,
            "firmware": injector.hello.firmware,
            "runtime": injector.runtime,
            "state": messages.STATE_NAMES[status.state],
            "latches": _bits(status.latches, messages.LATCH_BITS),
            "inputs": _bits(status.inputs, messages.INPUT_BITS),
            "next_dose_number": status.next_n,
            "treatment_delivered_nl": status.delivered_nl,
            "battery_mv": status.battery_mv,
            "device_refused_frames": status.rx_bad,
            "device_dropped_frames": status.tx_dropped,
            **{f"host_{name}": count for name, count in injector.losses()._asdict().items()},
            "resolved": [{"id": r.dose_id, "result": type(r).__name__, "reason": r.reason} for r in injector.resolved],
        }
    if as_json:
        print(json.dumps(facts))
        return
    for key, value in facts.items():
        print(f"{key.replace('_', ' '):24} {', '.join(map(str, value)) if isinstance(value, list) else value}")


@app.command()
def stop(
    context: typer.Context,
    device: Device,
    journal: JournalPath = None,
    record: Record = None,
    as_json: AsJson = False,
) -> None:
    """Stop whatever moves. Therapy stays refused until `clear`."""
    link = links.open_link(device)
    link.write(STOP_BYTES)  # before anything else, and whatever log, journal and ledger have to say
    if context.obj is not None:
        try:
            logs.write_to(context.obj)
        except errors.PlanError as error:
            screen.print(f"{error} It is stopped without a log.", soft_wrap=True)
    if record is not None:
        link = RecordingLink(link, record)
    try:
        injector = Injector(link, Journal(journal))
    except (errors.JournalError, errors.DoseUncertain) as error:
        screen.print(f"{error} It is stopped without a journal.", soft_wrap=True)
        injector = Injector(link, Journal(":memory:"))
    with injector:
        status = injector.stop()
    if as_json:
        print(json.dumps({"stopped": True, "latches": _bits(status.latches, messages.LATCH_BITS)}))
    else:
        print("stopped; clear it with `mesoinjector clear` after looking at the handpiece")


@app.command()
def clear(
    device: Device, journal: JournalPath = None, key: KeyFile = None, record: Record = None, as_json: AsJson = False
) -> None:
    """Clear the latches that stand, after somebody has looked at the handpiece. Moves nothing."""
    with Injector.open(device, journal, key, record) as injector:
        left = _bits(injector.clear(), messages.LATCH_BITS)
    if as_json:
        print(json.dumps({"latches": left}))
    else:
        print(f"still latched: {', '.join(left)}" if left else "nothing is latched")


@app.command()
def acknowledge(
    dose_id: Annotated[str, typer.Argument(help="Id of the interrupted dose, as the journal and `info` show it.")],
    device: Device,
    operator: Annotated[str, typer.Option(help="Who has seen it, at most 12 letters.")],
    journal: JournalPath = None,
    key: KeyFile = None,
    record: Record = None,
    as_json: AsJson = False,
) -> None:
    """Take note of an interrupted dose: it is counted within its bounds. Moves nothing."""
    with Injector.open(device, journal, key, record) as injector:
        result = injector.acknowledge(dose_id, operator)
    _tell(result, as_json)


@app.command()
def settle(
    dose_id: Annotated[str, typer.Argument(help="Id of a dose that no device will ever answer for.")],
    operator: Annotated[str, typer.Option(help="Who says so.")],
    reason: Annotated[str, typer.Option(help="Why nobody will ever know: the device is gone, or has forgotten it.")],
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> None:
    """Close a dose that stays unknown for ever: it counts up to its upper bound, and new doses are given again."""
    book = Journal(journal)
    result = book.settle(dose_id, operator, reason)
    book.close()
    _tell(result, as_json)


@app.command()
def decode(
    recording: Annotated[Path, typer.Argument(help="File made with --record.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a message.")] = False,
    pcap: Annotated[
        Path | None, typer.Option(help="Write a capture for Wireshark instead, one packet a frame.")
    ] = None,
) -> None:
    """Say what passed on a recorded line: time, direction, message, fields, refusals, and what was lost."""
    lines = listing.read(recording)
    if pcap is not None:
        packets = capture.write(lines, pcap)
        screen.print(f"{packets} packets in {pcap}. Dissector: {capture.DISSECTOR}", soft_wrap=True)
    else:
        for line in listing.as_json(lines) if as_json else listing.as_text(lines):
            print(line)
    if lines.cut_off:
        said = f"line {lines.cut_off} of {recording} is cut off: the host ended while it was written"
        screen.print(said, soft_wrap=True)


# --- What is shown ---------------------------------------------------------------------------------------


def _tell(result: Result, as_json: bool) -> None:
    kind = type(result).__name__
    print(json.dumps({"result": kind, **asdict(result)}) if as_json else f"{result.dose_id}: {kind}, {result.reason}")


def _bits(value: int, names: dict[int, str]) -> list[str]:
    return [name.lower() for bit, name in names.items() if value & bit]
