"""`mesoinjector report`: a treatment's report, from the journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mesoinjector import errors, history, recalling, shown
from mesoinjector.cli.run import check_report
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson, JournalPath
from mesoinjector.journal import Journal
from mesoinjector.report import write_report


def register(app: typer.Typer) -> None:
    """Add this command to `mesoinjector`."""
    app.command()(report)


def report(
    treatment: Annotated[
        int | None, typer.Argument(help="Its number, as `journal treatments` lists it; without, the newest.")
    ] = None,
    journal: JournalPath = None,
    out: Annotated[Path | None, typer.Option(help="HTML report to write; without, named by device and number.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a treatment's report once more, from the journal: amounts and how each dose ended. Needs no device.

    The course of pressure and single strokes are in the report that `run` wrote: no journal keeps them.
    """
    book = Journal(journal, read_only=True)
    try:
        book.verify()
        past = recalling.find(history.treatments(book), treatment)
        record = recalling.recall(past, book)
    finally:
        book.close()
    out = out or Path(f"treatment-{past.device}-{past.number}.html")
    check_report(out)
    try:
        write_report(record, out)
    except OSError as error:
        raise errors.ExportError(
            f"{out}: the report could not be written ({error.strerror or error}). Next: free space, or name another."
        ) from None
    if as_json:
        print(json.dumps({**shown.facts(record), "report": str(out)}))
    else:
        shown.treatment(record)
        for note in record.notes:
            screen.print(note, soft_wrap=True)
        screen.print(f"Report: {out}")
