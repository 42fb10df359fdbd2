"""The same campaign on every kind of executor gives the same results."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mesosim.lab.campaign import cases, pools
from mesosim.lab.campaign.pools import Pool, PoolError
from mesosim.lab.campaign.results import Result
from mesosim.lab.campaign.running import KILLER
from mesosim.lab.campaign.worker import Chunk, OtherCode, play_chunk
from tests.campaign.conftest import Played

DEADLY_SEED = 4


def dask() -> Any:
    """Dask distributed, or a skip that says where it is from."""
    return pytest.importorskip("distributed", reason="pip install 'mesoinjector[dask]'")


def test_processes_of_this_machine(played: Played, whole: Played) -> None:
    with pools.open_pool("", 2) as pool:
        standing = played.run("out", pool)
    assert played.results("out") == whole.results("out")
    assert (standing.cases, standing.played, len(standing.failing)) == (12, 12, 6)


def test_a_local_cluster_of_two_workers(played: Played, whole: Played) -> None:
    with (
        dask().LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        pools.open_pool(cluster.scheduler_address.replace("tcp", "dask"), None) as pool,
    ):
        assert pool.workers == 2
        played.run("out", pool)
    assert played.results("out") == whole.results("out")


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """`dask scheduler` and one `dask worker` of two threads, as an operator starts them; the scheduler's address."""
    dask()
    script = [sys.executable, "-m", "dask"]
    address = tmp_path / "scheduler.json"
    started = [
        subprocess.Popen(
            [*script, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", address],
            stderr=subprocess.PIPE,
            text=True,
        )
    ]
    try:
        said = started[0].stderr
        assert said is not None
        line = next(line for line in said if "Scheduler at:" in line)
        url = line.split()[-1]
        command = [*script, "worker", url, "--nthreads", "2", "--no-dashboard", "--local-directory", str(tmp_path)]
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        yield url.replace("tcp", "dask")
    finally:
        for process in reversed(started):
            process.terminate()
            process.communicate()


def test_a_scheduler_and_a_worker_by_url(played: Played, whole: Played, scheduler: str) -> None:
    with pools.open_pool(scheduler, None) as pool:
        assert pool.workers == 2
        played.run("out", pool)
    assert played.results("out") == whole.results("out")


def test_no_scheduler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    dask()
    monkeypatch.setattr(pools, "CONNECT_S", 1)
    with pytest.raises(PoolError, match="no scheduler answers"), pools.open_pool("dask://127.0.0.1:1", None):
        pass
    with pytest.raises(PoolError, match="--executor ray://x: must be dask://"), pools.open_pool("ray://x", None):
        pass


def deadly(chunk: Chunk) -> list[Result]:
    """A worker that is killed whenever it plays a certain seed."""
    if DEADLY_SEED in chunk.seeds:
        os.kill(os.getpid(), signal.SIGKILL)
    return play_chunk(chunk)


class Deadly(Executor):
    """Processes whose worker dies of one case."""

    def __init__(self) -> None:
        self._inner = pools.processes(2).make()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Executor`."""
        return self._inner.submit(deadly if fn is play_chunk else fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `Executor`."""
        self._inner.shutdown(wait, cancel_futures=cancel_futures)


def test_a_case_that_kills_its_worker_is_one_failed_case(played: Played, whole: Played) -> None:
    standing = played.run("out", Pool(Deadly, 2), named=played.scenarios[:1])
    expected = {case: outcome for case, outcome in whole.results("out").items() if case[0] == "one-dose"}
    found = played.results("out")
    (failing,) = standing.failing
    assert failing.key.seed == DEADLY_SEED
    assert failing.outcome.findings == [KILLER]
    assert found.pop(("one-dose", DEADLY_SEED))["findings"] == [KILLER]
    expected.pop(("one-dose", DEADLY_SEED))
    assert found == expected
    assert standing.played_again >= 1


def test_a_worker_killed_from_outside_loses_nothing(played: Played, whole: Played) -> None:
    killed: list[int] = []

    class Shot(ProcessPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future = super().submit(fn, *args, **kwargs)
            if fn is play_chunk and not killed:
                killed.append(super().submit(os.getpid).result())
                os.kill(killed[0], signal.SIGKILL)
            return future

    standing = played.run("out", Pool(lambda: Shot(2), 2))
    assert played.results("out") == whole.results("out")
    assert standing.played_again >= 1


def test_workers_that_cannot_start_are_no_failed_cases(played: Played) -> None:
    with pytest.raises(PoolError, match="workers die before"):
        played.run("out", Pool(lambda: ProcessPoolExecutor(1, initializer=os._exit, initargs=(1,)), 1))
    assert played.results("out") == {}


def test_a_worker_with_other_code_plays_nothing(played: Played) -> None:
    job = cases.load(played.scenarios, "1", None).jobs[0][0]
    with pytest.raises(OtherCode, match=r"this campaign 0\.0\.0\+0\. Next: install the same"):
        play_chunk(Chunk(job, (1,), "0.0.0+0"))
