"""Fixtures for every test: a simulated device on either runtime, and a bench to drive and break it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mesosim import runtime as simulator
from tests import summary
from tests.bench_of_one import Bench

pytest_terminal_summary = summary.pytest_terminal_summary


def pytest_collection_finish() -> None:
    """A simulated device collects garbage at each boot and before an update: not among all tests and modules."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=["cpython", "micropython"])
def runtime(request: pytest.FixtureRequest) -> str:
    """Each of the two interpreters that every test of the device runs on; `tests/system/test_runtimes.py` has all."""
    name: str = request.param
    return name


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches that are closed at the end of the test."""
    benches: list[Bench] = []

    def make(runtime: str = "cpython", seed: int = 1) -> Bench:
        benches.append(Bench(simulator.start(runtime, seed), tmp_path / f"journal{len(benches)}.sqlite"))
        return benches[-1]

    yield make
    for bench in benches:
        bench.device.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench], runtime: str) -> Bench:
    """One device in virtual time, on each runtime in turn."""
    return make_bench(runtime)


@pytest.fixture
def here(make_bench: Callable[..., Bench]) -> Bench:
    """A device in this process: its world is open to the test."""
    return make_bench()
