"""The seed of a run, for tests that draw their own schedules."""

from __future__ import annotations

import random

import pytest


@pytest.fixture
def run_seed(request: pytest.FixtureRequest) -> int:
    """What `make test SEED=` gives; a random one otherwise. Whoever uses it prints it."""
    given = request.config.getoption("--hypothesis-seed")
    return int(given) if str(given).isdigit() else random.SystemRandom().randrange(1 << 30)
