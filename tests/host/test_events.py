"""What the device tells, iterated: in virtual time, on a port, on asyncio; it ends, and it loses nothing silently."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import AsyncInjector, Injector, LineLost, LinkLost, NotDelivered, PlanError, virtual_time
from mesoinjector.connection import EVENTS_KEPT
from mesoprotocol import messages, wire
from mesosim.runtime import Paced
from tests.bench_of_one import Bench
from tests.cable import Cable

URL = "sim://?seed=7"
DOSE: dict[str, Any] = {"volume_ml": 0.05, "depth_mm": 1.0, "zone": "cheek"}
PATIENCE_S = 30.0


@pytest.fixture
def injector(make_bench: Callable[..., Bench]) -> Injector:
    return make_bench().ready()


def phases(events: list[Any]) -> list[int]:
    return [event.state for event in events if isinstance(event, messages.PhaseEvent)]


# --- In virtual time ----------------------------------------------------------------------------------------


def test_what_listeners_are_told_in_the_same_order(injector: Injector) -> None:
    told: list[Any] = []
    injector.listen(told.append)
    events = injector.events(3600)
    injector.dose(**DOSE)
    assert [*itertools.islice(events, len(told))] == told
    assert {type(event) for event in told} >= {messages.Telemetry, messages.PhaseEvent, messages.OutcomeEvent}


def test_a_body_that_gives_doses_loses_nothing(injector: Injector) -> None:
    taken: list[Any] = []
    events = injector.events(60)
    injector.dose(**DOSE)
    for event in events:
        taken.append(event)
        if len(taken) == 5:
            injector.dose(**DOSE)
    armed = [wire.STATE_PREPARED, wire.STATE_ARMED, wire.STATE_RUNNING, wire.STATE_IDLE]
    assert phases(taken) == armed + armed and events.dropped == 0


@pytest.mark.parametrize("seconds", [0, 0.25, 10])
def test_it_takes_its_time_and_no_longer(injector: Injector, seconds: float) -> None:
    before_us = injector.link.now_us()
    assert list(injector.events(seconds)) == []
    assert injector.link.now_us() - before_us == seconds * 1e6


def test_after_its_time_it_takes_nothing_more(injector: Injector) -> None:
    events = injector.events(1)
    injector.wait(2)
    next(events, None)
    injector.dose(**DOSE)
    assert list(events) == []


@pytest.mark.parametrize("seconds", [-1, 86_401, float("inf"), float("nan"), "10"])
def test_a_time_without_end_is_refused(injector: Injector, seconds: Any) -> None:
    with pytest.raises(PlanError, match=r"seconds = .*0 to 86400 s"):
        injector.events(seconds)


def test_nothing_is_kept_for_a_loop_that_was_left(injector: Injector) -> None:
    for _ in range(3):
        events = injector.events(3600)
        injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
        for _ in events:
            break
    del events
    assert injector._pump._listeners == []


def test_closed_it_ends(injector: Injector) -> None:
    events = injector.events(3600)
    injector.dose(**DOSE)
    events.close()
    assert list(events) == []
    kept = injector.events(3600)
    injector.dose(**DOSE)
    injector.close()
    assert phases(list(kept))[-1] == wire.STATE_IDLE, "what was told before comes first"
    with pytest.raises(LinkLost, match="closed by this program"):
        injector.events(1)


def test_a_line_that_breaks_is_the_last_it_tells(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    injector = bench.ready()
    bench.link(injector).at(injector.link.now_us() + 100_000, lambda: bench.link(injector).cut(1_000_000))
    (lost,) = injector.events(3600)
    assert isinstance(lost, LineLost) and "plug the device in" in lost.reason
    injector.reconnect()
    events = injector.events(5)
    injector.dose(**DOSE)
    assert phases(list(events))[-1] == wire.STATE_IDLE


def test_what_comes_after_a_broken_line_was_told_is_for_the_next(injector: Injector) -> None:
    events = injector.events(10)
    for event in (LineLost("as the driver's own thread tells it"), messages.Telemetry(1, 0, 0, 0, 0)):
        injector._pump.connection.add_event(event)
    injector.wait(0)
    assert list(events) == [LineLost("as the driver's own thread tells it")]


def test_a_program_that_does_not_read_is_told_what_it_lost(
    injector: Injector, caplog: pytest.LogCaptureFixture
) -> None:
    events = injector.events(3600)
    with caplog.at_level(logging.WARNING, "mesoinjector"):
        for number in range(EVENTS_KEPT + 3):
            injector._pump.connection.add_event(messages.Telemetry(number, 0, 0, 0, 0))
            injector.wait(0)
    assert events.dropped == 3 and caplog.text.count("events dropped") == 1
    assert [event.time for event in itertools.islice(events, EVENTS_KEPT)] == [*range(3, EVENTS_KEPT + 3)]


# --- On asyncio, in virtual time ----------------------------------------------------------------------------


def test_beside_a_dose_that_waits_for_its_trigger() -> None:
    """The dose's heartbeats go on while another task waits for events: 30 s in which the device tells nothing."""

    async def main() -> list[Any]:
        async with await AsyncInjector.open(URL) as device:
            await device.begin_treatment()
            await device.prime(0.1)
            device.injector.link.control("present", 0)
            taken = []
            events = device.events(3600)
            dose = asyncio.ensure_future(device.dose(**DOSE))
            async for event in events:
                taken.append(event)
                if isinstance(event, messages.OutcomeEvent):
                    break
            result = await dose
            assert isinstance(result, NotDelivered) and result.reason == "arm_timeout"
            return taken

    taken = virtual_time.run(main())
    assert phases(taken) == [wire.STATE_PREPARED, wire.STATE_ARMED]
    assert taken == virtual_time.run(main()), "the same in every run"


