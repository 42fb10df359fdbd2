"""`mesoinjector plan ...`: what can be said of a plan or a session without a device."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mesoinjector import estimating, plan_schema, sessions
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson
from mesoinjector.journal import Journal
from mesoinjector.plans import FractionalPlan

app: typer.Typer = typer.Typer(
    no_args_is_help=True, help="Check plans and sessions, and estimate them. Needs no device."
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="Session or plan in TOML; see examples/plans.")]


class What(StrEnum):
    """What there is a schema of."""

    PLAN = "plan"
    SESSION = "session"


@app.command()
def check(
    file: File,
    journal: Annotated[
        Path | None, typer.Option(help="Judge a session by this journal as well: test dose, last treatment.")
    ] = None,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Judge a session as of this day; else today.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say every fault of a plan, or of a session and its plan, with the allowed range. Exit code 2 if there is one."""
    session, plan = sessions.read(file)
    warnings: list[str] = []
    if session is not None:
        today = day.date() if day else date.today()
        book = Journal(journal) if journal else None
        warnings = sessions.check(session, plan, book, today)
        if book:
            book.close()
    for warning in warnings:
        screen.print(f"Warning: {warning}", soft_wrap=True)
    amount = f"{plan.strokes:,} punctures" if isinstance(plan, FractionalPlan) else f"{plan.points} points"
    facts = {"file": str(file), "plan": plan.name, "session": session is not None, "warnings": warnings}
    print(json.dumps(facts) if as_json else f"{file}: {plan.name}: {amount}, allowed")


@app.command()
def estimate(file: File, as_json: AsJson = False) -> None:
    """Say how long a plan takes and how much it gives. A dry run: nothing is sent, no device is needed."""
    _, plan = sessions.read(file)
    found = estimating.estimate(plan)
    facts = {**asdict(found), "device_s": found.device_s}
    if as_json:
        print(json.dumps({name: round(value, 3) for name, value in facts.items()}))
        return
    rows = {
        "priming, at most": f"{found.prime_s:.1f} s, {found.prime_nl / 1e6:g} ml",
        "device": f"{found.device_s:.1f} s",
        "  flow": f"{found.flow_s:.1f} s",
        "  pressure, pauses": f"{found.settle_s:.1f} s",
        "  punctures": f"{found.strokes_s:.1f} s",
        "  needle, depth stop": f"{found.travel_s:.1f} s",
        "hand, a guess": f"{found.hand_s:.0f} s, {estimating.HAND_S:g} s each of {found.points} times",
        "into skin": f"{found.volume_nl / 1e6:g} ml",
        "punctures": f"{found.strokes:,}",
    }
    for name, said in rows.items():
        print(f"{name:20} {said}")


@app.command()
def schema(what: Annotated[What, typer.Argument(help="Of a plan, or of a session.")] = What.PLAN) -> None:
    """Print the JSON Schema by which an editor completes the file.

    Save it beside your plans, and begin each of them with `#:schema plan.schema.json`.
    """
    print(plan_schema.text(what.value), end="")
