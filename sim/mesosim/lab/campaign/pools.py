"""Executors for campaigns: worker processes of this machine, or a Dask cluster by the URL of its scheduler.

`running.run` takes any `concurrent.futures.Executor` in a `Pool`, which says how to make one anew after a worker has
taken it down, and by which exceptions a death is told.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

CONNECT_S = 30
"""How long a Dask scheduler may take to answer, and then to have its first worker."""

DASK = "dask://"


class PoolError(Exception):
    """No executor can be had; the message says what to do."""


class NoAddress(PoolError):
    """What was named is no executor's address."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A source of executors."""

    make: Callable[[], Executor]
    workers: int
    """Cases that can be played at once."""
    deaths: tuple[type[BaseException], ...] = (BrokenExecutor,)
    """What a future raises whose worker died."""
    name: str = ""


@contextmanager
def open_pool(address: str, workers: int | None) -> Iterator[Pool]:
    """`address` "" for processes of this machine, as many as it has cores if `workers` is None; or `dask://HOST:PORT`.

    Raises `PoolError`.
    """
    if not address:
        try:
            yield processes(workers or os.cpu_count() or 1)
        except KeyboardInterrupt:
            for child in multiprocessing.active_children():
                child.terminate()  # nobody waits for a chunk whose results would come too late
            raise
    elif address.startswith(DASK):
        with _dask(address) as pool:
            yield pool
    else:
        raise NoAddress(f"--executor {address}: must be {DASK}HOST:PORT. Next: leave it out to use this machine.")


def processes(workers: int) -> Pool:
    """Processes of this machine, spawned once: they inherit no threads and no open files."""
    context = multiprocessing.get_context("spawn")
    return Pool(
        make=lambda: ProcessPoolExecutor(workers, context, initializer=_begin_worker),
        workers=workers,
        name=f"processes of this machine: {workers}",
    )


def _begin_worker() -> None:
    """Ctrl-C is the parent's affair; a worker whose parent was killed ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _dask(address: str) -> Iterator[Pool]:
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise PoolError(
            "Dask is not installed. Next: pip install 'mesoinjector[sim,dask]', here and on the workers."
        ) from None
    try:
        client = Client("tcp://" + address.removeprefix(DASK), timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise PoolError(f"{address}: no scheduler answers ({error}). Next: start `dask scheduler`.") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError:
            raise PoolError(f"{address}: the scheduler has no worker. Next: start `dask worker`.") from None
        workers = sum(client.ncores().values())
        yield Pool(
            client.get_executor, workers, (KilledWorker, BrokenExecutor), f"Dask workers of {address}: {workers}"
        )
