"""Many threads, one device: STOP overtakes, requests queue, nobody hangs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from mesoinjector import Delivered
from mesoinjector.pump import FairLock
from tests.bench_of_one import Bench, after_flow


def test_stop_from_another_thread_ends_a_waiting_dose(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    injector = bench.ready()
    stopped: list[int] = []

    def stop_elsewhere() -> None:
        thread = threading.Thread(target=lambda: stopped.append(injector.stop().stop_count))
        thread.start()
        thread.join(timeout=30)

    injector.listen(after_flow(10_000, stop_elsewhere))
    result = injector.dose(volume_ml=0.1, depth_mm=1.0, zone="cheek")
    assert stopped == [1]
    assert isinstance(result, Delivered) and result.reason == "stop"
    assert bench.plant()["needle_home"]


def test_a_listener_may_ask_the_device(make_bench: Callable[..., Bench]) -> None:
    """Events that come while a request is under way are told after it: no thread waits for itself."""
    injector = make_bench().ready()
    seen: list[int] = []
    injector.listen(lambda _: seen.append(injector.status().state))
    injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
    assert len(seen) > 20


def test_status_from_many_threads(make_bench: Callable[..., Bench]) -> None:
    injector = make_bench().connect()
    seen: list[int] = []

    def ask() -> None:
        seen.extend(injector.status().next_n for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert seen == [1] * 400


def test_the_lock_serves_in_order() -> None:
    lock = FairLock()
    order: list[int] = []
    threads = []
    with lock:
        for i in range(5):
            entered = len(lock._queue)
            thread = threading.Thread(target=lambda i=i: (lock.__enter__(), order.append(i), lock.__exit__()))
            thread.start()
            while len(lock._queue) == entered:
                pass  # until it stands in the queue
            threads.append(thread)
    for thread in threads:
        thread.join(timeout=10)
    assert order == [0, 1, 2, 3, 4]


def test_who_asks_stands_in_the_queue_before_the_answer_can_come() -> None:
    """Else the thread that reads it would go on reading, and the one that waits for it wait that long."""
    lock = FairLock()
    wanted: list[bool] = []
    with lock:
        thread = threading.Thread(target=lambda: lock.enter(lambda: wanted.append(lock.is_wanted())) or lock.__exit__())
        thread.start()
        while not wanted:
            pass
    thread.join(timeout=10)
    assert wanted == [True]


def test_a_line_that_breaks_as_somebody_asks_holds_nobody_back() -> None:
    lock = FairLock()

    def fail() -> None:
        raise OSError

    with pytest.raises(OSError):
        lock.enter(fail)
    assert not lock.mine()


def test_an_interrupted_waiter_does_not_block_the_others() -> None:
    """Ctrl-C comes while a thread stands in the queue: its turn must not be given to nobody."""
    lock = FairLock()

    class Interrupted(Exception):
        pass

    class Turn(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise Interrupted

    def wait_and_be_interrupted() -> None:
        event, threading.Event = threading.Event, Turn  # type: ignore[misc]
        try:
            with pytest.raises(Interrupted):
                lock.__enter__()
        finally:
            threading.Event = event  # type: ignore[misc]

    with lock:
        thread = threading.Thread(target=wait_and_be_interrupted)
        thread.start()
        thread.join(timeout=10)
    with lock:
        pass


def test_a_waiter_interrupted_as_it_queues_stands_in_no_queue() -> None:
    """Else it gets a turn that nobody takes, and its next one never."""
    lock = FairLock()

    class Interrupted(Exception):
        pass

    class Queue(deque[Any]):
        def append(self, item: Any) -> None:
            super().append(item)
            raise Interrupted

    def be_interrupted_and_go_on() -> None:
        with pytest.raises(Interrupted):
            lock.__enter__()
        lock._queue = deque(lock._queue)
        interrupted.set()
        with lock:
            pass

    interrupted = threading.Event()
    with lock:
        lock._queue = Queue()
        thread = threading.Thread(target=be_interrupted_and_go_on, daemon=True)
        thread.start()
        assert interrupted.wait(timeout=10)
        while not lock.is_wanted():
            pass
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_ctrl_c_within_the_lock_holds_nobody_back(make_bench: Callable[..., Bench]) -> None:
    """It may come before a lock is let go: this thread goes on, and whoever waits behind it once it has recovered."""
    injector = make_bench().connect()
    pump = injector._pump
    pump._step.__enter__()
    pump._request.__enter__()
    assert injector.status().next_n == 1
    pump._step.__enter__()
    pump._request.__enter__()
    seen: list[int] = []
    other = threading.Thread(target=lambda: seen.append(injector.status().next_n))
    other.start()
    pump.recover()
    other.join(timeout=30)
    assert seen == [1]
