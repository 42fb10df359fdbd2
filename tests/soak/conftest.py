"""Time for the soaks: `SOAK_MINUTES` in all, shared by those that run. None of them takes longer than its share
but for the parts then under way, and what one leaves goes to those behind it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from tests.soak.parts import Soaked

DEFAULT_MINUTES = "36"
STARTED = time.monotonic()


def weight(item: pytest.Item) -> float:
    """The share of a test: its module's WEIGHT."""
    return float(getattr(getattr(item, "module", None), "WEIGHT", 1))


@pytest.fixture
def until(request: pytest.FixtureRequest) -> float:
    """When this soak's time is over, by `time.monotonic()`."""
    end = STARTED + 60 * float(os.environ.get("SOAK_MINUTES", DEFAULT_MINUTES))
    items = request.session.items
    behind = items[items.index(request.node) :]
    now = time.monotonic()
    return now + (end - now) * weight(request.node) / sum(weight(item) for item in behind)


@pytest.fixture
def judge() -> Callable[[Soaked], None]:
    """Fails if a part has, and says so if parts are left: that is no pass."""

    def judged(soaked: Soaked) -> None:
        assert not soaked.failed
        if soaked.left:
            done = len(soaked.results)
            pytest.skip(f"{done} of {done + soaked.left} parts done, none failed; run it again and it goes on")

    return judged
