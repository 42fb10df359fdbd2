"""The document and what lies beside it: evidence.html, evidence.pdf, data/*.csv, figures.json, recompute.py.

Both forms show the same `Chapter`s. In the HTML every number is a `<data class="figure">` with its whole value.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mesoinjector.report.drawing import svg
from mesosim.evidence import pages, style
from mesosim.evidence.computing import figure
from mesosim.evidence.running import COST
from mesosim.evidence.study import (
    FEW,
    Account,
    Column,
    Figure,
    Grid,
    How,
    Plot,
    Study,
    Tables,
    Value,
    Verdict,
    number,
)

DATA = "data"
CORE_HOURS = 1 / 3600
SHOWN = 3
"""Cases that broke off, of which the document says why."""
WHOLE = "Every case is played to its end"


@dataclass(frozen=True, slots=True)
class Chapter:
    """One study, ready to be shown."""

    name: str
    title: str
    question: str
    method: str
    account: Account
    plots: Sequence[Plot]
    tables: Sequence[str]
    """Its CSV files."""
    files: Callable[[], dict[str, str]] = dict
    """What else lies beside the document."""
    columns: Sequence[Column] = ()
    """What follows within the rows of its tables."""


@dataclass(frozen=True, slots=True)
class Document:
    """All that is shown."""

    facts: dict[str, str]
    """What was run where; by its label."""
    chapters: Sequence[Chapter]

    def verdicts(self) -> list[tuple[Chapter, Verdict]]:
        """Every line of acceptance, in order."""
        return [(chapter, verdict) for chapter in self.chapters for verdict in chapter.account.verdicts]

    def figures(self) -> list[tuple[Chapter, Figure]]:
        """Every number, in order. Raises ValueError if two have one id."""
        found = [(chapter, one) for chapter in self.chapters for one in chapter.account.figures()]
        ids = [one.id for _, one in found]
        if twice := {name for name in ids if ids.count(name) > 1}:
            raise ValueError(f"figures with the same id: {', '.join(sorted(twice))}")
        return found


def make(studies: Sequence[Study], tables: Tables, facts: dict[str, str]) -> Document:
    """Account for all tables."""
    chapters = []
    with style.drawing():
        for study in studies:
            own = [name for name in tables if name.partition("-")[0] == study.name]
            plots = study.plots(tables)
            chapters.append(
                Chapter(
                    study.name,
                    study.title,
                    study.question,
                    study.method,
                    account(study, tables),
                    plots,
                    own,
                    study.files,
                    study.columns,
                )
            )
    return Document(facts, [*chapters, _cost(tables, studies)])


def account(study: Study, tables: Tables) -> Account:
    """What a study comes to, and whether each of its cases was played to its end: one that was not has no rows."""
    own = study.account(tables)
    where: dict[str, Value] = {"study": study.name}
    label = "cases that broke off"
    broken = figure(tables, f"{study.name}.broken", label, "", How("sum", COST, "broken", where), digits=0, high=0)
    causes = [str(row["cause"]) for row in tables.rows(COST, where | {"broken": 1})]
    more = f" And {len(causes) - SHOWN} more, in {DATA}/{COST}.csv." if len(causes) > SHOWN else ""
    whole = Verdict(WHOLE, [broken], " ".join(causes[:SHOWN]) + more)
    return replace(own, verdicts=[*(_explained(one) for one in own.verdicts), whole])


def _explained(verdict: Verdict) -> Verdict:
    """With a cause also where its study knows none: there is nothing to judge, or a number says it all."""
    if verdict.passed:
        return verdict
    lacking = [one.label for one in verdict.figures if one.value is None]
    off = [
        f"{one.label}: {number(one)} {one.unit}".rstrip()
        for one in verdict.figures
        if one.value is not None and not one.passed
    ]
    causes = [verdict.cause or f"{'; '.join(off)}."] if off else []
    if lacking or not verdict.figures:
        more = f"; and {len(lacking) - FEW} more" if len(lacking) > FEW else ""
        said = "There is too little to judge" if causes else "there is too little to judge"
        causes.append(f"{said}{': ' if lacking else ''}{'; '.join(lacking[:FEW])}{more}.")
    return verdict._replace(cause=" ".join(causes))


def write(document: Document, tables: Tables, folder: Path) -> None:
    """Everything into a folder, which is made. Raises OSError."""
    (folder / DATA).mkdir(parents=True, exist_ok=True)
    digests = {name: _csv(folder / DATA / f"{name}.csv", rows) for name, rows in tables.items()}
    for chapter in document.chapters:
        for name, text in chapter.files().items():
            (folder / name).write_text(text, encoding="utf-8")
    said = {
        "facts": document.facts,
        "tables": digests,
        "columns": [one._asdict() for chapter in document.chapters for one in chapter.columns if one.table in digests],
        "figures": [_figure(chapter, one) for chapter, one in document.figures()],
        "verdicts": [
            {
                "study": chapter.name,
                "text": verdict.text,
                "figures": [one.id for one in verdict.figures],
                "passed": verdict.passed,
                "cause": "" if verdict.passed else verdict.cause,
            }
            for chapter, verdict in document.verdicts()
        ],
    }
    (folder / "figures.json").write_text(json.dumps(said, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    shutil.copyfile(Path(__file__).with_name("recompute.py"), folder / "recompute.py")
    with style.drawing():
        (folder / "evidence.html").write_text(_html(document), encoding="utf-8")
        pages.write(document, folder / "evidence.pdf")


def asked(one: Figure) -> str:
    """Its limits in words; "" if it has none."""
    low, high = (None if edge is None else f"{edge:,.10g}".replace("-", "−") for edge in (one.low, one.high))
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"at least {low}" if low is not None else f"at most {high}" if high is not None else ""


def _cost(tables: Tables, studies: Sequence[Study]) -> Chapter:
    rows: list[list[Figure | str]] = []
    for name in (*(study.name for study in studies), None):
        where = {} if name is None else {"study": name}
        label = name or "all studies"
        end = name or "all"
        rows.append(
            [
                label,
                figure(tables, f"cost.{end}.cases", f"cases of {label}", "", How("count", COST, "", where), digits=0),
                figure(tables, f"cost.{end}.s", f"cost of {label}", "s", How("sum", COST, "cpu_s", where), digits=1),
                figure(
                    tables,
                    f"cost.{end}.h",
                    f"cost of {label}",
                    "core-hours",
                    How("sum", COST, "cpu_s", where, {"scale": CORE_HOURS}),
                    digits=4,
                ),
            ]
        )
    grid = Grid("Processor time of the cases, measured in the workers", ["study", "cases", "core-s", "core-h"], rows)
    return Chapter(
        "cost",
        "What this run has cost",
        "How much computing does this evidence take?",
        "Each case's processor time is measured in its worker. The start of the workers and the making of this "
        "document come on top of it.",
        Account([], [grid]),
        [],
        [COST],
    )


def _csv(path: Path, rows: Sequence[dict[str, Any]]) -> str:
    """Its SHA-256."""
    with path.open("w", newline="", encoding="utf-8") as file:
        if rows:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _figure(chapter: Chapter, one: Figure) -> dict[str, Any]:
    how = asdict(one.how)
    how["where"] = {
        name: [some] if isinstance(some, int | float | str) else list(some) for name, some in one.how.where.items()
    }
    return {
        "id": one.id,
        "study": chapter.name,
        "label": one.label,
        "value": one.value,
        "unit": one.unit,
        "digits": one.digits,
        "low": one.low,
        "high": one.high,
        "passed": one.passed,
        "how": how,
    }


def _html(document: Document) -> str:
    environment = Environment(
        loader=PackageLoader("mesosim.evidence", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, asked=asked)
    environment.tests["figure"] = lambda cell: isinstance(cell, Figure)
    return environment.get_template("evidence.html.j2").render(document=document, svg=svg)
