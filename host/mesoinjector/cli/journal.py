"""`mesoinjector journal`: what a journal says, whether it is as it was written, and its records for other programs.

Reads only, also while another program gives doses, and on a disk that cannot be written.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mesoinjector import errors, export
from mesoinjector.cli.service import AsJson
from mesoinjector.export import lines
from mesoinjector.export.lines import DoseLine, TreatmentLine
from mesoinjector.journal import Journal
from mesoinjector.plans import name_in

app: typer.Typer = typer.Typer(
    no_args_is_help=True, help="Read a journal, check it, and write its records for other programs."
)
JournalPath = Annotated[Path | None, typer.Option("--journal", help="Journal file; by default this user's own.")]


def register(root: typer.Typer) -> None:
    """Add these commands to `mesoinjector`."""
    root.add_typer(app, name="journal")


@app.command("list")
def list_doses(
    journal: JournalPath = None,
    last: Annotated[int, typer.Option(min=1, help="How many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List doses, oldest first: what was asked, what was delivered, how it ended."""
    with _opened(journal) as book:
        account = lines.read(book)
        doses = account.doses[-last:]
        if as_json:
            print(json.dumps({"rows": account.rows, "doses": [dataclasses.asdict(dose) for dose in doses]}))
        else:
            _print(doses)
        book.verify()


@app.command("treatments")
def list_treatments(journal: JournalPath = None, as_json: AsJson = False) -> None:
    """List treatments, oldest first: number, plan, patient's reference, how it ended. `report` takes the number."""
    with _opened(journal) as book:
        treatments = lines.read(book).treatments
        facts = [_facts(each) for each in treatments]
        if as_json:
            print(json.dumps({"treatments": facts}))
        elif facts:
            table = Table(*facts[0], box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
            for each in facts:
                table.add_row(*("-" if value is None else str(value) for value in each.values()))
            _console().print(table)
        else:
            print("no treatments")
        book.verify()


def _facts(treatment: TreatmentLine) -> dict[str, str | int | None]:
    """One treatment in a line."""
    return {
        "number": treatment.treatment,
        "began": treatment.began_utc[:19],
        "device": treatment.device,
        "patient": treatment.patient_ref,
        "plan": name_in(treatment.plan) or None,
        "doses": len(treatment.doses),
        "ended": treatment.ended_by,
    }


@app.command()
def show(
    dose_id: Annotated[str, typer.Argument(help="As `journal list` shows it, or as many digits as name one dose.")],
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> None:
    """Say all that is known of one dose, and its rows."""
    with _opened(journal) as book:
        account = lines.read(book)
        found = [dose for dose in account.doses if dose.dose_id.startswith(dose_id)]
        if len(found) != 1:
            raise errors.PlanError(f"{dose_id}: {len(found)} doses in {book.path} begin so. Next: `journal list`.")
        rows = [row for row in book.entries() if row[4] == found[0].dose_id]
        facts = dataclasses.asdict(found[0])
        if as_json:
            print(json.dumps({**facts, "rows": [{"id": row[0], "utc": row[1], "kind": row[2]} for row in rows]}))
        else:
            for name, value in facts.items():
                print(f"{name.replace('_', ' '):24} {'-' if value is None else value}")
            for row in rows:
                print(f"row {row[0]:<20} {row[1]} {row[2]}")
        book.verify()


@app.command()
def verify(
    journal: JournalPath = None,
    head: Annotated[str, typer.Option(help="A head that was printed before: it must still be in the chain.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check every row against the chain. Keep the head that is printed elsewhere: it proves the journal up to it."""
    with _opened(journal) as book:
        newest = book.verify().hex()
        chain = [row.chain.hex() for row in book.rows()]
        if head and head.lower() not in chain:
            raise errors.JournalAltered(
                f"journal {book.path}: no row has the head {head}: it was written anew. Next: keep it as it is, and "
                "look for a copy of when that head was printed."
            )
        if as_json:
            print(json.dumps({"journal": str(book.path), "rows": len(chain), "head": newest}))
        else:
            print(f"{len(chain)} rows are as they were written; head {newest}")


@app.command("export")
def export_doses(
    out: Annotated[Path, typer.Option(help="File to write; it must be new.")],
    as_format: Annotated[export.Format, typer.Option("--format", help="What to write.")],
    journal: JournalPath = None,
    as_json: AsJson = False,
) -> None:
    """Write all doses into a new file. Parquet and FHIR need `pip install 'mesoinjector[parquet,fhir]'`."""
    with _opened(journal) as book:
        count = export.write(book, as_format, out)
    print(json.dumps({"out": str(out), "doses": count}) if as_json else f"{count} doses in {out}")


@contextmanager
def _opened(journal: Path | None) -> Generator[Journal]:
    book = Journal(journal, read_only=True)
    try:
        yield book
    finally:
        book.close()


def _print(doses: list[DoseLine]) -> None:
    if not doses:
        print("no doses")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("dose", "committed, UTC", "kind", "zone", "asked, ul", "delivered, ul", "how it ended"):
        table.add_column(column, justify="right" if column.endswith("ul") else "left", no_wrap=True)
    for dose in doses:
        if dose.delivered_nl is not None and dose.exact:
            amount = f"{dose.delivered_nl / 1000:.1f}"
        else:
            amount = f"{dose.lower_nl / 1000:.1f}..{dose.upper_nl / 1000:.1f}"
        when = (dose.committed_utc or "-")[:19].replace("T", " ")
        ended = f"{dose.result}, {dose.reason}" + (", settled" if dose.settled_because else "")
        table.add_row(dose.dose_id, when, dose.kind, dose.zone, f"{dose.asked_nl / 1000:.1f}", amount, ended)
    _console().print(table)


def _console() -> Console:
    """As wide as its lines, also where nobody looks."""
    return Console(width=max(Console().width, 120), markup=False)
