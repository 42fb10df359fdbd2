"""Between calls, and over a line that breaks: what is told, what is asked for again, and that nothing goes on."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mesoinjector import (
    Delivered,
    DeviceBusy,
    DeviceNotFound,
    Injector,
    JournalError,
    LinkLost,
    NotDelivered,
    PlanError,
    Unknown,
)
from mesoinjector.journal import Journal
from mesoinjector.pump import LineLost
from mesoprotocol import messages, wire
from mesosim.lab.link import MortalLink
from mesosim.runtime import InProcess, Paced
from tests.bench_of_one import Bench, after_flow
from tests.cable import Cable

DOSE: dict[str, Any] = {"volume_ml": 0.1, "depth_mm": 1.0, "zone": "cheek"}
PATIENCE_S = 30.0


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mesoinjector"]


# --- In virtual time ----------------------------------------------------------------------------------------


@pytest.fixture
def here(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench("cpython")


def broken_off(bench: Bench, for_us: int | None) -> tuple[Injector, Unknown, dict[str, Any]]:
    """A dose in which the line breaks: its host, what it knows, and the plant's account before."""
    injector = bench.ready()
    before = bench.plant()
    injector.listen(after_flow(20_000, lambda: bench.link(injector).cut(for_us)))
    result = injector.dose(**DOSE)
    assert isinstance(result, Unknown)
    return injector, result, before


@pytest.mark.requirement("SR-25", "SR-26")
@pytest.mark.parametrize("gone_us", [1, 300_000, 3_000_000, 20_000_000])
def test_a_dose_under_way_is_asked_for_and_nothing_goes_on(here: Bench, gone_us: int) -> None:
    injector, unknown, before = broken_off(here, gone_us)
    (result,) = injector.reconnect()
    after = here.plant()
    assert injector.resolved == [result] and result.dose_id == unknown.dose_id
    assert isinstance(result, Delivered) and not result.complete
    assert result.lower_nl <= after["tip_nl"] - before["tip_nl"] <= result.upper_nl
    rested = here.rest()
    assert rested["plunger_steps"] == after["plunger_steps"] and rested["needle_home"]


def test_it_goes_on_in_the_same_treatment_when_somebody_says_so(here: Bench) -> None:
    injector, _, _ = broken_off(here, 1_000_000)
    treatment = injector._treatment
    injector.reconnect()
    assert injector.hello.treatment == treatment
    injector.clear()
    result = injector.dose(**DOSE)
    assert isinstance(result, Delivered) and result.complete


def test_nothing_is_opened_anew_while_a_dose_is_waited_for(here: Bench) -> None:
    """What is under way in this program is no dose of before: it is not called off by whoever looks."""
    injector = here.ready()
    refused: list[DeviceBusy] = []

    def meddle() -> None:
        for call in (injector.reconnect, lambda: injector.resolve(under_way()), lambda: injector.dose(**DOSE)):
            with pytest.raises(DeviceBusy) as error:
                call()
            refused.append(error.value)

    def under_way() -> str:
        return injector.journal.open_doses(injector.uid)[0].dose_id

    injector.listen(after_flow(20_000, meddle))
    before = here.plant()["tip_nl"]
    result = injector.dose(**DOSE)
    assert len(refused) == 3 and isinstance(result, Delivered) and result.complete
    assert result.lower_nl <= here.plant()["tip_nl"] - before <= result.upper_nl
    assert injector.journal.result(result.dose_id) == result


def test_a_dose_that_has_ended_is_not_committed(here: Bench) -> None:
    injector = here.ready()
    result = injector.dose(**DOSE)
    with pytest.raises(JournalError, match="has ended"):
        injector.journal.commit(injector.uid, result.dose_id)


def test_in_another_treatment_it_is_not_gone_on_with(here: Bench, tmp_path: Path) -> None:
    injector, _, _ = broken_off(here, 1_000_000)
    other = Injector(MortalLink("sim", here.device, 77), Journal(tmp_path / "other.sqlite"))
    for _ in range(5):
        other.begin_treatment()
    with pytest.raises(PlanError, match="treatment"):
        injector.reconnect()
    with pytest.raises(LinkLost):
        injector.status()


@pytest.mark.requirement("SR-30")
def test_a_caller_that_does_not_wait_is_not_vouched_for(here: Bench) -> None:
    """Heartbeats are the waiting caller's: while a listener holds it, another thread that waits sends none."""
    injector = here.ready()
    here.device.control("present", 0)
    before = here.plant()

    def hold(event: object) -> None:
        if isinstance(event, messages.PhaseEvent) and event.state == wire.STATE_ARMED:
            other = threading.Thread(target=injector.wait, args=(2.0,))
            other.start()
            other.join(PATIENCE_S)

    injector.listen(hold)
    result = injector.dose(**DOSE)
    assert isinstance(result, NotDelivered) and result.reason == "link_lost"
    assert here.plant()["plunger_steps"] == before["plunger_steps"]


def test_a_line_that_stays_broken_is_said_in_time(here: Bench) -> None:
    injector, unknown, _ = broken_off(here, None)
    start = injector.link.now_us()
    with pytest.raises(LinkLost, match="still pulled"):
        injector.reconnect(within_s=20)
    assert 10e6 < injector.link.now_us() - start <= 20e6
    with pytest.raises(LinkLost):
        injector.status()
    (resolved,) = here.connect().resolved
    assert resolved.dose_id == unknown.dose_id


