"""`mesoinjector sim run, faults, inject, control, schema`: scenarios and faults of the simulated device."""

from __future__ import annotations

import dataclasses
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mesoinjector import errors
from mesoinjector.cli import sim
from mesoinjector.cli.service import AsJson

if TYPE_CHECKING:
    from mesosim.lab.catalogue import Fault
    from mesosim.lab.outcome import Outcome

app: typer.Typer = sim.app
FINDINGS = 1
"""Exit code of a scenario that has come out otherwise than it should."""

Control = Annotated[Path, typer.Option(help="Control socket of a device that `sim serve --control` serves.")]


@app.command()
def run(
    scenario: Annotated[str, typer.Argument(help="A scenario's file, or the name of a packaged one.")],
    seed: Annotated[
        int | None, typer.Option(min=0, max=sim.SEED_MAX, help="Of device and host; by default another each time.")
    ] = None,
    runtime: Annotated[str | None, typer.Option(help="cpython, micropython or wasm.")] = "cpython",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="symbol=value, of the device; may be repeated.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="NAME[@seconds][:step=,kind=,value=,duration_s=]; replaces what the file expects."),
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="File for the whole trace.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play a scenario in virtual time; exit code 1 if it comes out otherwise than it should."""
    from mesosim.lab import play
    from mesosim.lab import scenario as scenarios
    from mesosim.micropython import NoMicroPython

    chosen = sim.choose_runtime(runtime)
    number = secrets.randbelow(1 << 30) if seed is None else seed
    try:
        checked = scenarios.load(scenario)
        if set_ or fault:
            checked = scenarios.changed(
                checked, [_pair(item) for item in set_ or []], [_fault(item) for item in fault or []]
            )
        if trace:
            _writable(trace)
        outcome = play.play(checked, number, chosen, str(trace or ""))
    except scenarios.ScenarioError as error:
        raise errors.PlanError(str(error)) from None
    except NoMicroPython as error:
        raise errors.DeviceNotFound(str(error)) from None
    if as_json:
        print(json.dumps(dataclasses.asdict(outcome)))
    else:
        _show(outcome)
    if not outcome.passed:
        raise typer.Exit(FINDINGS)


@app.command()
def faults(
    name: Annotated[str | None, typer.Argument(help="One fault, or a family such as board.encoder.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the catalogue of faults."""
    from mesosim.lab import catalogue

    if name is None:
        found = list(catalogue.named().values())
    else:
        found = [fault for fault in catalogue.everything().values() if f"{fault.name}.".startswith(f"{name}.")]
    if not found:
        try:
            catalogue.get(str(name))
        except catalogue.UnknownFault as error:
            raise errors.PlanError(f"sim faults: {error}") from None
    if as_json:
        print(json.dumps([fault.model_dump() for fault in found]))
    else:
        _list(found)


@app.command()
def inject(
    name: Annotated[str, typer.Argument(help="A fault of the catalogue.")],
    control: Control,
    kind: Annotated[str | None, typer.Option(help="One of the fault's kinds.")] = None,
    value: Annotated[float | None, typer.Option(help="Its size, in its unit.")] = None,
    duration_s: Annotated[float | None, typer.Option(help="0: until it is cleared.", min=0.0)] = None,
    clear: Annotated[bool, typer.Option("--clear", help="End it instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a fault about in a served device, or end it, while a client is connected."""
    from mesosim.lab import catalogue
    from mesosim.lab import inject as injecting

    try:
        with _Socket(control) as world:
            if clear:
                injecting.clear(world, name)
            else:
                injecting.inject(world, name, kind, value, duration_s)
    except (catalogue.UnknownFault, ValueError) as error:
        raise errors.PlanError(f"sim inject: {error}") from None
    if as_json:
        print(json.dumps({"fault": name, "active": not clear}))


@app.command("control")
def ask(
    name: Annotated[str, typer.Argument(help="account, faults, get, clear_fault, release_after_us, ...")],
    control: Control,
    value: Annotated[str, typer.Argument(help="A JSON value; what is none is text.")] = "0",
) -> None:
    """Ask or change a served device's world; its answer is printed as JSON."""
    try:
        with _Socket(control) as world:
            print(json.dumps(world.control(name, _json(value))))
    except ValueError as error:
        raise errors.PlanError(f"sim control: {error}") from None


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from mesosim.lab import scenario as scenarios

    print(json.dumps(scenarios.schema(), indent=2))


class _Socket:
    """A served device's control socket: a line of JSON each way."""

    def __init__(self, path: Path) -> None:
        import socket

        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(10.0)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise errors.DeviceNotFound(
                f"{path}: no device listens there ({error.strerror or error}). Next: mesoinjector sim serve "
                f"--control {path}."
            ) from None
        self._lines = self._socket.makefile("rwb")

    def __enter__(self) -> _Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def control(self, name: str, value: Any = 0) -> Any:
        """See `mesosim.world.world.World.control`. Raises ValueError with what the world says against it."""
        try:
            self._lines.write(json.dumps([name, value]).encode() + b"\n")
            self._lines.flush()
            answer = self._lines.readline()
        except OSError as error:
            raise errors.LinkLost(f"{self._path}: the device has gone ({error}). Next: serve it again.") from None
        if not answer:
            raise errors.LinkLost(f"{self._path}: the device has gone. Next: serve it again.")
        refused, result = json.loads(answer)
        if refused is not None:
            raise ValueError(refused)
        return result


def _writable(trace: Path) -> None:
    try:
        trace.open("wb").close()
    except OSError as error:
        raise errors.PlanError(f"--trace {trace}: cannot be written ({error.strerror}). Next: name another.") from None


def _pair(item: str) -> tuple[str, Any]:
    key, equals, value = item.partition("=")
    if not equals:
        raise errors.PlanError(f"--set {item}: must be symbol=value.")
    return key, _json(value)


def _fault(item: str) -> dict[str, Any]:
    """NAME[@seconds][:key=value,...] as a [[fault]] table."""
    head, colon, tail = item.partition(":")
    name, at, seconds = head.partition("@")
    table: dict[str, Any] = {"name": name}
    if at:
        table["at_s"] = _json(seconds)
    for pair in tail.split(",") if colon else []:
        key, value = _pair(pair)
        table[key] = value
    return table


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _show(outcome: Outcome) -> None:
    """Findings first, then what was given, by the device and by the plant."""
    for finding in outcome.findings:
        print(f"FINDING: {finding}")
    known = outcome.standing if outcome.struck else "it did not strike before the last step had ended"
    verdict = "failed" if not outcome.passed else "passed" if outcome.judged else "passed, its fault not judged"
    print(f"{outcome.scenario}, seed {outcome.seed}, {outcome.runtime}: {verdict}")
    for dose in outcome.doses:
        if dose["kind"] == "run":
            amount = f"{dose['strokes']} strokes, plant {dose['punctures']} punctures"
        else:
            bounds = f"{dose['lower_nl'] / 1e3:.1f}-{dose['upper_nl'] / 1e3:.1f}"
            amount = (
                f"{dose['delivered_nl'] / 1e3:.1f} ul ({bounds}) of {dose['asked_nl'] / 1e3:.1f}, "
                f"plant {dose['plant_tip_nl'] / 1e3:.1f} ul"
            )
        print(f"  {dose['kind']:6} {dose['reason']:18} {amount}")
    if outcome.fault:
        after = "" if outcome.alarm_ms is None else f" after {outcome.alarm_ms} ms"
        alarm = f"alarm {outcome.alarm or 'none'}{after}"
        print(f"  fault {outcome.fault} ({outcome.hazard}, {outcome.hazard_ms} ms): {alarm}")
        print(f"  {'known' if outcome.judged else 'not judged'}: {known}")
    print(f"  {outcome.duration_us / 1e6:.3f} s of device time, {outcome.records} records")
    print(f"  sha256 {outcome.trace_sha256}")


def _list(found: list[Fault]) -> None:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("name", "what", "kinds, size", "hazard", "alarm", "state"):
        table.add_column(column, no_wrap=column in ("name", "hazard"))
    for fault in found:
        size = "" if fault.value is None else f"; {fault.how} {fault.value:g} {fault.unit}".rstrip()
        alarms = "\n".join(f"{mode}: {alarm or 'none'}" for mode, alarm in fault.alarm.items())
        state = "\n".join(fault.state(mode) for mode in fault.alarm)
        kinds = ", ".join(fault.kinds) + size
        table.add_row(fault.name, fault.title, kinds, f"{fault.hazard}\n{fault.hazard_ms} ms", alarms, state)
    out = Console()
    out.print(table)
    for mode in found[0].alarm if len(found) == 1 else ():
        if found[0].reason(mode):
            out.print(f"{mode}, {found[0].state(mode)}: {found[0].reason(mode)}", highlight=False)
