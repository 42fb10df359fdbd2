"""The committed tables: which kind of fault fits which Board call, and which findings are known.

`fits.toml` gives every cell of calls x kinds, a reason in each blank. `findings.toml` lists what the oracle is known to
find: a run must find exactly that, so that the list neither hides a new defect nor keeps a mended one.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any, NamedTuple

OPEN, UNDETECTABLE = "open", "undetectable"


class Finding(NamedTuple):
    """A rule that breaks when a call of a workload has a kind of fault."""

    workload: str
    call: str
    kind: str
    rule: str

    def __str__(self) -> str:
        return f"{self.workload}: {self.call} {self.kind}: {self.rule}"


class Known(NamedTuple):
    """Findings that are known, and why they stand."""

    findings: frozenset[Finding]
    state: str
    """OPEN: it can be found out, and will be; UNDETECTABLE: no software can see it with these sensors."""
    requirements: tuple[str, ...]
    reason: str


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files(__package__) / name).read_text())


def fits() -> dict[tuple[str, str], str]:
    """Of every (call, kind): "" if it fits, else the reason why not. ValueError if a cell is given twice."""
    cells: dict[tuple[str, str], str] = {}
    for row in _read("fits.toml")["row"]:
        for call in row["calls"]:
            for kind, reason in [*((kind, "") for kind in row["fits"]), *row.get("blank", {}).items()]:
                if (call, kind) in cells:
                    raise ValueError(f"fits.toml gives {call} {kind} twice")
                cells[call, kind] = reason
    return cells


def idle() -> dict[str, str]:
    """Calls that no workload makes, each with its reason."""
    return dict(_read("fits.toml")["idle"])


def figures() -> dict[tuple[str, str], list[int]]:
    """Figures of the faults that have some: the n-th call takes the n-th, over and over."""
    return {(call, kind): values for call, row in _read("fits.toml")["figures"].items() for kind, values in row.items()}


def known() -> list[Known]:
    """What is known, each entry the product of its workloads, calls, kinds and rules."""
    entries = []
    for row in _read("findings.toml").get("finding", []):
        found = frozenset(
            Finding(workload, call, kind, rule)
            for workload in row["workloads"]
            for call in row["calls"]
            for kind in row["kinds"]
            for rule in row["rules"]
        )
        entries.append(Known(found, row["state"], tuple(row["requirements"]), row["reason"]))
    return entries
