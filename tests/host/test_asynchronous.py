"""Programs on asyncio: the same device, the same trace, on the simulator's clock; nothing waits for a wall clock."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mesoinjector import AsyncInjector, Delivered, DeviceNotFound, Injector, LinkLost, NotDelivered, virtual_time
from mesoinjector.plans import parse
from mesoinjector.treatment import Treatment
from mesoprotocol import messages, wire
from mesosim.runtime import Paced
from tests.bench_of_one import after_flow

URL = "sim://?seed=7"
DOSE = {"volume_ml": 0.05, "depth_mm": 1.0, "zone": "cheek"}


def in_virtual_time(scenario: Callable[[AsyncInjector], Awaitable[Any]], url: str = URL) -> Any:
    """Prime, then the scenario, on the simulator's clock."""

    async def main() -> Any:
        async with await AsyncInjector.open(url) as injector:
            await injector.begin_treatment()
            await injector.prime(0.1)
            return await scenario(injector)

    return virtual_time.run(main())


async def trace(injector: AsyncInjector) -> Any:
    return injector.injector.link.control("trace")


def now() -> float:
    return asyncio.get_running_loop().time()


def test_the_same_methods_with_the_same_arguments() -> None:
    mine = dict(inspect.getmembers(AsyncInjector, callable))
    for name, method in inspect.getmembers(Injector, inspect.isfunction):
        if not name.startswith("_"):
            assert list(inspect.signature(mine[name]).parameters.values()) == list(
                inspect.signature(method).parameters.values()
            ), name


PLAN = """
[plan]
name = "Three"
mode = "metered"
points = 3
profile = "1ml-30G4-aqueous"
prime_ml = 0.1

[[zone]]
name = "cheek"
depth_mm = 1.0
volume_ml = 0.05
points = 3
"""


def test_a_treatment_runs_and_is_cancelled_by_a_stop() -> None:
    async def main() -> tuple[Treatment, Treatment, int]:
        async with await AsyncInjector.open(URL) as device:
            whole = Treatment(device.injector, parse(PLAN, "test"))
            assert await device.run(whole)
            await device.wait(5.0)  # the hand takes the handpiece away
            cut = Treatment(device.injector, parse(PLAN, "test"))
            running = asyncio.ensure_future(device.run(cut))
            device.listen(lambda event: running.cancel() if is_flowing(event) and len(cut.record.doses) == 2 else None)
            with pytest.raises(asyncio.CancelledError):
                await running
            before = device.injector.link.control("account")["tip_nl"]
            await device.wait(20.0)
            return whole, cut, device.injector.link.control("account")["tip_nl"] - before

    def is_flowing(event: Any) -> bool:
        return isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_RUNNING

    whole, cut, after_nl = virtual_time.run(main())
    assert [dose.reason for dose in whole.record.doses] == ["complete"] * 4
    assert [dose.reason for dose in cut.record.doses] == ["complete", "complete", "stop"]
    assert after_nl < 1_000


def test_a_treatment_that_is_paused_ends_when_it_is_cancelled() -> None:
    async def scenario(injector: AsyncInjector) -> None:
        treatment = Treatment(injector.injector, parse(PLAN, "test"))
        treatment.pause()
        running = asyncio.ensure_future(injector.run(treatment))
        await asyncio.sleep(20.0)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=60.0)
        assert done, "it waits for somebody who says resume"
        assert [dose.kind for dose in treatment.record.doses] == ["prime"]

    in_virtual_time(scenario)


@pytest.mark.parametrize("url", [URL, "sim://micropython?seed=7", "sim://cpython?line=pty&seed=7"])
def test_sync_and_async_give_one_trace(url: str) -> None:
    with Injector.open(url) as injector:
        injector.begin_treatment()
        injector.prime(0.1)
        for point in range(3):
            injector.dose(**DOSE, point=point)
        injector.fractional(strokes=30, depth_mm=0.5, zone="cheek", area_cm2=30)
        expected = injector.link.control("trace")

    async def doses(injector: AsyncInjector) -> Any:
        for point in range(3):
            await injector.dose(**DOSE, point=point)
        await injector.fractional(strokes=30, depth_mm=0.5, zone="cheek", area_cm2=30)
        return await trace(injector)

    async def doses_beside_a_clock(injector: AsyncInjector) -> Any:
        ticks: list[float] = []

        async def tick() -> None:
            while True:
                await asyncio.sleep(0.007)
                ticks.append(now())

        clock = asyncio.ensure_future(tick())
        told = await doses(injector)
        clock.cancel()
        steps = [b - a for a, b in itertools.pairwise(ticks)]
        assert len(steps) > 500 and max(steps) < 0.007002  # it ticked all the time, and on time
        return told

    assert in_virtual_time(doses, url) == expected
    assert in_virtual_time(doses_beside_a_clock, url) == expected


