"""An event loop on a simulator's clock: `asyncio.sleep`, timeouts and heartbeats take no wall time.

    from mesoinjector import AsyncInjector, virtual_time

    async def main():
        async with await AsyncInjector.open("sim://?seed=7") as injector:
            ...

    virtual_time.run(main())

The loop's selector is what moves time: once nothing is left to do it advances the simulated device to the next timer,
or until it says something. What blocks runs in threads, as in any loop, but one at a time, and each only until it waits
for the device or for another: the order is the same in every run. One simulated device may be open in a loop.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from mesoinjector.waiting import waiting

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class Device(Protocol):
    """See `mesosim.runtime.Device`."""

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]: ...

    def control(self, name: str, value: int = 0) -> Any: ...

    def close(self) -> None: ...


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self.now_us: int = 0
        self._device: HeldDevice | None = None
        self._workers: list[Worker] = []
        self.running: Worker | None = None
        """The thread that goes now, or was the last to."""
        super().__init__(_Selector(self))
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Seconds since the loop began, by the simulator's clock."""
        return self.now_us / 1e6

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run what blocks in a thread of this loop's own, whichever executor is named."""
        worker = Worker(self, lambda: func(*args))
        self._workers.append(worker)
        return worker.future

    def hold(self, device: Device) -> HeldDevice:
        """Let this loop say how far a device runs. Raises RuntimeError if it has one."""
        if self._device is not None:
            raise RuntimeError("one simulated device may be open in a loop in virtual time; close the other first")
        self._device = HeldDevice(self, device)
        return self._device

    def let_go(self, device: HeldDevice) -> None:
        """The device was closed."""
        if self._device is device:
            self._device = None

    def step_workers(self) -> bool:
        """Let each thread that can go on do so; whether one did."""
        stepped = False
        while worker := next((each for each in self._workers if each.ready()), None):
            self.running = worker
            worker.step()
            stepped = True
            if worker.ended:
                self._workers.remove(worker)
        return stepped

    def advance(self, timeout: float | None) -> bool:
        """Let time pass, for `timeout` at most; False if nothing of this clock is waited for."""
        limit_us = None if timeout is None else self.now_us + max(1, round(timeout * 1e6))
        if self._device is not None and (self._device.is_read or limit_us is not None):
            self.now_us = self._device.advance(limit_us)
        elif limit_us is not None:
            self.now_us = limit_us
        else:
            return False
        return True

    def close(self) -> None:
        """As of any loop. Threads that still wait end where they are."""
        while self._workers:
            worker = self._workers.pop()
            worker.abandoned = True
            while not worker.ended:
                worker.step()
        super().close()


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        stepped = self._loop.step_workers()
        ready = super().select(0)
        if stepped or ready or (timeout is not None and timeout <= 0):
            return ready
        if self._loop.advance(timeout):
            return ready
        return super().select(None)


class Worker:
    """A thread that goes only while the loop waits for it."""

    def __init__(self, loop: VirtualLoop, call: Callable[[], Any]) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.ready: Callable[[], bool] = lambda: True
        """Whether it could go on."""
        self.ended: bool = False
        self.abandoned = False
        self._loop = loop
        self._call = call
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._run, daemon=True).start()

    def step(self) -> None:
        """Let it go until it waits or has ended. Called by the loop."""
        self._go.release()
        interrupted: KeyboardInterrupt | None = None
        while True:
            try:
                self._back.acquire()
                break
            except KeyboardInterrupt as error:  # one thread goes at a time, even now
                interrupted = error
        if interrupted:
            raise interrupted

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready`. Called by the thread."""
        self.ready = ready
        self._back.release()
        self._go.acquire()
        if self.abandoned:
            raise _Abandoned

    def _run(self) -> None:
        self._go.acquire()
        waiting.for_turn = lambda turn: self.wait(turn.is_set)
        waiting.hold = self._loop.hold
        try:
            if not self.abandoned:
                self._settle(self.future.set_result, self._call())
        except BaseException as error:
            self._settle(self.future.set_exception, error)
        self.ended = True
        self._back.release()

    def _settle(self, settle: Callable[[Any], None], value: Any) -> None:
        if not self.future.done() and not self.abandoned:
            settle(value)


class _Abandoned(BaseException):
    """The loop was closed under a thread."""


class HeldDevice:
    """A device whose calls of `run` last until the loop has brought it there."""

    def __init__(self, loop: VirtualLoop, device: Device) -> None:
        self._loop = loop
        self._device = device
        t, self._heard = device.run(0, b"")
        self._ahead_us = loop.now_us - t
        """The loop's clock minus the device's."""
        self._closed = False
        self._asked: tuple[int, bytes] | None = None
        self._answer: tuple[int, bytes] | Exception | None = None

    @property
    def is_read(self) -> bool:
        """Whether a thread waits for it."""
        return self._asked is not None

    def run(self, until_us: int, rx: bytes) -> tuple[int, bytes]:
        """See `mesosim.runtime.Device`."""
        worker = self._loop.running
        if self._closed:
            raise RuntimeError("it was closed")
        if worker is None or self._asked is not None:
            raise RuntimeError("a device in a loop in virtual time is read by one of its threads at a time")
        self._asked, self._answer = (until_us, rx), None
        worker.wait(lambda: self._answer is not None)
        return self._taken()

    def _taken(self) -> tuple[int, bytes]:
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer is None:
            raise RuntimeError("went on without an answer")
        return self._answer

    def advance(self, limit_us: int | None) -> int:
        """Run to what is asked for, to the limit, or to the first bytes sent; the loop's time then."""
        until_us, rx = self._asked or (0, b"")
        ends = [] if limit_us is None else [limit_us]
        if self._asked:
            ends.append(until_us + self._ahead_us if not self._heard else 0)
        end_us = max(min(ends), self._loop.now_us)
        try:
            t, tx = self._device.run(end_us - self._ahead_us, rx)
        except Exception as error:
            self._asked, self._answer = None, error
            return end_us
        self._heard += tx
        if self._asked and (self._heard or t >= until_us):
            self._asked, self._answer, self._heard = None, (t, self._heard), b""
        elif self._asked:
            self._asked = until_us, b""
        return t + self._ahead_us

    def control(self, name: str, value: int = 0) -> Any:
        """See `mesosim.runtime.Device`."""
        return self._device.control(name, value)

    def close(self) -> None:
        """See `mesosim.runtime.Device`."""
        self._closed = True
        self._loop.let_go(self)
        self._device.close()
        if self._asked:
            self._asked, self._answer = None, RuntimeError("it was closed")
