"""A study without devices: a table of numbers, and a figure of every computation that there is."""

from __future__ import annotations

import random
from pathlib import Path

from mesosim.evidence import document, style
from mesosim.evidence.computing import COMPUTATIONS, figure
from mesosim.evidence.document import Document
from mesosim.evidence.running import COST, Played, Task, cost
from mesosim.evidence.study import Account, Case, Column, Grid, How, Plot, Row, Rows, Study, Tables, Verdict

TABLE = "small-numbers"
ROWS = 300
PARAMETERS = {
    "quantile": {"q": 0.999},
    "allan": {"m": 3, "period": 0.5},
    "window_min": {"width": 5, "asked": "asked", "group": "group", "scale": 100},
    "window_max": {"width": 5, "asked": "asked", "group": "group", "scale": 100},
}
LEVEL = {"content": 0.95, "confidence": 0.95}


def rows(n: int, seed: int) -> list[Row]:
    """Drawn numbers, in three groups."""
    draw = random.Random(seed)
    return [
        {"group": i % 3, "asked": 10, "given": given, "hit": int(draw.random() < 0.9), "error": 10 * (given - 10)}
        for i, given in enumerate(draw.gauss(10.0, 0.1) for _ in range(n))
    ]


def how(do: str) -> How:
    """Of the table above."""
    column = "" if do == "count" else "hit" if do.startswith("share") else "given"
    return How(do, TABLE, column, {"group": [0, 1]}, PARAMETERS.get(do, LEVEL))


def account(tables: Tables) -> Account:
    """Every computation once."""
    all_of_them = [figure(tables, f"small.{do}", do, "", how(do), digits=4) for do in COMPUTATIONS]
    mean = figure(tables, "small.judged", "mean", "", how("mean"), low=9.0, high=11.0)
    many = [figure(tables, f"small.many.{n}", "mean", "", how("mean"), low=9.0) for n in range(6)]
    far = figure(tables, "small.far", "mean", "", how("mean"), high=9.0)
    return Account(
        [Verdict("The mean lies within 9 and 11", [mean, *many]), Verdict("It is below 9", [far], "it is ten.")],
        [Grid("All", ["what", "value"], [[one.label, one] for one in all_of_them])],
    )


def plots(tables: Tables) -> list[Plot]:
    """One."""
    figure, (axes,) = style.sheet(2)
    axes.plot(tables.column(TABLE, "given"), "o")
    return [Plot("given", "What was given.", figure)]


def cases(quick: bool, seed: int) -> list[Case]:
    """Two."""
    return [seed, seed + 1]


def run(case: Case) -> Rows:
    """Some numbers; none of seed 13."""
    if case == 13:
        raise ValueError("no numbers of seed 13")
    return {TABLE: rows(ROWS, case)}


ERROR = Column(TABLE, "error", "error", ("given", "asked"))
STUDY = Study("small", "Small", "Is it so?", "By drawing.", cases, run, account, plots, columns=[ERROR])


def write(folder: Path) -> Document:
    """The document of this study."""
    played = Played({}, 0.25, "")
    tables = Tables({TABLE: rows(ROWS, 1), COST: [cost(Task("small", 0, 1, ""), played)]})
    made = document.make([STUDY], tables, {"form": "small"})
    document.write(made, tables, folder)
    return made
