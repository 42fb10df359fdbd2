"""A port that does what ports do: stalls, dribbles, brings old bytes, echoes, or has no firmware behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mesoinjector import Delivered, DeviceNotFound, FirmwareNotRunning, Injector, ReplyTimeout
from mesosim.runtime import Paced
from tests.cable import Cable, Passing, whole

TRACEBACK = (
    b'Traceback (most recent call last):\r\n  File "main.py", line 3\r\nMemoryError: \r\nMicroPython v1.28\r\n>>> '
)


@pytest.fixture
def device() -> Iterator[Paced]:
    paced = Paced(1, "cpython")
    yield paced
    paced.close()


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Callable[..., Cable]]:
    cables: list[Cable] = []

    def make(device: str = "", passing: Passing = whole) -> Cable:
        cables.append(Cable(tmp_path, device, passing))
        return cables[-1]

    yield make
    for one in cables:
        one.pull()


def dribbled(data: bytes, to_device: bool) -> list[bytes]:
    """One byte at a time."""
    return [data[i : i + 1] for i in range(len(data))]


def test_one_byte_at_a_time(device: Paced, cable: Callable[..., Cable], tmp_path: Path) -> None:
    line = cable(device.path, dribbled)
    with Injector.open(line.path, tmp_path / "journal.sqlite") as injector:
        injector.begin_treatment()
        result = injector.prime(0.1)
        assert isinstance(result, Delivered) and result.complete
        assert injector.losses().refused == 0


class Stalled:
    """Holds what the device says back, from when it is told to until it is told otherwise."""

    def __init__(self) -> None:
        self._held = b""
        self.holds = False

    def __call__(self, data: bytes, to_device: bool) -> list[bytes]:
        if to_device:
            return [data]
        self._held += data
        if self.holds:
            return []
        data, self._held = self._held, b""
        return [data]


def test_a_line_that_stalls_is_said_in_time_and_serves_again(
    device: Paced, cable: Callable[..., Cable], tmp_path: Path
) -> None:
    stalled = Stalled()
    line = cable(device.path, stalled)
    with Injector.open(line.path, tmp_path / "journal.sqlite") as injector:
        injector.status()
        stalled.holds = True
        start = time.monotonic()
        with pytest.raises(ReplyTimeout, match="check the cable"):
            injector.status()
        assert time.monotonic() - start < 10
        stalled.holds = False
        # what was held back comes now, in front of the next answer: none is taken for another
        assert injector.status().next_n == 1
        assert injector.losses().dropped > 0


def test_what_waited_on_the_line_is_nobodys_answer(device: Paced, cable: Callable[..., Cable], tmp_path: Path) -> None:
    """The answers of another session, half a frame, and what a modem manager asked."""
    heard: list[bytes] = []

    def overhear(data: bytes, to_device: bool) -> list[bytes]:
        if not to_device:
            heard.append(data)
        return [data]

    line = cable(device.path, overhear)
    with Injector.open(line.path, tmp_path / "journal.sqlite") as injector:
        injector.status()
    line.pull()
    old = b"".join(heard)
    line.plug(b"AT+GCAP\r\n" + old + old[:7])

    arrived = threading.Event()

    def repeat(data: bytes, to_device: bool) -> list[bytes]:
        if to_device and not arrived.is_set():
            arrived.set()
            line.say(old)  # once more, behind the opening
        return [data]

    line._passing = repeat
    with Injector.open(line.path, tmp_path / "journal.sqlite") as injector:
        assert injector.status().next_n == 1
        assert arrived.is_set() and injector.losses().dropped > 0


def test_a_line_that_echoes_is_no_device(cable: Callable[..., Cable]) -> None:
    line = cable()

    def echo(data: bytes, to_device: bool) -> list[bytes]:
        line.say(data)
        return []

    line._passing = echo
    with pytest.raises(DeviceNotFound, match="check that it is the right port"):
        Injector.open(line.path, ":memory:")


def test_a_silent_line_is_no_device(cable: Callable[..., Cable]) -> None:
    with pytest.raises(DeviceNotFound, match="check that it is the right port"):
        Injector.open(cable().path, ":memory:")


@pytest.mark.parametrize("said", [TRACEBACK, b">>> ", b"MicroPython v1.28.0 on 2026-01-01; Raspberry Pi Pico\r\n"])
def test_a_traceback_or_a_prompt_says_that_the_firmware_does_not_run(cable: Callable[..., Cable], said: bytes) -> None:
    line = cable()

    def answer(data: bytes, to_device: bool) -> list[bytes]:
        line.say(said)
        return []

    line._passing = answer
    with pytest.raises(FirmwareNotRunning, match="flash the firmware again"):
        Injector.open(line.path, ":memory:")


def test_a_traceback_in_mid_session_is_said(device: Paced, cable: Callable[..., Cable], tmp_path: Path) -> None:
    fallen = threading.Event()
    line = cable(device.path, lambda data, to_device: [] if fallen.is_set() else [data])
    with Injector.open(line.path, tmp_path / "journal.sqlite") as injector:
        injector.status()
        fallen.set()
        line.say(TRACEBACK)
        with pytest.raises(ReplyTimeout, match=r"(?s)the firmware does not run.*MemoryError.*flash"):
            injector.status()
