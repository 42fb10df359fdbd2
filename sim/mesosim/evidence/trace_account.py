"""What traceability comes to: counts, lines of acceptance, the tables of hazards, threats and residual risks."""

from __future__ import annotations

from collections.abc import Sequence

from mesosim.evidence.computing import figure
from mesosim.evidence.study import Account, Figure, Grid, How, Row, Tables, Value, Verdict, Where

HAZARDS, CONTROLS, ITEMS, TESTS = "trace-hazards", "trace-controls", "trace-items", "trace-tests"
RESIDUAL, THREATS, PARTS, RUN = "trace-residual", "trace-threats", "trace-components", "trace-run"
STATES = ("met", "partly")
"""Of a risk control that is there."""
RESULTS = ("failed", "not run", "skipped", "passed")
"""Worst first."""
KINDS = {
    "S": "spoofing",
    "T": "tampering",
    "R": "repudiation",
    "I": "disclosure",
    "D": "denial of service",
    "E": "elevation of privilege",
}


def worst(results: Sequence[str]) -> str:
    """The worst of some results."""
    return min(results, key=RESULTS.index)


def account(tables: Tables) -> Account:
    """Lines of acceptance and tables."""
    hazards = _count(tables, "hazards", "hazards", HAZARDS, low=1)
    items = _share(tables, "items", "software items named that are there", ITEMS, "exists")
    implemented = _share(tables, "implemented", "risk controls with code", CONTROLS, "implemented")
    tested = figure(
        tables, "trace.tested", "least tests of a risk control", "", How("min", CONTROLS, "tests"), digits=0, low=1
    )
    answered = _share(tables, "answered", "threats with tests, or a reason why not", THREATS, "answered")
    verified = _share(tables, "verified", "tests whose last result is passed", TESTS, "passed")
    threats = _share(tables, "threats.passed", "threats whose tests have passed, or have none", THREATS, "passed")
    per_hazard = [_hazard(tables, row) for row in tables.rows(HAZARDS)]
    controls = [row[2] for row in per_hazard if isinstance(row[2], Figure)]
    parts = [_count(tables, f"parts.{bill}", f"components of {bill}", PARTS, {"bill": bill}, 1) for bill in BILLS]
    nowhere = (
        ""
        if tables.rows(HAZARDS)
        else "tests/requirements.toml was not read: this is no checkout, or the case broke off."
    )
    return Account(
        verdicts=[
            Verdict(
                "Every hazard has a risk control, met or met in part",
                [hazards, *controls],
                nowhere or _without(per_hazard),
            ),
            Verdict(
                "Every risk control names code that is there and has a test",
                [implemented, items, tested],
                nowhere or _missing(tables),
            ),
            Verdict("The last result of every such test is passed", [verified], nowhere or _unverified(tables)),
            Verdict(
                "Every kind of threat to every interface is tied to tests, or it is said why not",
                [_count(tables, "threats", "threats", THREATS, low=1), answered],
                nowhere or "a threat names a test that is not there, or neither test nor reason.",
            ),
            Verdict("The last result of every threat's tests is passed", [threats], nowhere or _unanswered(tables)),
            Verdict("Host and firmware have a bill of materials", parts, nowhere or "one is empty."),
        ],
        grids=[
            Grid("Risk controls by hazard (ISO 14971)", ["id", "hazard", "controls", "met", "in part"], per_hazard),
            Grid(
                "Risk controls: what they are, and how far (IEC 62304, ISO 14971)",
                ["requirement", "hazards", "control", "state", "tests", "passed", "missing"],
                [_control(tables, name) for name in tables.distinct(CONTROLS, "requirement")],
            ),
            Grid(
                "Threats by interface (STRIDE)",
                ["interface", "kind", "threat", "control", "what remains", "last result of its tests"],
                [_threat(row) for row in tables.rows(THREATS)],
            ),
            Grid(
                "The run of the tests whose results are here",
                ["begun", "tests", "failures", "errors"],
                [_run_of_tests(tables, number, row) for number, row in enumerate(tables.rows(RUN))],
            ),
            Grid("Residual risks", ["what remains"], [[str(row["text"])] for row in tables.rows(RESIDUAL)]),
            Grid(
                "Bills of materials",
                ["of", "components", "file"],
                [[bill, part, f"sbom-{bill}.cdx.json"] for bill, part in zip(BILLS, parts, strict=True)],
            ),
        ],
    )


