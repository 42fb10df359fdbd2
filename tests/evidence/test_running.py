"""Cases are played in any order and their rows stand in one; a case that breaks is named."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

import pytest

from mesosim.evidence import document, running, studies
from mesosim.evidence.study import Tables
from mesosim.lab.campaign.pools import Pool, open_pool, processes
from mesosim.lab.campaign.worker import OtherCode
from tests.campaign.conftest import SERIAL
from tests.evidence import small


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small study is one of the studies."""
    monkeypatch.setitem(studies.MODULES, "small", "tests.evidence.small")


class Backwards(Executor):
    """Plays nothing before two are there, and then the later one first."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Executor`."""
        future: Future[Any] = Future()
        self._waiting.append((future, lambda: fn(*args, **kwargs)))
        if len(self._waiting) == 2:
            for waiting, work in reversed(self._waiting):
                waiting.set_result(work())
        return future


def play(pool: Pool, seed: int = 1) -> Tables:
    return running.run(["small"], True, seed, pool, lambda done, cases: None)


def test_rows_stand_in_the_order_of_the_cases() -> None:
    tables = play(Pool(Backwards, 2))
    assert tables[small.TABLE] == small.rows(small.ROWS, 1) + small.rows(small.ROWS, 2)
    assert [(row["study"], row["case"]) for row in tables[running.COST]] == [("small", 0), ("small", 1)]


def test_a_dask_cluster_gives_the_same() -> None:
    distributed = pytest.importorskip("distributed", reason="pip install 'mesoinjector[dask]'")
    with (
        distributed.LocalCluster(1, processes=False, protocol="tcp", dashboard_address=None) as cluster,
        open_pool(cluster.scheduler_address.replace("tcp", "dask"), None) as pool,
    ):
        assert play(pool)[small.TABLE] == play(SERIAL)[small.TABLE]


def test_what_reads_the_checkout_is_played_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "STUDY", replace(small.STUDY, is_of_checkout=True))
    assert play(Pool(_nobody, 2))[small.TABLE] == play(SERIAL)[small.TABLE]


def _nobody() -> Executor:
    """Plays nothing at all."""
    return Executor()


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    running.run(["small"], True, 1, SERIAL, lambda done, cases: told.append((done, cases)))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_case_that_breaks_is_named_and_the_study_fails() -> None:
    tables = play(SERIAL, 12)
    assert tables[small.TABLE] == small.rows(small.ROWS, 12)
    (whole,) = document.account(small.STUDY, tables).verdicts[-1:]
    assert not whole.passed
    assert whole.cause == "13: ValueError: no numbers of seed 13."
    assert document.account(small.STUDY, play(SERIAL, 14)).verdicts[-1].passed


def test_of_many_cases_that_break_some_are_named() -> None:
    broken = running.Played({}, 0.1, "boom.")
    tables = Tables({running.COST: [running.cost(running.Task("small", n, n, ""), broken) for n in range(5)]})
    whole = document.account(small.STUDY, tables).verdicts[-1]
    assert not whole.passed and whole.cause == "boom. boom. boom. And 2 more, in data/cost.csv."


def test_a_worker_with_other_code_plays_nothing() -> None:
    with pytest.raises(OtherCode, match="install the same everywhere"):
        running.play(running.Task("small", 0, 1, "0.0+other"))


def _die(task: running.Task) -> running.Played:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_worker_that_dies_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "play", _die)
    with pytest.raises(running.StudyError, match=r"study small, case \d \(\d\): its worker died .* Next: "):
        play(processes(1))
