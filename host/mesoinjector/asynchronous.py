"""The device for programs on asyncio: `Injector`'s methods, awaited.

What blocks runs in threads, never in the loop; a STOP has a thread of its own. In a loop in virtual time
(`virtual_time`) those threads go one at a time, on the simulator's clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from mesoinjector import errors, results
from mesoinjector.clock import Estimate, UtcTime
from mesoinjector.connection import Losses
from mesoinjector.injector import Injector
from mesoinjector.journal import Journal
from mesoinjector.keys import Key
from mesoinjector.telling import Event, Events
from mesoinjector.treatment import Treatment
from mesoprotocol import messages

T = TypeVar("T")
THREADS = 4
"""A dose, and what is asked meanwhile."""


class AsyncEvents(AsyncIterator[Event]):
    """As `telling.Events`; made by `AsyncInjector.events`. A wait that is cancelled loses no event."""

    def __init__(self, loop: asyncio.AbstractEventLoop, events: Events) -> None:
        self._loop = loop
        self._events = events
        self._thread = ThreadPoolExecutor(1, "mesoinjector-events")  # its own: waiting here takes no call's place
        self._waiting: asyncio.Future[None] | None = None

    async def __anext__(self) -> Event:
        while not self._events.is_ready():
            if self._waiting is None or self._waiting.done():
                self._waiting = self._loop.run_in_executor(self._thread, self._events.wait)
            await asyncio.shield(self._waiting)
        event = next(self._events, None)
        if event is None:
            self.close()
            raise StopAsyncIteration
        return event

    @property
    def dropped(self) -> int:
        """As `telling.Events.dropped`."""
        return self._events.dropped

    def close(self) -> None:
        """As `telling.Events.close`."""
        self._events.close()
        self._thread.shutdown(wait=False)


class AsyncInjector:
    """One open device. Use `await AsyncInjector.open(...)`; many tasks of one loop may use it.

    Cancelling a `dose`, `prime`, `fractional` or `run` that waits, by a timeout too, is what Ctrl-C is: STOP is sent,
    the end is awaited and in the journal, `interrupted` says what was delivered, then the cancellation goes on. Other
    calls that are cancelled are made all the same; nobody hears their answer.
    """

    def __init__(self, injector: Injector) -> None:
        self.injector = injector
        """The same device, for what does not wait: `uid`, `hello`, `journal`, `resolved`, `link.control`."""
        self.interrupted: results.Result | None = None
        """What became of a dose whose call was cancelled."""
        self._loop = asyncio.get_running_loop()
        self._calls = ThreadPoolExecutor(THREADS, "mesoinjector")
        self._stops = ThreadPoolExecutor(1, "mesoinjector-stop")

    @classmethod
    async def open(
        cls,
        url: str,
        journal: Path | str | Journal | None = None,
        key: Key | Path | str | None = None,
        record: Path | str | None = None,
    ) -> Self:
        """As `Injector.open`."""
        opening = asyncio.get_running_loop().run_in_executor(None, Injector.open, url, journal, key, record)
        try:
            return cls(await asyncio.shield(opening))
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """As `Injector.close`."""
        await self._ask(self.injector.close)
        self._calls.shutdown(wait=False)
        self._stops.shutdown(wait=False)

    async def reconnect(self, within_s: float = 60.0) -> list[results.Result]:
        """As `Injector.reconnect`."""
        return await self._ask(self.injector.reconnect, within_s)

    @property
    def uid(self) -> str:
        """As `Injector.uid`."""
        return self.injector.uid

    @property
    def runtime(self) -> str:
        """As `Injector.runtime`."""
        return self.injector.runtime

    @property
    def resolved(self) -> list[results.Result]:
        """As `Injector.resolved`."""
        return self.injector.resolved

    def listen(self, listener: Callable[[Any], None]) -> Callable[[], None]:
        """As `Injector.listen`; the listener is called in the loop."""

        def tell(event: Any) -> None:
            self._loop.call_soon_threadsafe(listener, event)

        return self.injector.listen(tell)

    def events(self, seconds: float) -> AsyncEvents:
        """As `Injector.events`, for `async for`."""
        return AsyncEvents(self._loop, self.injector.events(seconds))

    async def wait(self, seconds: float) -> None:
        """As `Injector.wait`."""
        await self._ask(self.injector.wait, seconds)

    async def begin_treatment(self, plan: str = "", about: dict[str, Any] | None = None) -> int:
        """As `Injector.begin_treatment`."""
        return await self._ask(self.injector.begin_treatment, plan, about)

    async def resume_treatment(self, number: int, fresh: bool) -> None:
        """As `Injector.resume_treatment`."""
        await self._ask(self.injector.resume_treatment, number, fresh)

    async def new_syringe(self) -> float:
        """As `Injector.new_syringe`."""
        return await self._ask(self.injector.new_syringe)

    async def prime(self, volume_ml: float, profile: str = "1ml-30G4-aqueous") -> results.Result:
        """As `Injector.prime`."""
        return await self._give(partial(self.injector.prime, volume_ml, profile))

    async def test_dose(
        self, volume_ml: float, depth_mm: float, zone: str, profile: str = "1ml-30G4-aqueous"
    ) -> results.Result:
        """As `Injector.test_dose`."""
        return await self._give(partial(self.injector.test_dose, volume_ml, depth_mm, zone, profile))

    async def repeat(
        self,
        volume_ml: float,
        stroke_ml: float,
        rate_per_min: int,
        depth_mm: float,
        zone: str,
        point: int = 0,
        profile: str = "1ml-30G4-aqueous",
    ) -> results.Result:
        """As `Injector.repeat`."""
        how = volume_ml, stroke_ml, rate_per_min, depth_mm, zone, point, profile
        return await self._give(partial(self.injector.repeat, *how))

    async def perfusion(
        self,
        volume_ml: float,
        flow_ul_per_s: float,
        depth_mm: float,
        zone: str,
        point: int = 0,
        profile: str = "1ml-30G4-aqueous",
    ) -> results.Result:
        """As `Injector.perfusion`."""
        return await self._give(
            partial(self.injector.perfusion, volume_ml, flow_ul_per_s, depth_mm, zone, point, profile)
        )

    async def dose(
        self,
        volume_ml: float,
        depth_mm: float,
        zone: str,
        point: int = 0,
        profile: str = "1ml-30G4-aqueous",
        retract: bool = False,
    ) -> results.Result:
        """As `Injector.dose`."""
        return await self._give(partial(self.injector.dose, volume_ml, depth_mm, zone, point, profile, retract))

    async def fractional(
        self,
        strokes: int,
        depth_mm: float,
        zone: str,
        area_cm2: int,
        rate_per_min: int = 900,
        needles: int = 16,
        duration_s: int | None = None,
        point: int = 0,
    ) -> results.Result:
        """As `Injector.fractional`."""
        how = strokes, depth_mm, zone, area_cm2, rate_per_min, needles, duration_s, point
        return await self._give(partial(self.injector.fractional, *how))

    async def run(self, treatment: Treatment) -> bool:
        """As `Treatment.run`, of a treatment of `injector`. Cancelled: as a dose is; its record says what was given."""
        return await self._see_through(treatment.run, lambda _: treatment.add_interrupted(), treatment.stop)

    async def home(self) -> results.Result:
        """As `Injector.home`."""
        return await self._give(self.injector.home)

    async def dry_run(
        self, strokes: int, depth_mm: float, rate_per_min: int = 900, duration_s: int | None = None
    ) -> results.Result:
        """As `Injector.dry_run`."""
        return await self._give(partial(self.injector.dry_run, strokes, depth_mm, rate_per_min, duration_s))

    async def stop(self) -> messages.StatusReply:
        """As `Injector.stop`; from any task."""
        return await self._loop.run_in_executor(self._stops, self.injector.stop)

    async def status(self) -> messages.StatusReply:
        """As `Injector.status`."""
        return await self._ask(self.injector.status)

    async def strokes(self, first: int) -> messages.StrokesReply:
        """As `Injector.strokes`."""
        return await self._ask(self.injector.strokes, first)

    async def alarms(self) -> messages.AlarmsReply:
        """As `Injector.alarms`."""
        return await self._ask(self.injector.alarms)

    async def self_test(self) -> messages.SelfTestReply:
        """As `Injector.self_test`."""
        return await self._ask(self.injector.self_test)

    async def ledger(self, n: int) -> messages.OutcomeReply:
        """As `Injector.ledger`."""
        return await self._ask(self.injector.ledger, n)

    async def clear(self) -> int:
        """As `Injector.clear`."""
        return await self._ask(self.injector.clear)

    async def acknowledge(self, dose_id: str, operator: str) -> results.Result:
        """As `Injector.acknowledge`."""
        return await self._ask(self.injector.acknowledge, dose_id, operator)

    async def resolve(self, dose_id: str) -> results.Result:
        """As `Injector.resolve`."""
        return await self._ask(self.injector.resolve, dose_id)

    async def authenticate(self, key: Key) -> None:
        """As `Injector.authenticate`."""
        await self._ask(self.injector.authenticate, key)

    async def provision(self, key: Key) -> None:
        """As `Injector.provision`."""
        await self._ask(self.injector.provision, key)

    def losses(self) -> Losses:
        """As `Injector.losses`."""
        return self.injector.losses()

    def device_time(self) -> Estimate:
        """As `Injector.device_time`."""
        return self.injector.device_time()

    def dose_time_to_utc(self, time_us: int) -> UtcTime:
        """As `Injector.dose_time_to_utc`."""
        return self.injector.dose_time_to_utc(time_us)

    async def _ask(self, call: Callable[..., T], *arguments: Any) -> T:
        return await self._loop.run_in_executor(self._calls, call, *arguments)

    async def _give(self, call: Callable[[], results.Result]) -> results.Result:
        return await self._see_through(call, self._note_interrupted)

    def _note_interrupted(self, result: results.Result) -> None:
        self.interrupted = result

    async def _see_through(
        self, call: Callable[[], T], on_stopped: Callable[[T], None], let_end: Callable[[], None] = lambda: None
    ) -> T:
        """Wait for what moves; cancelled, send STOP first and wait for its end, which `let_end` sees to."""
        under_way = self._loop.run_in_executor(self._calls, call)
        try:
            return await asyncio.shield(under_way)
        except asyncio.CancelledError:
            let_end()  # it may be paused: nothing moves then, and nothing would end
            with contextlib.suppress(errors.MesoError):
                await self.stop()
            with contextlib.suppress(errors.MesoError):
                on_stopped(await under_way)
            raise


def _close_unwanted(opening: asyncio.Future[Injector]) -> None:
    """Nobody waits any longer for the device that was opened."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
