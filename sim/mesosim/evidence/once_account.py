"""What the study of doses given once comes to."""

from __future__ import annotations

from mesosim.evidence.computing import figure
from mesosim.evidence.study import Account, Figure, Grid, How, Tables, Verdict, Where
from mesosim.lab.frames import KINDS

SCHEDULES, DOSES = "once-schedules", "once-doses"
SHOWN = 3


def account(tables: Tables) -> Account:
    """Lines of acceptance and tables."""
    return Account(
        verdicts=[
            _none(tables, DOSES, "double", "No dose is given twice"),
            _none(tables, DOSES, "unresolved", "No dose is left unknown once a host has asked again"),
            _all(tables),
        ],
        grids=[_counts(tables), _bounds(tables), _faults(tables), _told(tables)],
        notes=[
            "The bounds are those of schedules as they are drawn here, one by one, with a fault in nearly all of them. "
            "They say nothing of how often a treatment meets a fault.",
        ],
    )


def _sum(
    tables: Tables, id: str, label: str, table: str, column: str, where: Where, most: float | None = None
) -> Figure:
    how = How("sum", table, column, where)
    return figure(tables, f"once.{id}", label, "", how, digits=0, high=most)


def _count(tables: Tables, id: str, label: str, table: str, where: Where) -> Figure:
    return figure(tables, f"once.{id}", label, "", How("count", table, "", where), digits=0)


def _none(tables: Tables, table: str, column: str, text: str) -> Verdict:
    own = _sum(tables, column, f"doses {column}", table, column, {}, 0)
    bad = tables.rows(table, {column: 1})
    named = "; ".join(
        f"{row['what']} of {row['asked']}, said {row['said']}, moved {row['motions']}: {row['message']} {row['fault']}"
        for row in bad[:SHOWN]
    )
    return Verdict(text, [own, _tried(tables)], f"{len(bad)} of them: {named}." if bad else "no dose was given.")


def _tried(tables: Tables) -> Figure:
    return figure(tables, "once.doses", "doses, primes and runs", "", How("count", DOSES), digits=0, low=1)


def _all(tables: Tables) -> Verdict:
    holds = figure(
        tables,
        "once.holds",
        "schedules in which everything holds",
        "%",
        How("share", SCHEDULES, "holds", {}, {"scale": 100}),
        digits=2,
        low=100,
    )
    bad = tables.rows(SCHEDULES, {"holds": 0})
    named = "; ".join(f"{row['message']} {row['fault']}, seed {row['seed']}: {row['wrong']}" for row in bad[:SHOWN])
    return Verdict(
        "In every schedule what was given lies within what is said of it, the ledger's sums hold, and nothing moves "
        "when a host opens the device",
        [holds],
        f"{len(bad)} schedules: {named}." if bad else "no schedule was played.",
    )


def _counts(tables: Tables) -> Grid:
    rows: list[list[Figure | str]] = [
        ["schedules", _count(tables, "schedules", "schedules", SCHEDULES, {})],
        ["faults that came about", _sum(tables, "faults", "faults", SCHEDULES, "faults", {})],
        ["of them within a dose", _sum(tables, "in_dose", "faults within a dose", SCHEDULES, "in_dose", {})],
        ["doses, primes and runs", _tried(tables)],
        ["given twice", _sum(tables, "double", "doses double", DOSES, "double", {}, 0)],
        ["left unknown", _sum(tables, "unresolved", "doses unresolved", DOSES, "unresolved", {}, 0)],
    ]
    return Grid("What was tried, and what came of it", ["", "count"], rows)


def _bounds(tables: Tables) -> Grid:
    rows: list[list[Figure | str]] = []
    for what, end, where in (("schedules", "all", {}), ("schedules with a fault within a dose", "hit", {"hit": 1})):
        cells = [_count(tables, f"bounds.{end}", what, SCHEDULES, where)]
        for column, label in (("double", "given twice"), ("unresolved", "left unknown")):
            how = How("share_most", SCHEDULES, column, where, {"scale": 100})
            said = f"{what} with a dose {label}, at most"
            cells.append(figure(tables, f"once.{column}.most.{end}", said, "%", how, digits=4))
        rows.append([what, *cells])
    head = ["of", "n", "with a dose given twice, at most %", "left unknown, at most %"]
    return Grid("Upper bounds of shares of schedules, one-sided 95 %", head, rows)


def _faults(tables: Tables) -> Grid:
    rows: list[list[Figure | str]] = []
    for kind in KINDS:
        here: Where = {"fault": kind}
        rows.append(
            [
                kind,
                _count(tables, f"{kind}.schedules", f"schedules with {kind}", SCHEDULES, here),
                _count(tables, f"{kind}.doses", f"doses in them, {kind}", DOSES, here),
                _sum(tables, f"{kind}.double", f"doses double, {kind}", DOSES, "double", here, 0),
                _sum(tables, f"{kind}.unresolved", f"doses unresolved, {kind}", DOSES, "unresolved", here, 0),
            ]
        )
    return Grid("By the fault that was put in first", ["fault", "schedules", "doses", "twice", "unknown"], rows)


def _told(tables: Tables) -> Grid:
    """What the journal says at the end, by what it is about."""
    rows: list[list[Figure | str]] = []
    whats = ("dose", "prime", "perfusion", "run")
    for said in ("Delivered", "NotDelivered", "Unknown", "nothing"):
        cells = [
            _count(tables, f"{what}.{said}", f"{what}: {said}", DOSES, {"what": what, "said": said}) for what in whats
        ]
        name = {"Unknown": "within bounds, cut short by a restart", "nothing": "nothing"}.get(said, said)
        rows.append([name, *cells])
    return Grid("What the host's journal says of them at the end", ["", *(f"{what}s" for what in whats)], rows)