class Starting:
    """A device that hears nothing for a time: its port is there, its firmware is still starting."""

    def __init__(self, device: Any, until_us: int) -> None:
        self._device = device
        self._until_us = until_us

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def run(self, until_us: int, data: bytes) -> tuple[int, bytes]:
        t_us, said = self._device.run(
            until_us, data if self._device.control("account")["t_us"] > self._until_us else b""
        )
        return t_us, said if t_us > self._until_us else b""


@pytest.mark.parametrize("starts_us", [5_000_000, 18_000_000])
def test_a_device_that_still_starts_is_waited_for(here: Bench, starts_us: int) -> None:
    injector, unknown, _ = broken_off(here, 1)
    here.link(injector).device = Starting(here.device, injector.link.now_us() + starts_us)
    (result,) = injector.reconnect(within_s=20)
    assert result.dose_id == unknown.dose_id


def test_a_device_that_does_not_start_is_said_in_time(here: Bench) -> None:
    injector, _, _ = broken_off(here, 1)
    start = injector.link.now_us()
    here.link(injector).device = Starting(here.device, start + 100_000_000)
    with pytest.raises(DeviceNotFound, match="does not answer"):
        injector.reconnect(within_s=20)
    assert 19e6 < injector.link.now_us() - start < 22e6


def test_another_device_is_not_taken_for_this_one(here: Bench, tmp_path: Path) -> None:
    injector = here.connect()
    link = here.link(injector)
    link.cut(1_000_000)
    other = InProcess(2)
    link.device = other
    with pytest.raises(DeviceNotFound, match="another device"):
        injector.reconnect()
    other.close()


def test_what_a_listener_raises_ends_nothing(here: Bench, caplog: pytest.LogCaptureFixture) -> None:
    injector = here.ready()

    def fail(_: object) -> None:
        raise ValueError("the window was closed")

    injector.listen(fail)
    with caplog.at_level(logging.ERROR, "mesoinjector"):
        result = injector.dose(**DOSE)
    assert isinstance(result, Delivered) and result.complete
    assert "the window was closed" in caplog.text


# --- On a port, in wall time; bounded by events ---------------------------------------------------------------


@pytest.fixture
def device() -> Iterator[Paced]:
    paced = Paced(1, "cpython")
    yield paced
    paced.close()


class Heard:
    """Keeps what it is told, and waits for one of a kind."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._came = threading.Condition()

    def __call__(self, event: Any) -> None:
        with self._came:
            self.events.append(event)
            self._came.notify_all()

    def one(self, kind: type) -> Any:
        with self._came:
            assert self._came.wait_for(lambda: any(isinstance(event, kind) for event in self.events), PATIENCE_S)
        return next(event for event in self.events if isinstance(event, kind))


def test_a_broken_line_is_told_between_calls_and_opened_anew(device: Paced, tmp_path: Path) -> None:
    cable = Cable(tmp_path, device.path)
    with Injector.open(cable.path, tmp_path / "journal.sqlite") as injector:
        heard = Heard()
        injector.listen(heard)
        cable.pull()
        assert "plug the device in" in heard.one(LineLost).reason
        with pytest.raises(LinkLost):
            injector.status()
        plugging = threading.Thread(target=cable.plug)
        plugging.start()
        assert injector.reconnect() == []
        plugging.join()
        injector.status()
        assert len(threads()) == 1
    assert not threads()
    cable.pull()


def test_a_listener_that_blocks_holds_no_dose_back(device: Paced, tmp_path: Path) -> None:
    """One that is told in another thread waits for the end of what is given: it ends nevertheless."""
    with Injector.open(device.path, tmp_path / "journal.sqlite") as injector:
        injector.begin_treatment()
        ended, blocked = threading.Event(), threading.Event()

        def block(_: object) -> None:
            if threading.current_thread() is not threading.main_thread():
                blocked.set()
                assert ended.wait(PATIENCE_S)

        injector.listen(block)
        closed: list[LinkLost] = []

        def wait() -> None:
            try:
                injector.wait(PATIENCE_S)
            except LinkLost as error:
                closed.append(error)

        others = [threading.Thread(target=wait) for _ in range(3)]
        for other in others:
            other.start()
        result = injector.prime(0.1)
        assert blocked.is_set()
        ended.set()
        assert isinstance(result, Delivered)
        injector.close()
        for other in others:
            other.join(PATIENCE_S)
        assert ["closed by this program" in str(error) for error in closed] == [True] * 3


def test_a_driver_that_nobody_holds_lets_the_port_go(device: Paced, tmp_path: Path) -> None:
    injector = Injector.open(device.path, tmp_path / "journal.sqlite")
    (thread,) = threads()
    injector.journal.close()
    del injector
    gc.collect()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    with Injector.open(device.path, tmp_path / "journal.sqlite"):
        pass


OPENINGS = 100
"""A soak opens more."""


def openings(path: str, folder: Path, count: int) -> set[tuple[int, int]]:
    """Open and close a device so many times: the threads and descriptors that were left, each time."""
    descriptors = Path("/proc/self/fd")
    book = Journal(folder / "journal.sqlite")
    found = set()
    for _ in range(count):
        injector = Injector.open(path, book)
        injector.close()
        injector.close()
        found.add((len(threads()), len(list(descriptors.iterdir())) if descriptors.is_dir() else 0))
    book.close()
    return found


def test_closing_always_ends_and_leaves_nothing(device: Paced, tmp_path: Path) -> None:
    found = openings(device.path, tmp_path, OPENINGS)
    assert len(found) == 1 and found.pop()[0] == 0
