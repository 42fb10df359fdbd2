"""More than a million states of host, line and firmware, in orders drawn by seeds."""

from __future__ import annotations

from collections.abc import Callable

from tests.exploration import scale
from tests.exploration.explore import Exploration
from tests.exploration.test_exploration import BUDGETS, explore
from tests.soak.parts import Soaked, soak

WEIGHT = 2
STATES = 100_000
"""Of each budget and seed."""
SEEDS = range(1, 5)


def search(part: str) -> str:
    """One budget in the order of one seed."""
    name, _, seed = part.rpartition(" ")
    with scale.small():
        return explore(name, Exploration(BUDGETS[name][0]), STATES, int(seed))[1]


def test_a_million_states(until: float, judge: Callable[[Soaked], None]) -> None:
    soaked = soak("exploration", (f"{name} {seed}" for seed in SEEDS for name in BUDGETS), search, until)
    print(*soaked.results.values(), sep="\n")
    judge(soaked)
