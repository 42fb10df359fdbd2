"""`mesoinjector flash`: a board in whatever state becomes an injector that has passed its self-test."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mesoinjector import boards, errors, flashing
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson, JournalPath, KeyFile
from mesoinjector.flashing import Flashing, Order
from mesoinjector.journal import Journal
from mesoinjector.keys import Key
from mesoinjector.machine import Machine

ERASE = "erase the filesystem"
"""What is typed to erase one."""
_NAME_MOST = 16


def register(app: typer.Typer) -> None:
    """Add this command to `mesoinjector`."""
    app.command()(flash)


def flash(
    context: typer.Context,
    device: Annotated[
        str,
        typer.Option(
            default_factory=lambda: "usb:",
            show_default="the only one found by USB",
            help="usb:path=PORTS, usb:serial=NUMBER, usb:uid=ID or a port; --dry-run lists what is there.",
        ),
    ],
    micropython: Annotated[
        Path | None, typer.Option(metavar="FILE.uf2", help="MicroPython, written where the board's differs.")
    ] = None,
    application: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Application; `mesoinjector application` builds one.")
    ] = None,
    signer: Annotated[
        Path | None,
        typer.Option(metavar="PUBLIC.pem", help="Key that updates must be signed with; goes on with the first flash."),
    ] = None,
    key: KeyFile = None,
    new_keys: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Set new keys; service.key and operator.key go there.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The device's name, at most 16 ASCII letters.")] = None,
    older: Annotated[bool, typer.Option("--older", help="Accept an application older than the device's.")] = False,
    erase_filesystem: Annotated[
        bool,
        typer.Option(
            "--erase-filesystem",
            help=f"Erase application, calibration and settings. Asks, also with --yes, for the words: {ERASE}.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is there and what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> None:
    """Bring a board to a working injector: in its bootloader, at MicroPython's prompt, or running. Moves nothing.

    Says first what it would do. Calibration, keys and settings stay. What is cut off goes on: say the same again.
    """
    machine = context.obj if isinstance(context.obj, Machine) else Machine()
    order = _order(micropython, application, signer, key, new_keys, name, older, erase_filesystem)
    there = boards.find(machine)
    if dry_run:
        for board in there:
            screen.print(f"{board} {boards.STATES[board.state]}", soft_wrap=True)
    wanted = flashing.plan(boards.choose(device, there), order)
    _show(wanted)
    facts: dict[str, object] = {
        "board": str(wanted.board),
        "state": wanted.board.state,
        "steps": list(wanted.steps),
        "done": not dry_run,
    }
    if not dry_run:
        _ask(order, yes)
        with closing(Journal(journal)) as book, _bar() as bar:
            done = Flashing(machine, book, _told(bar)).run(wanted)
        facts |= {
            "uid": done.uid,
            "firmware": done.firmware,
            "slot": done.slot,
            "sectors": done.sectors,
            "keys": list(done.files),
        }
    if as_json:
        print(json.dumps(facts))
    elif not dry_run:
        print(f"{facts['uid']} runs {facts['firmware']} from {facts['slot']}, and has passed its self-test")


def _order(
    micropython: Path | None,
    application: Path | None,
    signer: Path | None,
    key: Path | None,
    new_keys: Path | None,
    name: str | None,
    older: bool,
    erases: bool,
) -> Order:
    """What was said, read and checked. Raises before anything is looked for."""
    if name is not None and not (name.isascii() and 1 <= len(name) <= _NAME_MOST):
        raise errors.PlanError(f"--name {name!r}: must be 1 to {_NAME_MOST} ASCII letters.")
    return replace(
        flashing.order(micropython, application, signer),
        key=None if key is None else Key.load(key),
        new_keys=new_keys,
        name=name,
        older=older,
        erases=erases,
    )


def _show(wanted: flashing.Plan) -> None:
    screen.print(f"{wanted.board} {boards.STATES[wanted.board.state]}. To do:", soft_wrap=True)
    for n, step in enumerate(wanted.steps, 1):
        screen.print(f"  {n}. {step}", soft_wrap=True)


def _ask(order: Order, yes: bool) -> None:
    """Whether it shall be done. Raises `FlashError` if not, or if nobody can be asked."""
    if not yes:
        if not sys.stdin.isatty():
            raise errors.FlashError(
                "nobody can be asked here. Nothing was sent. Next: look at the plan, then add --yes."
            )
        if not _said(lambda: typer.confirm("Do it?", err=True)):
            raise errors.FlashError("nothing was sent, as you said. Next: the same again, once it shall be done.")
    question = f"To lose calibration and settings, type: {ERASE}"
    if order.erases and _said(lambda: typer.prompt(question, err=True)) != ERASE:
        raise errors.FlashError(
            f"that was not {ERASE!r}: nothing was sent. Next: without --erase-filesystem files stay."
        )


def _said(ask: Callable[[], Any]) -> Any:
    """An answer; None where nobody gives one."""
    try:
        return ask()
    except typer.Abort:
        return None


def _bar() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=screen)


def _told(bar: Progress) -> flashing.Tell:
    """A line for each step."""
    tasks: dict[str, TaskID] = {}

    def tell(what: str, done: int, of: int) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what, total=of or None)
        bar.update(tasks[what], completed=done, total=of or None)

    return tell
