"""`mesoinjector run`: a session, or a plan where nobody is treated; paused, ended early, and gone on with."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mesoinjector import errors, history, sessions, shown
from mesoinjector.cli.giving import Yes, confirm
from mesoinjector.cli.keyboard import keys
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson, Device, JournalPath, OperatorKey
from mesoinjector.injector import Injector
from mesoinjector.record import TreatmentRecord
from mesoinjector.report import write_report
from mesoinjector.treatment import LEFT_OUT, Treatment
from mesoinjector.treatment import Progress as Step

ENDED_EARLY, UNKNOWN, INTERRUPTED = 4, 5, 130
"""Exit codes; see `mesoinjector.cli`."""


PAGE = b"<!DOCTYPE html>"
"""What a report begins with."""


def register(app: typer.Typer) -> None:
    """Add this command to `mesoinjector`."""
    app.command()(run)


def run(
    device: Device,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Session or plan in TOML; see examples/plans.")
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Go on with the device's last treatment where it stands, without FILE.")
    ] = False,
    skip: Annotated[
        list[int] | None, typer.Option(help="With --continue: leave out this point, where it is uncertain.")
    ] = None,
    bench: Annotated[bool, typer.Option(help="Nobody is treated: a plan alone, on a real device.")] = False,
    yes: Yes = False,
    journal: JournalPath = None,
    key: OperatorKey = None,
    record: Annotated[
        Path | None,
        typer.Option(help="New file for all that passes on the line; `decode` reads it, replay:FILE replays it."),
    ] = None,
    report: Annotated[Path, typer.Option(help="HTML report to write.")] = Path("treatment.html"),
    as_json: AsJson = False,
) -> None:
    """Execute a session or a plan point by point, journal every dose, and write a report.

    Each dose waits for the operator: contact with the skin, then the trigger. At a terminal p pauses before the next
    point, p again goes on, q ends before the next point; Ctrl-C sends STOP first, at once. What ended early, also by
    a crash, is gone on with by --continue: no point that was given is given again.
    """
    if (file is None) == (not go_on) or (skip and not go_on):
        raise errors.PlanError(
            "say either FILE, or --continue (with --skip, if need be). Next: mesoinjector run --help"
        )
    session, plan = sessions.read(file) if file else (None, None)
    check_report(report)
    with Injector.open(device, journal, key, record) as injector:
        for result in injector.resolved:
            screen.print(f"dose {result.dose_id} of before: {type(result).__name__}, {result.reason}")
        with bar() as (on_progress, shown_bar):
            if plan:
                treatment = Treatment(injector, plan, on_progress, session, bench)
            else:
                treatment = Treatment.left(injector, on_progress, skip or [])
            if treatment.past:
                screen.print(_described(treatment, treatment.past), soft_wrap=True)
            for warning in treatment.warnings:
                screen.print(f"Warning: {warning}", soft_wrap=True)
            shown_bar.stop()
            confirm(injector, f"give {treatment.record.plan_name}, {treatment.points_left} points or zones", yes)
            shown_bar.start()
            as_asked = _execute(treatment, shown_bar, report)
    _tell(treatment, as_asked, as_json)


def _execute(treatment: Treatment, shown_bar: Progress, report: Path) -> bool:
    try:
        with keys({"p": lambda: _toggle(treatment), "q": treatment.stop}) as are_read:
            if are_read:
                screen.print("p: pause, q: end, both before the next point; Ctrl-C: STOP")
            return treatment.run()
    except KeyboardInterrupt:
        shown_bar.stop()
        treatment.add_interrupted()
        screen.print(f"Stopped. {shown.delivered(treatment.record)}.", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    except errors.MesoError:
        shown_bar.stop()
        screen.print(f"{shown.delivered(treatment.record)}.", soft_wrap=True)
        raise
    finally:
        keep(treatment.record, report)


def _described(treatment: Treatment, past: history.Past) -> str:
    """Whose treatment is gone on with, so that nobody sits there instead of another."""
    whose = f"patient {past.about[history.PATIENT]}" if history.PATIENT in past.about else "nobody's"
    left = f"{treatment.points_left} of its points are left"
    return f"Going on with {treatment.record.plan_name}, {whose}, begun {past.utc:%Y-%m-%d %H:%M} UTC: {left}"


def _toggle(treatment: Treatment) -> None:
    if treatment.is_paused:
        treatment.resume()
    else:
        treatment.pause()


def _tell(treatment: Treatment, as_asked: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(shown.facts(treatment.record)))
    else:
        shown.treatment(treatment.record)
    if not as_asked:
        screen.print(f"Not all was given as asked: {treatment.ended_by}.")
        if not treatment.ended_by.startswith(LEFT_OUT):
            screen.print("Next: `mesoinjector run --continue`, with the same --device and --journal.")
        raise typer.Exit(UNKNOWN if _ended_unknown(treatment.record) else ENDED_EARLY)


# --- What is shown, here and by the demo -----------------------------------------------------------------


@contextmanager
def bar() -> Generator[tuple[Any, Progress]]:
    """A progress bar, and what moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as shown_bar:
        task = shown_bar.add_task("opening", total=None)

        def on_progress(step: Step) -> None:
            shown_bar.update(task, description=step.what, completed=step.done, total=step.total)

        yield on_progress, shown_bar


def check_report(path: Path) -> None:
    """Before anything is sent: the report can be written where it is wanted, and replaces nothing but a report.

    Raises `PlanError`.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is there and is no file")
        with path.open("a+b") as file:
            file.seek(0)
            if not PAGE.startswith(file.read(len(PAGE))):
                raise OSError("what is there is no report, and is left alone")
    except OSError as error:
        raise errors.PlanError(
            f"{path}: a report cannot be written there ({error.strerror or error}). Next: name a file in a "
            "folder that exists."
        ) from None


def keep(record: TreatmentRecord, path: Path) -> None:
    """Write the report. What was given is told though no disk takes it."""
    try:
        write_report(record, path)
    except OSError as error:
        said = f"{path}: the report could not be written ({error.strerror or error}). Next: free space on its disk"
        screen.print(f"{said}, then `mesoinjector report` writes it from the journal.", soft_wrap=True)
    else:
        screen.print(f"Report: {path}", soft_wrap=True)


def _ended_unknown(record: TreatmentRecord) -> bool:
    return "Unknown" in {dose.result for dose in record.doses} | {run.result for run in record.runs}