def test_a_stop_beside_a_dose_and_the_same_in_every_run() -> None:
    async def scenario(injector: AsyncInjector) -> Any:
        flowing = asyncio.Event()

        injector.listen(after_flow(10_000, flowing.set))
        dose = asyncio.ensure_future(injector.dose(**DOSE))
        await flowing.wait()
        status = await injector.stop()
        result = await dose
        assert status.latches & wire.LATCH_STOPPED
        assert isinstance(result, Delivered) and not result.complete and 10_000 < result.delivered_nl < 50_000
        plant = injector.injector.link.control("account")
        assert plant["needle_home"] and not plant["moving"]
        return await trace(injector)

    assert in_virtual_time(scenario) == in_virtual_time(scenario)


def test_many_tasks_ask_while_a_dose_is_given() -> None:
    async def scenario(injector: AsyncInjector) -> Any:
        dose = asyncio.ensure_future(injector.dose(**DOSE))
        states = set()
        while not dose.done():
            several = await asyncio.gather(injector.status(), injector.status(), injector.ledger(1))
            states.add(several[0].state)
            await asyncio.sleep(0.05)
        assert isinstance(dose.result(), Delivered)
        assert {wire.STATE_ARMED, wire.STATE_RUNNING} <= states
        return await trace(injector)

    assert in_virtual_time(scenario) == in_virtual_time(scenario)


def test_a_timeout_is_one_of_the_simulators_clock_and_stops_the_dose() -> None:
    async def scenario(injector: AsyncInjector) -> None:
        injector.injector.link.control("present", 0)
        before = now()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(12.5):
                await injector.dose(**DOSE)
        assert 12.5 <= now() - before < 13.5
        assert isinstance(injector.interrupted, NotDelivered) and injector.interrupted.reason == "stop"
        assert (await injector.status()).latches == wire.LATCH_STOPPED
        assert injector.injector.journal.open_doses(injector.uid) == []

    in_virtual_time(scenario)


def test_nobody_presses_and_the_device_disarms_itself_after_its_own_time() -> None:
    async def scenario(injector: AsyncInjector) -> None:
        injector.injector.link.control("present", 0)
        before = now()
        result = await injector.dose(**DOSE)
        assert isinstance(result, NotDelivered) and result.reason == "arm_timeout"
        assert 30.0 <= now() - before < 31.0

    in_virtual_time(scenario)


def test_hours_pass_without_a_wall_clock_and_without_a_device() -> None:
    async def main() -> float:
        before = now()
        await asyncio.sleep(10_000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 100)
        return now() - before

    assert virtual_time.run(main()) == pytest.approx(10_100, abs=1e-3)


def test_what_was_said_while_everybody_slept_is_heard_later() -> None:
    async def scenario(injector: AsyncInjector) -> None:
        await asyncio.sleep(3600)
        assert (await injector.status()).state == wire.STATE_IDLE
        assert injector.losses() == (0, 0, 0, 0)
        assert injector.device_time().time_us >= 3_600_000_000

    in_virtual_time(scenario)


def test_a_cancelled_request_is_made_and_forgotten() -> None:
    async def scenario(injector: AsyncInjector) -> None:
        asking = asyncio.ensure_future(injector.status())
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await injector.status()).state == wire.STATE_IDLE

    in_virtual_time(scenario)


def test_a_loop_that_ends_under_a_dose_leaves_no_thread_and_stops_it() -> None:
    async def scenario(injector: AsyncInjector) -> None:
        dose = asyncio.ensure_future(injector.dose(**DOSE))
        await asyncio.sleep(1.5)
        assert not dose.done()

    before = threading.active_count()
    in_virtual_time(scenario)
    assert threading.active_count() == before


def test_one_device_in_a_loop_in_virtual_time_at_a_time() -> None:
    async def main() -> None:
        async with await AsyncInjector.open(URL):
            with pytest.raises(DeviceNotFound, match="one simulated device"):
                await AsyncInjector.open(URL)
        async with await AsyncInjector.open(URL) as another:
            await another.status()

    virtual_time.run(main())


def test_a_device_that_died_is_an_error_for_whoever_waits() -> None:
    async def scenario(injector: AsyncInjector) -> None:
        injector.injector.link.device._device._process.kill()  # type: ignore[attr-defined]
        with pytest.raises(LinkLost, match="died"):
            await injector.status()

    in_virtual_time(scenario, "sim://micropython?seed=7")


def test_on_a_port_the_loop_goes_on_while_a_dose_is_given() -> None:
    """In wall time: the loop turns all the while, and a STOP needs no dose to end first."""

    async def main(path: str) -> None:
        async with await AsyncInjector.open(path, ":memory:") as injector:
            turns = 0
            flowing = asyncio.Event()
            injector.listen(lambda event: isinstance(event, messages.Telemetry) and flowing.set())
            await injector.begin_treatment()
            prime = asyncio.ensure_future(injector.prime(0.1))
            while not flowing.is_set():
                turns += 1
                await asyncio.sleep(0)
            await injector.stop()
            result = await prime
            assert turns > 100
            assert result.reason == "stop"

    device = Paced(1, "cpython")
    try:
        asyncio.run(main(device.path))
    finally:
        device.close()
