"""`mesoinjector provision`: the production line, with a table that follows every board."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from mesoinjector import boards, errors, finding, flashing, production_file
from mesoinjector.cli.calibrate import scale_of
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson
from mesoinjector.flashing import Flashing
from mesoinjector.injector import Injector
from mesoinjector.journal import Journal
from mesoinjector.keys import Key
from mesoinjector.machine import Machine
from mesoinjector.production import Line
from mesoinjector.production_record import Accuracy, Board, Made
from mesoinjector.production_weighing import weigh

_BAD_INPUT, _DEVICE, _INTERRUPTED = 2, 3, 130
"""Exit codes; see `mesoinjector.cli`."""


def register(app: typer.Typer) -> None:
    """Add this command to `mesoinjector`."""
    app.command()(provision)


def provision(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="LINE.toml", help="The line: serial numbers, keys, tests.")],
    device: Annotated[
        list[str] | None, typer.Option(help="A board's address, as for `info`; again for each. By default all by USB.")
    ] = None,
    again: Annotated[
        list[str] | None,
        typer.Option(metavar="SERIAL", help="This board was erased and is made anew, with its number."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before the line begins. Before a board moves it is asked still.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make boards into devices, many at once: firmware, serial number, tests, name, keys, label, report.

    What moves does so while somebody holds that board's trigger, one board after the other; it is asked for. Run
    again, a board gets the same number and keys. Exit code 3 if one has not passed.
    """
    settings = production_file.load(file, frozenset(again or ()))
    machine = context.obj if isinstance(context.obj, Machine) else Machine()
    there = _blank(machine, device) if settings.firmware is not None else {}
    urls = device or [*there, *_ports(machine, there)]
    if not urls:
        raise errors.DeviceNotFound("no board is connected by USB. Next: run `mesoinjector doctor`.")
    if not yes and not all(url.startswith("sim:") for url in urls):
        _confirm(f"About to make {len(urls)} boards into devices: {', '.join(urls)}. Go on?")
    shown = _Progress()

    def open_board(board: Board) -> Injector:
        blank, order = there.get(board.name), settings.firmware
        if blank is None or order is None:
            return Injector.open(board.name, settings.folder / "journal.sqlite")
        journal = Journal(settings.folder / "journal.sqlite")
        try:
            flash = Flashing(machine, journal, lambda what, done, of: shown.does(board, what), service_key)
            if blank.state == "firmware":
                return flash.open(blank)
            flash.run(flashing.plan(blank, order))
            return flash.open(blank)
        except BaseException:
            journal.close()
            raise

    def service_key(uid: str) -> Key:
        return settings.keys(settings.register.claim(uid), uid).service

    def hand(made: Made, question: str) -> bool:
        return made.simulated or shown.ask(made, question)

    def weighed(injector: Injector, ask: Callable[[str], bool]) -> Accuracy:
        assert settings.bench is not None
        with closing(scale_of(settings.bench.scale, injector)) as scale:
            return weigh(injector, scale, settings.bench, ask, shown.say)

    try:
        with shown:
            line = Line(settings, open_board, hand, shown.told, weighed if settings.bench is not None else None)
            made = line.make([Board(url, _kind(there.get(url))) for url in urls])
    except KeyboardInterrupt:
        screen.print("Stopped. Boards that have not passed are run again; look at each handpiece first.")
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        print(json.dumps({"boards": [_facts(each) for each in made], "folder": str(settings.folder)}))
    else:
        for each in made:
            failure = each.failure
            said = "passed" if failure is None else f"FAILED, {failure.name}: {failure.said}"
            print(f"{each.serial or '-':16} {each.uid or '-':16} {each.board.name}: {said}")
    if not all(each.passed for each in made):
        raise typer.Exit(_DEVICE)


def _blank(machine: Machine, names: list[str] | None) -> dict[str, boards.Board]:
    """Boards without firmware, by the names they are told by, and those that were named by their place, which they keep
    once they run. Looked at once: then each belongs to its worker.
    """
    real = None if names is None else [name for name in names if not name.startswith("sim:")]
    if real == []:
        return {}
    found = boards.find(machine)
    if real is not None:
        chosen = {name: boards.choose(name, found) for name in real}
    else:
        chosen = {f"usb:path={each.path}" if each.path else each.port: each for each in found}
    return {
        name: each
        for name, each in chosen.items()
        if each.state in ("bootloader", "prompt") or (real is not None and name.startswith("usb:path="))
    }


def _ports(machine: Machine, there: dict[str, boards.Board]) -> list[str]:
    """Those that run the firmware, or might."""
    taken = {each.port for each in there.values()}
    return [each.port for each in finding.candidates(machine.ports()) if each.port not in taken]


def _kind(board: boards.Board | None) -> str:
    return flashing.NAMES[board.chip] if board is not None and board.bootloader is not None else ""


def _confirm(question: str) -> None:
    try:
        wanted = typer.confirm(question, err=True)
    except typer.Abort:  # nobody is there to answer
        wanted = False
    if not wanted:
        screen.print("Nothing was sent. Without a terminal to ask at, --yes says it.")
        raise typer.Exit(_BAD_INPUT)


class _Progress:
    """A row for each board. Told from many threads, asked from the one that waits for all."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()
        self._live = Live(console=screen, transient=True, refresh_per_second=4, get_renderable=self._table)

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def told(self, made: Made, step: str) -> None:
        """A board has come to a step."""
        with self._lock:
            self._rows[made.board.name] = made.serial, step

    def does(self, board: Board, what: str) -> None:
        """What is being written to a board."""
        with self._lock:
            self._rows[board.name] = "", what

    def say(self, what: str) -> None:
        """Tell whoever has a board in hand what to do."""
        self._live.console.print(what, soft_wrap=True)

    def ask(self, made: Made, question: str) -> bool:
        """What the person at the board answers."""
        self._live.stop()
        try:
            return typer.confirm(f"{made.serial} at {made.board.name}: {question}", err=True)
        except typer.Abort:
            if sys.stdin.isatty():  # Ctrl-C is for all boards, not for this one
                raise KeyboardInterrupt from None
            return False
        finally:
            self._live.start()

    def _table(self) -> Table:
        table = Table("board", "serial", "step")
        with self._lock:
            for name, (serial, step) in self._rows.items():
                table.add_row(name, serial, step)
        return table


def _facts(made: Made) -> dict[str, Any]:
    return {
        "board": made.board.name,
        "serial": made.serial,
        "uid": made.uid,
        "firmware": made.firmware,
        "passed": made.passed,
        "steps": [{"name": step.name, "verdict": step.verdict, "said": step.said} for step in made.steps],
        "keys": {} if made.label is None else {"service": made.label.service_key, "operator": made.label.operator_key},
    }
