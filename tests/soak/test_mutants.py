"""Nine of ten small mistakes in the safety channel, the limits and the ledger are found; the rest are justified."""

from __future__ import annotations

import functools
from collections.abc import Callable

from tests.judges import mutants
from tests.soak.parts import Soaked, Wrong, soak
from tests.summary import TOLD

WEIGHT = 10
HEALTHY = "healthy"
SCORE_PERCENT = 90
LIKELY = 8
flock = functools.cache(mutants.flock)
killers: dict[str, list[str]] = {}
"""By function: the tests that have found its mutants, in this process, the latest first."""


def some(part: str) -> str:
    """One mutant, or the sources as they are; what has found it. One that is justified is not tried with all tests."""
    stages = mutants.STAGES[:-1] if part in mutants.justified() else mutants.STAGES
    beside = killers.setdefault(":".join(part.split(":")[:2]), [])
    found = mutants.find(None if part == HEALTHY else flock()[part], beside, stages)
    if part == HEALTHY and found:
        raise Wrong(f"{found} fails without any mistake")
    if "::" in found:
        beside[:] = [found, *(each for each in beside if each != found)][:LIKELY]
    return found


def test_mutants(until: float, judge: Callable[[Soaked], None], record_property: Callable[[str, object], None]) -> None:
    soaked = soak("mutants", [HEALTHY, *flock()], some, until)
    tried = {name: found for name, found in soaked.results.items() if name != HEALTHY}
    alive = [name for name, found in tried.items() if not found]
    score = 100 * (len(tried) - len(alive)) // max(1, len(tried))
    known = mutants.justified()
    record_property(TOLD, ["mutants", f"{len(tried)} of {len(flock())} tried, {score} % found", *sorted(alive)])
    assert [name for name in alive if name not in known] == []
    assert not tried or score >= SCORE_PERCENT
    judge(soaked)
    assert sorted(known) == sorted(alive), "found by now, or gone"