def test_a_wait_that_is_cancelled_loses_no_event() -> None:
    async def main() -> None:
        async with await AsyncInjector.open(URL) as device:
            await device.begin_treatment()
            told: list[Any] = []
            device.listen(told.append)
            taken = []
            events = device.events(30)
            given = asyncio.ensure_future(device.prime(0.1))
            cancelled = 0
            while True:
                try:
                    async with asyncio.timeout(0.003):
                        taken.append(await anext(events))
                except TimeoutError:
                    cancelled += 1
                except StopAsyncIteration:
                    break
            await given
            assert taken == told and len(taken) > 50 and cancelled > 50

    virtual_time.run(main())


def test_two_tasks_share_what_comes() -> None:
    async def main() -> None:
        async with await AsyncInjector.open(URL) as device:
            await device.begin_treatment()
            told: list[Any] = []
            device.listen(told.append)
            events = device.events(10)

            async def take() -> list[Any]:
                return [event async for event in events]

            first, second, _ = await asyncio.gather(take(), take(), device.prime(0.1))
            assert sorted(map(repr, first + second)) == sorted(map(repr, told))

    virtual_time.run(main())


def test_a_device_that_is_closed_ends_the_loop_of_another_task() -> None:
    async def main() -> float:
        device = await AsyncInjector.open(URL)
        events = device.events(3600)

        async def take() -> list[Any]:
            return [event async for event in events]

        taking = asyncio.ensure_future(take())
        await asyncio.sleep(1)
        await device.close()
        assert await taking == []
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) < 2


# --- On a port, in wall time; bounded by events ---------------------------------------------------------------


@pytest.fixture
def port() -> Iterator[Paced]:
    paced = Paced(1, "cpython")
    yield paced
    paced.close()


def test_on_a_port_what_came_between_two_calls_is_there(port: Paced) -> None:
    with Injector.open(port.path, ":memory:") as injector:
        ended = threading.Event()
        events = injector.events(PATIENCE_S)
        injector.listen(lambda event: isinstance(event, messages.OutcomeEvent) and ended.set())
        injector.begin_treatment()
        threading.Thread(target=injector.prime, args=(0.1,)).start()
        assert ended.wait(PATIENCE_S)
        taken = [*itertools.takewhile(lambda event: not isinstance(event, messages.OutcomeEvent), events)]
        assert phases(taken) == [wire.STATE_PREPARED, wire.STATE_ARMED, wire.STATE_RUNNING]


def test_on_a_port_a_cable_that_is_pulled_is_told_once(port: Paced, tmp_path: Path) -> None:
    """Whether the loop finds it out or the driver's own thread."""
    cable = Cable(tmp_path, port.path)
    with Injector.open(cable.path, ":memory:") as injector:
        between, waiting = injector.events(PATIENCE_S), injector.events(PATIENCE_S)
        pulling = threading.Timer(0.1, cable.pull)
        pulling.start()
        assert [type(event) for event in waiting] == [LineLost]
        assert [type(event) for event in between] == [LineLost]
        assert [type(event) for event in injector.events(PATIENCE_S)] == [LineLost], "and whoever asks later"
        pulling.join()


def test_on_a_port_four_loops_leave_calls_their_threads(port: Paced) -> None:
    async def main() -> None:
        async with await AsyncInjector.open(port.path, ":memory:") as device:

            async def first() -> Any:
                async for event in device.events(PATIENCE_S):
                    return event

            loops = [asyncio.ensure_future(first()) for _ in range(6)]
            await asyncio.sleep(0)
            await device.begin_treatment()
            given = asyncio.ensure_future(device.prime(0.1))
            told = await asyncio.gather(*loops)
            await device.stop()
            await given
            assert {event.state for event in told} == {wire.STATE_PREPARED}

    asyncio.run(main())
