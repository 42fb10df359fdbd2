"""More than a million states of host, line and firmware; `EXPLORE_STATES` is how many for each budget."""

from __future__ import annotations

import os

from tests.exploration import scale
from tests.exploration.explore import Exploration
from tests.exploration.test_exploration import BUDGETS, SEED, explore

DEFAULT = "300000"


def test_a_million_states() -> None:
    most = int(os.environ.get("EXPLORE_STATES", DEFAULT))
    for name, (budget, _) in BUDGETS.items():
        with scale.small():
            explore(name, Exploration(budget), most, SEED)
