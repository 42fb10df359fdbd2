"""Speed and size: the last release's figures of `make bench`, each beside a peer or a bound of the same run."""

from __future__ import annotations

import json
from pathlib import Path

from mesosim.evidence.computing import figure
from mesosim.evidence.study import Account, Case, Figure, Grid, How, Plot, Row, Rows, Study, Tables
from mesosim.evidence.traceability import ROOT

RELEASE = Path("tests") / "bench" / "release.json"
"""What `make bench BENCH_RELEASE=1` leaves."""
TABLE = "speed-rounds"


def cases(quick: bool, seed: int) -> list[Case]:
    """One; nothing is played."""
    return [str(ROOT)]


def run(case: Case) -> Rows:
    """Read the release's figures; no rows where this is no checkout."""
    path = Path(case) / RELEASE
    if not path.is_file():
        return {}
    told = json.loads(path.read_text())
    rows: list[Row] = [
        {
            "figure": name,
            "against": one["against"],
            "better": one["better"],
            "unit": one["unit"],
            "round": number,
            "ours": ours,
            "theirs": theirs,
            "ratio": ours / theirs,
            "measured": told["date"],
            "machine": told["machine"],
        }
        for name, one in told["figures"].items()
        for number, (ours, theirs) in enumerate(one["rounds"], 1)
    ]
    return {TABLE: rows}


def account(tables: Tables) -> Account:
    """One table; whoever wants a limit finds it where it is judged."""
    rows = [_line(tables, number, str(name)) for number, name in enumerate(tables.distinct(TABLE, "figure"))]
    head = ["figure", "beside", "better", "rounds", "ours", "theirs", "unit", "ours by theirs"]
    said = "; ".join(f"{row['measured']}, {row['machine']}" for row in tables.rows(TABLE)[:1])
    return Account(
        [],
        [Grid("Speed and size, medians of rounds", head, rows)],
        [f"Measured: {said or 'not here, this is no checkout'}."],
    )


def _line(tables: Tables, number: int, name: str) -> list[Figure | str]:
    where = {"figure": name}
    first = tables.rows(TABLE, where)[0]

    def median(column: str) -> Figure:
        how = How("quantile", TABLE, column, where, {"q": 0.5})
        return figure(tables, f"speed.{number}.{column}", f"{name}: {column}, median", "", how, digits=4)

    rounds = figure(tables, f"speed.{number}.n", f"{name}: rounds", "", How("count", TABLE, "", where), digits=0)
    texts = [str(first[column]) for column in ("against", "better")]
    return [name, *texts, rounds, median("ours"), median("theirs"), str(first["unit"]), median("ratio")]


def plots(tables: Tables) -> list[Plot]:
    """None: this is told in a table."""
    return []


STUDY = Study(
    name="speed",
    title="Speed and size",
    question="How fast are codec, driver, firmware and simulator, and how large is the firmware?",
    method=(
        "make bench measures each by turns with a peer in the same run, so that a slow machine slows both, or counts "
        "it against a limit. These are the rounds that the last release kept (tests/bench/release.json); nothing is "
        "measured anew here. STOP's latency is counted: calls of the firmware's methods times 35 µs, what one takes "
        "on the board."
    ),
    cases=cases,
    run=run,
    account=account,
    plots=plots,
    is_of_checkout=True,
)
