"""Plays a study's cases on an executor: this machine's processes, or Dask; see `mesosim.lab.campaign.pools`.

Cases are small and plain, their order is kept, and each one's processor time is measured: what a study costs is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import NamedTuple

from mesosim.evidence import studies
from mesosim.evidence.study import Case, Row, Rows, Tables
from mesosim.lab.campaign import identity
from mesosim.lab.campaign.pools import Pool
from mesosim.lab.campaign.worker import ONE_AT_A_TIME, OtherCode

AHEAD = 2
"""Cases under way for each worker, so that none waits for this process."""

COST = "cost"
"""The table of what each case took."""


class StudyError(Exception):
    """A study cannot be made; the message names study and case and says what to do."""


@dataclass(frozen=True, slots=True)
class Task:
    """One case of one study, for a worker."""

    study: str
    index: int
    case: Case
    package: str


class Played(NamedTuple):
    """What came of a task."""

    rows: Rows
    cpu_s: float
    broken: str
    """Why the case was not played to its end; "" if it was."""


def play(task: Task) -> Played:
    """In a worker. A case that breaks off is a result, too. Raises `OtherCode`: this process would play other code."""
    if identity.package() != task.package:
        raise OtherCode(
            f"a worker has mesoinjector {identity.package()}, this run {task.package}. Next: install the same "
            "everywhere and start the workers again."
        )
    study = studies.load(task.study)
    with ONE_AT_A_TIME:
        begun = time.process_time()
        rows: Rows = {}
        broken = ""
        try:
            rows = study.run(task.case)
        except Exception as error:
            broken = f"{task.case}: {type(error).__name__}: {error}".replace("\n", " ").rstrip(".") + "."
        return Played(rows, time.process_time() - begun, broken)


def run(names: Sequence[str], quick: bool, seed: int, pool: Pool, on_progress: Callable[[int, int], None]) -> Tables:
    """All tables of the studies named, and `COST`; rows stand in the order of studies and cases.

    Raises `StudyError`, `OtherCode`, and whatever tells that a scheduler is gone.
    """
    tasks = [
        Task(name, index, case, identity.package())
        for name in names
        for index, case in enumerate(studies.load(name).cases(quick, seed))
    ]
    here = [task for task in tasks if studies.load(task.study).is_of_checkout]
    found = {(task.study, task.index): play(task) for task in here}
    waiting = [task for task in reversed(tasks) if task not in here]
    flying: dict[Future[Played], Task] = {}
    on_progress(len(found), len(tasks))
    executor = pool.make()
    try:
        while waiting or flying:
            while waiting and len(flying) < AHEAD * pool.workers:
                task = waiting.pop()
                flying[executor.submit(play, task)] = task
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                task = flying.pop(future)
                found[task.study, task.index] = _result(future, task, pool)
                on_progress(len(found), len(tasks))
    finally:
        for future in flying:
            future.cancel()
        executor.shutdown(wait=not flying)
    return _tables(tasks, found)


def _result(future: Future[Played], task: Task, pool: Pool) -> Played:
    where = f"study {task.study}, case {task.index} ({task.case})"
    try:
        return future.result()
    except pool.deaths as error:
        raise StudyError(f"{where}: its worker died ({error}). Next: run with --only {task.study}.") from error
    except OtherCode:
        raise
    except Exception as error:
        raise StudyError(
            f"{where}: {type(error).__name__}: {error}. Next: run with --only {task.study} and look at that case."
        ) from error


def _tables(tasks: Sequence[Task], found: dict[tuple[str, int], Played]) -> Tables:
    tables = Tables()
    for task in tasks:
        played = found[task.study, task.index]
        for name, rows in played.rows.items():
            tables.setdefault(name, []).extend(rows)
        tables.setdefault(COST, []).append(cost(task, played))
    return tables


def cost(task: Task, played: Played) -> Row:
    """A row of `COST`."""
    return {
        "study": task.study,
        "case": task.index,
        "cpu_s": round(played.cpu_s, 3),
        "broken": int(bool(played.broken)),
        "cause": played.broken,
    }
