"""Thousands of random incidents; every failing seed is named. `SOAK_SEEDS=A:B` chooses them."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.random_incidents import INCIDENTS, check

DEFAULT = "1000:5000"


def one(seed: int) -> tuple[int, str, str]:
    """A seed, the incident's name, and what was wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return seed, check(seed, "cpython", Path(folder)).split()[0], ""
        except AssertionError as error:
            return seed, "", str(error).splitlines()[0]


def test_random_incidents() -> None:
    first, last = (int(part) for part in os.environ.get("SOAK_SEEDS", DEFAULT).split(":"))
    seen = dict.fromkeys(INCIDENTS, 0)
    failed = []
    with ProcessPoolExecutor() as pool:
        for i, (seed, incident, wrong) in enumerate(pool.map(one, range(first, last), chunksize=20), 1):
            if wrong:
                failed.append((seed, wrong))
                print(f"seed {seed}: {wrong}")
            else:
                seen[incident] += 1
            if i % 500 == 0:
                print(f"{i} of {last - first} seeds, {len(failed)} failed", flush=True)
    print("seeds", f"{first}:{last}", "by incident", seen)
    assert not failed
