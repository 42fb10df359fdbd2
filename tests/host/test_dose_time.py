"""When it was, in UTC: true within the bound that is said with it, whatever the line, the crystals and the readings."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mesoinjector import AsyncInjector, Delivered, Injector, PlanError, virtual_time
from mesoinjector.clock import UtcTime
from mesoinjector.journal import Journal
from mesoinjector.links import Link
from mesoinjector.recorder import RecordingLink
from mesoinjector.replay import ReplayLink
from mesoinjector.simulated import SimulatedLink, paced_link
from mesoprotocol import messages, wire
from mesosim.runtime import InProcess
from mesosim.world.world import START_US
from tests.bench_of_one import Bench

URL = "sim://?seed=7"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
COMPUTER_US = 1_790_000_000_000_000
"""UTC by the computer's clock when the link's stands at 0."""


class Crystals(SimulatedLink):
    """A line with delays to a device whose crystal differs from the computer's by `ppm`; times are the computer's."""

    def __init__(self, device: InProcess, ppm: int, most_us: int, reading_us: int) -> None:
        self._ppm, self._most_us, self._reading_us = ppm, most_us, reading_us
        self._delays = random.Random(ppm)
        self._came = b""
        super().__init__("sim", device, 1)

    def now_us(self) -> int:
        return self._t + self._t * self._ppm // 1_000_000

    def utc_us(self) -> int:
        """In the middle of it another program runs."""
        self._pass(self._delays.randint(0, self._reading_us))
        utc_us = COMPUTER_US + self.now_us()
        self._pass(self._delays.randint(0, self._reading_us))
        return utc_us

    def read(self, deadline_us: int) -> bytes:
        if not self._came:
            self._came = super().read(deadline_us * 1_000_000 // (1_000_000 + self._ppm) + 1)
            self._pass(self._delays.randint(0, self._most_us) if self._came else 0)
        data, self._came = self._came, b""
        return data

    def write(self, data: bytes) -> None:
        self._pass(self._delays.randint(0, self._most_us))
        super().write(data)

    def _pass(self, us: int) -> None:
        end_us = self._t + us
        while self._t < end_us:
            self._t, data = self.device.run(end_us, b"")
            self._came += data


def true_utc(device_us: int, ppm: int) -> datetime:
    """UTC by the computer when the device's clock stood there."""
    world_us = device_us - START_US
    return EPOCH + timedelta(microseconds=COMPUTER_US + world_us + world_us * ppm // 1_000_000)


@settings(max_examples=10, deadline=None)
@given(st.integers(-150, 150), st.integers(0, 30_000), st.integers(0, 50_000), st.integers(0, 3600))
@example(150, 0, 0, 3600)
@example(-150, 0, 0, 3600)
@example(0, 0, 50_000, 0)
def test_the_bound_holds(ppm: int, delay_us: int, reading_us: int, later_s: int) -> None:
    with Injector(Crystals(InProcess(1), ppm, delay_us, reading_us), Journal(":memory:")) as injector:
        events = injector.events(20)
        injector.begin_treatment()
        assert isinstance(injector.prime(0.1), Delivered)
        injector.wait(later_s)
        told = [event for event in events if isinstance(event, messages.Telemetry | messages.PhaseEvent)]
        assert len(told) > 50
        most_us = 2 * (2 * delay_us + 100) + 200 * (later_s + 30) + 2 * reading_us
        for event in told[::10]:
            said = injector.dose_time_to_utc(event.time)
            assert abs(said.utc - true_utc(event.time, ppm)) <= timedelta(microseconds=said.error_us)
            assert said.error_us <= most_us


def test_a_dose_begins_at_its_running() -> None:
    """In virtual time UTC is exact: 0:00 of the simulator's day and what has passed."""
    with Injector.open(URL) as injector:
        events = injector.events(60)
        injector.begin_treatment()
        injector.prime(0.1)
        told = list(events)
        (began,) = (each for each in told if isinstance(each, messages.PhaseEvent) and each.state == wire.STATE_RUNNING)
        (ended,) = (each for each in told if isinstance(each, messages.PhaseEvent) and each.state == wire.STATE_IDLE)
        (outcome,) = (each for each in told if isinstance(each, messages.OutcomeEvent))
        assert ended.time - began.time == outcome.duration_ms * 1000
        said = injector.dose_time_to_utc(began.time)
        truth = MIDNIGHT + timedelta(microseconds=began.time - START_US)
        assert abs(said.utc - truth) <= timedelta(microseconds=said.error_us)
        assert said.utc.utcoffset() == timedelta(0)


def test_a_time_of_before_the_device_restarted_is_refused(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    injector = bench.ready()
    injector.wait(10)  # beyond the wrap of the tick, which a simulated device goes on with
    before = injector.device_time().time_us
    said = injector.dose_time_to_utc(before)
    bench.device.control("reset")
    injector.wait(3)
    assert abs(injector.dose_time_to_utc(before).utc - said.utc) <= timedelta(microseconds=said.error_us), "not yet"
    injector.reconnect()
    with pytest.raises(PlanError, match=f"time_us = {before}: .*before the device restarted"):
        injector.dose_time_to_utc(before)
    with pytest.raises(PlanError, match="time_us = -1: "):
        injector.dose_time_to_utc(-1)


def test_a_replay_says_the_same(tmp_path: Path) -> None:
    def times(injector: Injector) -> list[Any]:
        with injector:
            events = injector.events(10)
            injector.begin_treatment()
            injector.prime(0.1)
            return [injector.dose_time_to_utc(each.time) for each in events if isinstance(each, messages.PhaseEvent)]

    file = tmp_path / "session.jsonl"
    recorded = times(Injector.open(URL, record=file))
    assert len(recorded) == 4 and times(Injector.open(f"replay:{file}")) == recorded


def test_on_a_port_it_is_this_computers_and_a_replay_goes_on_from_its_beginning(tmp_path: Path) -> None:
    def opened(link: Link) -> tuple[int, UtcTime]:
        with Injector(link, Journal(":memory:")) as injector:
            time_us = injector.device_time().time_us
            return time_us, injector.dose_time_to_utc(time_us)

    file = tmp_path / "session.jsonl"
    before = datetime.now(UTC)
    time_us, said = opened(RecordingLink(paced_link("cpython", 1), file))
    error = timedelta(microseconds=said.error_us)
    assert before - error <= said.utc <= datetime.now(UTC) + error
    again_us, replayed = opened(ReplayLink(file))
    assert again_us == time_us and abs(replayed.utc - said.utc) < timedelta(seconds=30)


def test_the_same_on_asyncio() -> None:
    async def main() -> None:
        async with await AsyncInjector.open(URL) as device:
            time_us = device.device_time().time_us
            assert device.dose_time_to_utc(time_us) == device.injector.dose_time_to_utc(time_us)

    virtual_time.run(main())
