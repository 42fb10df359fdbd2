"""Every fault on every Board call of every workload, and nothing but what is known."""

from __future__ import annotations

from collections.abc import Callable

from mesosim.lab.enumeration import lean, table
from mesosim.lab.enumeration.branches import Share, Tally
from mesosim.lab.enumeration.workloads import WORKLOADS
from tests.soak.parts import Soaked, soak
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
