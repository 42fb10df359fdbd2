"""A few seeds of the soak's random incidents, on every run; the soak runs thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.random_incidents import check


@pytest.mark.parametrize("seed", range(60))
def test_random_incident(seed: int, tmp_path: Path) -> None:
    print(check(seed, "cpython", tmp_path))


@pytest.mark.parametrize("seed", range(6))
def test_random_incident_on_micropython(seed: int, tmp_path: Path) -> None:
    print(check(seed, "micropython", tmp_path))
