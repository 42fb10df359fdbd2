"""Every canary imports and passes the demo, and the core suite finds it in time, without knowing of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.canaries import canary
from tests.soak.parts import Soaked, Wrong, soak

WEIGHT = 6
HEALTHY = "healthy"


def fly(part: str) -> str:
    """One canary, or the firmware as it is; what has found it."""
    with tempfile.TemporaryDirectory() as folder:
        if part == HEALTHY:
            done = canary.core(canary.ROOT / "firmware")
            if done.returncode:
                raise Wrong(f"the core suite fails without any canary:\n{done.stdout[-2000:]}")
            return done.stdout.splitlines()[-1]
        planted = canary.plant(canary.read(canary.FOLDER / f"{part}.patch"), Path(folder))
        for what, run in (("import", canary.imports), ("the demo", canary.demo)):
            done = run(planted)
            if done.returncode:
                raise Wrong(f"{what} finds it already, so that it is no canary: {done.stderr[-500:]}")
        done = canary.core(planted)
        if done.returncode < 0:
            raise Wrong(f"the core suite takes longer than {canary.CORE_S} s of one core")
        found = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
        if done.returncode != 1 or not found:
            raise Wrong(f"the core suite does not find it: {done.stdout.splitlines()[-1]}")
        return found[0].split(" - ")[0]


def test_canaries(until: float, judge: Callable[[Soaked], None]) -> None:
    soaked = soak("canaries", [HEALTHY, *(one.name for one in canary.flock())], fly, until)
    for name, found in soaked.results.items():
        print(f"{name}: {found}")
    judge(soaked)
