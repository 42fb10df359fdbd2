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
flock = functools.cache(mutants.flock)


def some(part: str) -> str:
    """One mutant, or the sources as they are; what has found it."""
    found = mutants.find(None if part == HEALTHY else flock()[part])
    if part == HEALTHY and found:
        raise Wrong(f"{found} fails without any mistake")
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
