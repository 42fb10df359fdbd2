"""A campaign, or a shard of one, into a folder: what is done there already is not played again."""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesosim.lab.campaign import identity, running
from mesosim.lab.campaign.cases import Case, Plan
from mesosim.lab.campaign.pools import Pool
from mesosim.lab.campaign.results import Key, Result, Results, lines


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a campaign stands after a run."""

    cases: int
    """All that were planned; every one of them is done."""
    played: int
    """In this run."""
    played_again: int
    """Of them, cases under way when a worker died."""
    failing: list[Result]
    """Of all cases, in the order played."""
    torn: bool
    """Whether a crash had left a torn line, whose case was played again."""


@dataclass(slots=True)
class Progress:
    """How far a run is; `done` includes what was done before it."""

    done: int
    cases: int
    failed: int


def run(plan: Plan, shard: tuple[int, int], out: Path, pool: Pool, on_progress: Callable[[Progress], None]) -> Standing:
    """Play what `plan` has and `out` lacks. An interrupt leaves whole results; the next run goes on from there.

    Raises `ResultsError`, `PoolError`, and what `running.run` does.
    """
    cases = {key_of(case): case for case in plan.cases(shard)}
    with Results(out) as results:
        todo = [case for key, case in cases.items() if key not in results.done]
        progress = Progress(len(cases) - len(todo), len(cases), 0)
        on_progress(progress)

        def record(found: Sequence[Result]) -> None:
            results.add(found)
            progress.done += len(found)
            progress.failed += sum(not result.outcome.passed for result in found)
            on_progress(progress)

        results.append([{"begun": begun(plan, shard, pool)}])
        start, again = time.monotonic(), 0
        try:
            again = running.run(todo, pool, record) if todo else 0
        finally:
            played = progress.done - len(cases) + len(todo)
            wall_s = round(time.monotonic() - start, 3)
            results.append([{"ended": {"wall_s": wall_s, "played": played, "played_again": again}}])
        return Standing(len(cases), len(todo), again, _failing(results.path, cases), results.torn)


def key_of(case: Case) -> Key:
    """The key of the result that a case will have."""
    return Key(case.job.sha256, case.seed, case.job.runtime, identity.package())


def begun(plan: Plan, shard: tuple[int, int], pool: Pool) -> dict[str, Any]:
    """The facts of a run, for its results."""
    return {
        "utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "package": identity.package(),
        "commit": identity.commit(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "executor": pool.name,
        "shard": "{}/{}".format(*shard),
        "jobs": plan.facts(),
    }


def _failing(path: Path, cases: dict[Key, Case]) -> list[Result]:
    found = (line for _, line in lines(path) if "outcome" in line and not line["outcome"]["passed"])
    return [result for result in map(Result.of, found) if result.key in cases]
