"""Thousands of random incidents; every failing seed is named."""

from __future__ import annotations

import collections
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.random_incidents import check
from tests.soak.parts import Soaked, Wrong, soak

WEIGHT = 2
SEEDS = range(1000, 5000)
A_PART = 50


def some(part: str) -> dict[str, int]:
    """Run the seeds of a part; how often each incident came."""
    seen: collections.Counter[str] = collections.Counter()
    wrong = []
    first = int(part)
    for seed in range(first, first + A_PART):
        with tempfile.TemporaryDirectory() as folder:
            try:
                seen[check(seed, "cpython", Path(folder)).split()[0]] += 1
            except AssertionError as error:
                wrong.append(f"seed {seed}: {str(error).splitlines()[0]}")
    if wrong:
        raise Wrong("; ".join(wrong))
    return seen


def test_random_incidents(until: float, judge: Callable[[Soaked], None]) -> None:
    soaked = soak("incidents", map(str, range(SEEDS.start, SEEDS.stop, A_PART)), some, until)
    seen: collections.Counter[str] = collections.Counter()
    for result in soaked.results.values():
        seen.update(result)
    print(f"{seen.total()} seeds of {SEEDS}, by incident", dict(sorted(seen.items())))
    judge(soaked)
