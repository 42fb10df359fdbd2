"""Gathers the figures of a run, prints them as one table at its end, and keeps them as JSON.

`BENCH_RELEASE=1` also writes `release.json`, which later runs are compared with.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench import figures as figures_
from tests.bench.figures import Figures

HERE = Path(__file__).parent
RELEASE = HERE / "release.json"
LAST = HERE.parents[1] / "build" / "bench.json"
WIDTH = 180
KEPT = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    """Before anything of this run loads the machine."""
    config.stash[KEPT] = Figures()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Where a bench leaves what it has measured."""
    return pytestconfig.stash[KEPT]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Timings are no tests: what is worse is red and said, and the run ends as its tests did."""
    now = config.stash[KEPT]
    if not now.found:
        return
    now.write(LAST)
    then = figures_.read(RELEASE) if RELEASE.exists() else None
    lines = figures_.compare(now, then or Figures(found={}))
    console = Console(width=None if Console().is_terminal else WIDTH)
    console.print()
    console.print(figures_.table(lines))
    for what, each in (("now", now), ("release", then)):
        told = f"{each.date}, {each.machine}, load {each.load:.2f} per core before it" if each else "none yet"
        console.print(f"{what}: {told}", highlight=False, markup=False)
    console.print(figures_.summary(lines), highlight=False, markup=False)
    console.print(f"kept in {LAST.relative_to(HERE.parents[1])}", highlight=False, markup=False)
    if os.environ.get("BENCH_RELEASE"):
        skipped = terminalreporter.stats.get("skipped")
        if exitstatus or skipped:
            console.print("release.json is as it was: a bench failed or was skipped. Next: mend it and run again")
        else:
            now.write(RELEASE)
            console.print(f"the release's figures are now these: {RELEASE.relative_to(HERE.parents[1])}")
