"""Hands cases to an executor in chunks of some seconds' work, and survives workers that die.

A death takes a whole executor down, and nobody knows whose case it was: the cases under way are played again, each
alone. Whichever takes its worker down a second time is a failed case; the rest have their results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from mesosim.lab.campaign import identity
from mesosim.lab.campaign.cases import Case, Job
from mesosim.lab.campaign.pools import Pool, PoolError
from mesosim.lab.campaign.results import Result
from mesosim.lab.campaign.worker import Chunk, failed, play_chunk

CHUNK_MS = 2_000
"""Work in one task: much against what a task costs (2 ms on Dask), little against a campaign."""

CHUNK_MAX = 500

KILLER = "the case took its worker process down, twice: it crashed, or was killed"

AHEAD = 2
"""Chunks under way for each worker, so that none waits for this process."""


class Queue:
    """Cases that wait, job by job; learns how long a job's case takes."""

    def __init__(self, cases: Sequence[Case], workers: int, alone: bool) -> None:
        self._seeds: dict[Job, list[int]] = {}
        for case in reversed(cases):
            self._seeds.setdefault(case.job, []).append(case.seed)
        self._ms: dict[Job, float] = {}
        self._workers = workers
        self._alone = alone
        self.left = len(cases)

    def take(self) -> Chunk:
        """The next chunk. Only while `left`."""
        job = next(reversed(self._seeds))
        seeds = self._seeds[job]
        count = self._size(job)
        taken = tuple(seeds.pop() for _ in range(min(count, len(seeds))))
        if not seeds:
            del self._seeds[job]
        self.left -= len(taken)
        return Chunk(job, taken, identity.package())

    def put_back(self, chunk: Chunk) -> None:
        """A chunk that was never begun."""
        self._seeds.setdefault(chunk.job, []).extend(reversed(chunk.seeds))
        self.left += len(chunk.seeds)

    def learn(self, results: Sequence[Result], job: Job) -> None:
        """Take note of how long a job's cases took."""
        self._ms[job] = max(1.0, sum(result.wall_ms for result in results) / len(results))

    def _size(self, job: Job) -> int:
        if self._alone or job not in self._ms:
            return 1
        fair = -(-self.left // (AHEAD * self._workers))
        return max(1, min(CHUNK_MAX, fair, int(CHUNK_MS / self._ms[job])))


def run(cases: Sequence[Case], pool: Pool, record: Callable[[Sequence[Result]], None]) -> int:
    """Play `cases`; `record` is given results as they come. Returns how many were under way when a worker died.

    Raises `PoolError` if workers cannot even start. `KeyboardInterrupt` and what else a worker raises
    (`worker.OtherCode`, `NoMicroPython`, a scheduler that is gone) end the run; what was recorded is whole.
    """
    suspects: list[Case] = []
    for chunk, results in _played(Queue(cases, pool.workers, alone=False), pool, AHEAD * pool.workers):
        if results is None:
            suspects += [Case(chunk.job, seed) for seed in chunk.seeds]
        else:
            record(results)
    if suspects:
        for chunk, results in _played(Queue(suspects, 1, alone=True), pool, 1):
            record(results or [failed(chunk, chunk.seeds[0], KILLER)])
    return len(suspects)


def _played(queue: Queue, pool: Pool, window: int) -> Iterator[tuple[Chunk, list[Result] | None]]:
    """Each chunk with its results, or with None if a worker died while it was under way."""
    executor = pool.make()
    _greet(executor, pool)
    flying: dict[Future[list[Result]], Chunk] = {}
    try:
        while queue.left or flying:
            broken = not _fill(executor, queue, flying, window, pool.deaths)
            done, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                chunk = flying.pop(future)
                try:
                    results = future.result()
                except pool.deaths:
                    broken = True
                    yield chunk, None
                else:
                    queue.learn(results, chunk.job)
                    yield chunk, results
            if broken and not flying:
                executor.shutdown(wait=False)
                executor = pool.make()
    finally:
        for future in flying:
            future.cancel()
        executor.shutdown(wait=not flying)


def _greet(executor: Executor, pool: Pool) -> None:
    """Before anything is played: a worker that cannot even start is no failed case."""
    try:
        executor.submit(identity.package).result()
    except pool.deaths as error:
        raise PoolError(
            f"workers die before they have played anything ({error}). Next: look at what they print."
        ) from None


def _fill(
    executor: Executor,
    queue: Queue,
    flying: dict[Future[list[Result]], Chunk],
    window: int,
    deaths: tuple[type[BaseException], ...],
) -> bool:
    """Submit until `window` chunks are under way; whether the executor still takes them."""
    while queue.left and len(flying) < window:
        chunk = queue.take()
        try:
            flying[executor.submit(play_chunk, chunk)] = chunk
        except deaths:
            queue.put_back(chunk)
            return False
    return True
