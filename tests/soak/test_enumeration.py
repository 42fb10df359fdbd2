"""Every fault on every Board call of every workload, and nothing but what is known; every cut of power, two deep."""

from __future__ import annotations

from collections.abc import Callable

from mesosim.lab.enumeration import cuts, lean, table
from mesosim.lab.enumeration.branches import Share, Tally
from mesosim.lab.enumeration.workloads import WORKLOADS
from tests.soak.parts import Soaked, Wrong, soak
from tests.summary import TOLD

WEIGHT = 4
PARTS = 12
"""Pieces of a workload."""


def some(part: str) -> str:
    """A piece of a workload: its tally."""
    name, piece = part.split()
    return lean.run(name, 1, Share(1.0, 0, int(piece), PARTS)).dumps()


def test_every_fault_at_every_call(
    until: float, judge: Callable[[Soaked], None], record_property: Callable[[str, object], None]
) -> None:
    soaked = soak("enumeration", [f"{w.name} {piece}" for w in WORKLOADS for piece in range(PARTS)], some, until)
    tally = Tally()
    for line in soaked.results.values():
        tally.add(Tally.loads(line))
    record_property(TOLD, ["enumeration: Board call x kind of fault, branches/broken", *lean.matrix(tally)])
    assert lean.unlisted(tally) == []
    judge(soaked)
    assert lean.stale(tally) == []
    made = {call for call, _ in tally.branches}
    assert made.isdisjoint(table.idle())


CUT_TWICE = ("fractional", "interrupted")
"""Small enough for two cuts, each torn at every byte; the others are cut once."""


def cut(part: str) -> int:
    """A piece of a workload's cuts: how many branches."""
    name, piece = part.split()
    branches, found = cuts.run(name, 1, 2 if name in CUT_TWICE else 1, True, int(piece), PARTS)
    if found:
        raise Wrong("; ".join(found))
    return branches


def test_every_cut_of_power(
    until: float, judge: Callable[[Soaked], None], record_property: Callable[[str, object], None]
) -> None:
    soaked = soak("cuts", [f"{w.name} {piece}" for w in cuts.WORKLOADS for piece in range(PARTS)], cut, until)
    record_property(
        TOLD,
        [
            "enumeration: power cuts",
            f"{sum(soaked.results.values()):,} cuts, {len(soaked.failed)} parts with a finding",
        ],
    )
    judge(soaked)
