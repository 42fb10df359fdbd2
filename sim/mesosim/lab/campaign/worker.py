"""What runs in a worker: a chunk of one scenario's seeds, one after the other."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass
from typing import Any

from mesosim.lab.campaign import identity
from mesosim.lab.campaign.cases import Job, written
from mesosim.lab.campaign.results import Key, Result
from mesosim.lab.outcome import Outcome
from mesosim.lab.play import play
from mesosim.lab.scenario import Scenario
from mesosim.micropython import NoMicroPython

ONE_AT_A_TIME = threading.Lock()
"""The firmware keeps its state in its modules, as on a board: threads of one process take turns."""


class OtherCode(Exception):
    """A worker has other sources than the campaign."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Seeds of one job, for one worker."""

    job: Job
    seeds: tuple[int, ...]
    package: str


def play_chunk(chunk: Chunk) -> list[Result]:
    """Play every seed. Raises `OtherCode` if this process would play with other code than the campaign's."""
    if identity.package() != chunk.package:
        raise OtherCode(
            f"a worker has mesoinjector {identity.package()}, this campaign {chunk.package}. Next: install the same "
            "everywhere and start the workers again."
        )
    with ONE_AT_A_TIME:
        return [_played(chunk, seed) for seed in chunk.seeds]


def _played(chunk: Chunk, seed: int) -> Result:
    job = chunk.job
    start = time.perf_counter()
    try:
        outcome = play(job.scenario_of(seed), seed, job.runtime)
    except NoMicroPython:
        raise  # no fault of the case
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"the case itself broke: {type(error).__name__}: {error} ({place.name}, line {place.lineno})"
        return failed(chunk, seed, said)
    return _result(chunk, seed, round(1000 * (time.perf_counter() - start)), outcome)


def failed(chunk: Chunk, seed: int, finding: str) -> Result:
    """The result of a case that has none of its own."""
    job, faults = chunk.job, chunk.job.scenario_of(seed).fault
    outcome = Outcome(
        scenario=job.name,
        seed=seed,
        runtime=job.runtime,
        passed=False,
        findings=[finding],
        requirements=list(job.scenario.requirements),
        hazard="",
        fault=faults[0].name if faults else "",
        alarm="",
        alarm_ms=None,
        hazard_ms=None,
    )
    return _result(chunk, seed, 0, outcome)


def _result(chunk: Chunk, seed: int, wall_ms: int, outcome: Outcome) -> Result:
    job = chunk.job
    scenario = job.scenario_of(seed)
    struck = scenario.fault[0] if scenario.fault else None
    drawn = _drawn(job.scenario, scenario) if job.draw is not None else {}
    replay = written(scenario) if job.draw is not None and not outcome.passed else job.origin
    return Result(
        key=Key(job.sha256, seed, job.runtime, chunk.package),
        wall_ms=wall_ms,
        mode=scenario.mode or "",
        kind=(struck.kind or "") if struck is not None else "",
        drawn=drawn,
        replay=replay,
        outcome=outcome,
    )


def _drawn(given: Scenario, scenario: Scenario) -> dict[str, Any]:
    """What `scenario` has that was not `given`."""
    values = {name: value for name, value in scenario.device.set.items() if name not in given.device.set}
    return {"set": values, "faults": [fault.name for fault in scenario.fault[len(given.fault) :]]}