BILLS = ("host", "firmware")


def _count(
    tables: Tables, id: str, label: str, table: str, where: Where | None = None, low: float | None = None
) -> Figure:
    return figure(tables, f"trace.{id}", label, "", How("count", table, "", where or {}), digits=0, low=low)


def _share(tables: Tables, id: str, label: str, table: str, column: str) -> Figure:
    how = How("share", table, column, {}, {"scale": 100})
    return figure(tables, f"trace.{id}", label, "%", how, digits=1, low=100)


def _hazard(tables: Tables, row: Row) -> list[Figure | str]:
    name = str(row["hazard"])
    return [
        name,
        str(row["text"]),
        _count(
            tables, f"{name}.controls", f"risk controls of {name}", CONTROLS, {"hazard": name, "state": STATES}, low=1
        ),
        *(
            _count(tables, f"{name}.{state}", f"of {name}, {state}", CONTROLS, {"hazard": name, "state": state})
            for state in STATES
        ),
    ]


def _run_of_tests(tables: Tables, number: int, row: Row) -> list[Figure | str]:
    begun = row["timestamp"]
    return [
        str(begun),
        *(
            figure(
                tables,
                f"trace.run.{number}.{name}",
                f"{name}, {begun}",
                "",
                How("sum", RUN, name, {"timestamp": begun}),
                digits=0,
            )
            for name in ("tests", "failures", "errors")
        ),
    ]


def _control(tables: Tables, name: Value) -> list[Figure | str]:
    rows = tables.rows(CONTROLS, {"requirement": name})
    first = rows[0]
    where = {"requirement": name}
    return [
        str(name),
        ", ".join(str(row["hazard"]) for row in rows),
        str(first["control"]),
        str(first["state"]),
        _count(tables, f"{name}.tests", f"tests of {name}", TESTS, where),
        _count(tables, f"{name}.passed", f"of them passed, {name}", TESTS, {**where, "result": "passed"}),
        str(first["missing"]),
    ]


def _threat(row: Row) -> list[str]:
    kind = KINDS[str(row["stride"])]
    return [str(row["interface"]), kind, *(str(row[name]) for name in ("threat", "control", "open", "result"))]


def _without(rows: Sequence[Sequence[Figure | str]]) -> str:
    bare = [str(row[0]) for row in rows if isinstance(row[2], Figure) and not row[2].value]
    return f"without any: {', '.join(bare)}."


def _missing(tables: Tables) -> str:
    rows = [
        *tables.rows(ITEMS, {"exists": 0}),
        *tables.rows(CONTROLS, {"implemented": 0}),
        *tables.rows(CONTROLS, {"tests": 0}),
    ]
    return f"code or tests are missing of {', '.join(sorted({str(row['requirement']) for row in rows}))}."


def _unanswered(tables: Tables) -> str:
    rows = tables.rows(THREATS, {"passed": 0})
    said = [str(row["result"]) for row in rows]
    named = [f"{row['interface']}, {KINDS[str(row['stride'])]}" for row in rows if row["result"] == "failed"]
    counted = ", ".join(f"{said.count(word)} {word}" for word in RESULTS if word in said)
    return f"of {len(tables.rows(THREATS))} threats {counted}." + (f" Failed: {'; '.join(named)}." if named else "")


def _unverified(tables: Tables) -> str:
    said = [str(row["result"]) for row in tables.rows(TESTS, {"passed": 0})]
    counted = ", ".join(f"{said.count(word)} {word}" for word in RESULTS if word in said)
    failed = sorted({str(row["test"]) for row in tables.rows(TESTS, {"result": "failed"})})
    named = f" Failed: {', '.join(failed)}." if failed else ""
    return f"of {len(tables.rows(TESTS))} ties {counted}; make test leaves results in build/tests.xml.{named}"
